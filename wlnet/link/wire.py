"""Frames of the link: length, payload, proof of origin (docs/protocols/link.md section 3).

    uint32 big endian   bytes that follow
    payload             one message as JSON
    tag                 the first 16 bytes of HMAC-SHA256(session key, direction + sequence number + payload)

Both ends count the frames of each direction from 0; the number is not sent. So a frame that was changed,
repeated, left out, moved or sent back to where it came from does not verify, and the link ends.
"""

from __future__ import annotations

import hmac
from enum import Enum
from hashlib import sha256

MAX_PAYLOAD = 262_144
"""Bytes of the longest payload."""

TAG_SIZE = 16
_HEAD = 4


class Role(Enum):
    """The end of a link; the value is the direction byte of what it sends."""

    LOBBY = b"L"
    RELAY = b"R"

    @property
    def other(self) -> Role:
        """The opposite end."""
        return Role.RELAY if self is Role.LOBBY else Role.LOBBY


class FrameError(Exception):
    """The other end broke the framing: too long, too short, or the tag is wrong. The link must end."""


class FrameWriter:
    """Makes frames of one direction.

    :param role: the end that sends.
    :param key: the session key.
    """

    def __init__(self, role: Role, key: bytes) -> None:
        self._role = role
        self._key = key
        self._number = 0

    def frame(self, payload: bytes) -> bytes:
        """The next frame.

        :raises ValueError: *payload* is empty or longer than :data:`MAX_PAYLOAD`; no number is used up.
        """
        if not 0 < len(payload) <= MAX_PAYLOAD:
            raise ValueError("the payload does not fit a frame")
        tag = _tag(self._key, self._role, self._number, payload)
        self._number += 1
        return (len(payload) + TAG_SIZE).to_bytes(_HEAD, "big") + payload + tag


class FrameReader:
    """Reads frames of one direction; holds at most one incomplete frame.

    :param role: the end that sends them.
    :param key: the session key.
    """

    def __init__(self, role: Role, key: bytes) -> None:
        self._role = role
        self._key = key
        self._number = 0
        self._buffer = bytearray()
        self._broken = False

    def receive(self, data: bytes) -> list[bytes]:
        """Payloads that are complete now, in order.

        :raises FrameError: bad length or tag; what came before it in the same *data* is lost with it, and
            nothing is read any more.
        """
        if self._broken:
            raise FrameError("broken before")
        self._buffer += data
        payloads: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= _HEAD:
            length = int.from_bytes(self._buffer[start : start + _HEAD], "big")
            if not TAG_SIZE < length <= MAX_PAYLOAD + TAG_SIZE:
                raise self._error(f"a frame of {length} bytes")
            end = start + _HEAD + length
            if len(self._buffer) < end:
                break
            payload = bytes(self._buffer[start + _HEAD : end - TAG_SIZE])
            tag = _tag(self._key, self._role, self._number, payload)
            if not hmac.compare_digest(tag, bytes(self._buffer[end - TAG_SIZE : end])):
                raise self._error("a frame that was not made by the other end for this place")
            self._number += 1
            payloads.append(payload)
            start = end
        del self._buffer[:start]
        return payloads

    def _error(self, text: str) -> FrameError:
        self._broken = True
        self._buffer.clear()
        return FrameError(text)


def _tag(key: bytes, role: Role, number: int, payload: bytes) -> bytes:
    return hmac.digest(key, role.value + number.to_bytes(8, "big") + payload, sha256)[:TAG_SIZE]
