"""Metaserver packets as bytes: docs/protocols/metaserver.md, "Packets".

A packet is a 16-bit big-endian length that counts itself, then fields that each end in NUL; the first is
the command. Text is UTF-8; bytes that are not are carried through unchanged (surrogateescape).
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_PACKET = 65535
"""The longest packet the length field can say."""

_MIN_PACKET = 3


class WireError(Exception):
    """The stream cannot be understood any more; *reason* is a word for the peer.

    :ivar too_long: a packet was longer than this side allows (and not just malformed).
    """

    def __init__(self, reason: str, *, too_long: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.too_long = too_long


class FieldError(Exception):
    """A field of a packet is missing or not what it should be; the text is for the peer."""


class PacketTooLongError(ValueError):
    """The fields do not fit into one packet."""


def encode(*fields: str) -> bytes:
    """One packet of the given fields.

    :raises PacketTooLongError: they need more than 65533 bytes.
    """
    return frame(pack(fields))


def pack(fields: Iterable[str]) -> bytes:
    """Fields as bytes, without a length. A NUL inside one is left out: it would make two of it."""
    return b"".join(field.encode("utf-8", "surrogateescape").replace(b"\0", b"") + b"\0" for field in fields)


def frame(body: bytes) -> bytes:
    """One packet of fields that are encoded already.

    :raises PacketTooLongError: *body* is longer than 65533 bytes.
    """
    length = len(body) + 2
    if length > MAX_PACKET:
        raise PacketTooLongError(length)
    return length.to_bytes(2, "big") + body


class Fields:
    """The fields of one packet, consumed from left to right."""

    __slots__ = ("_fields", "_next")

    def __init__(self, fields: list[bytes]) -> None:
        self._fields = fields
        self._next = 0

    def text(self) -> str:
        """The next field.

        :raises FieldError: there is none.
        """
        if self._next >= len(self._fields):
            raise FieldError("No more RawData in the packet.")
        field = self._fields[self._next]
        self._next += 1
        return field.decode("utf-8", "surrogateescape")

    def integer(self) -> int:
        """The next field, as a decimal number.

        :raises FieldError: there is none, or it is no number of at most 18 digits.
        """
        text = self.text()
        digits = text[1:] if text[:1] in {"+", "-"} else text
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise FieldError(f"Invalid integer: '{text}'")
        return int(text)

    def boolean(self) -> bool:
        """The next field, as ``true``/``false`` (``1``/``0`` are understood).

        :raises FieldError: there is none, or it is neither.
        """
        text = self.text()
        if text in {"true", "1"}:
            return True
        if text in {"false", "0"}:
            return False
        raise FieldError(f"Invalid bool: '{text}'")


class PacketBuffer:
    """Cuts a stream into packets.

    :param limit: the longest packet to accept, bytes; may be changed between packets.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._data = bytearray()
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Bytes from the peer."""
        if self._start:
            del self._data[: self._start]
            self._start = 0
        self._data += data

    def next(self) -> Fields | None:
        """The next whole packet, or None until more bytes come.

        :raises WireError: the stream is broken; nothing after this is a packet.
        """
        data, start = self._data, self._start
        if len(data) - start < 2:
            return None
        length = data[start] << 8 | data[start + 1]
        if length < _MIN_PACKET:
            raise WireError("INVALID_LENGTH")
        if length > self.limit:
            raise WireError("PACKET_TOO_LONG", too_long=True)
        if len(data) - start < length:
            return None
        self._start = start + length
        fields = bytes(data[start + 2 : start + length]).split(b"\0")
        # What stands behind the last NUL is no field.
        if len(fields) == 1:
            raise WireError("NO_FIELDS")
        return Fields(fields[:-1])

    def __len__(self) -> int:
        """Bytes held."""
        return len(self._data) - self._start
