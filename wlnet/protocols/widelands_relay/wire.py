"""The relay's wire format (docs/protocols/relay.md): codes, encoders, and where a frame ends.

The decoding of what peers send is in ``session.py``, in one loop for speed; this file has the rest.
"""

from __future__ import annotations

from collections.abc import Iterable

HELLO = 1
WELCOME = 2
DISCONNECT = 3
PING = 4
PONG = 5
ROUND_TRIP_TIME_REQUEST = 6
ROUND_TRIP_TIME_RESPONSE = 7
CONNECT_CLIENT = 11
DISCONNECT_CLIENT = 12
TO_CLIENTS = 13
FROM_CLIENT = 14
TO_HOST = 21
FROM_HOST = 22

VERSIONS = (1, 2)
"""1: released games. 2: the same, but a Hello is never followed by a second password."""

MAX_IDS = 255
"""Ids in one ToClients, repetitions counted."""

MAX_PACKET = 0xFFFF
"""Bytes of a packet with its own two length bytes."""


def packet(payload: bytes) -> bytes:
    """A game packet: *payload* behind its length.

    :raises ValueError: more than 65533 bytes.
    """
    size = len(payload) + 2
    if size > MAX_PACKET:
        raise ValueError(f"payload of {len(payload)} bytes")
    return size.to_bytes(2, "big") + payload


def _text(text: bytes) -> bytes:
    if b"\0" in text:
        raise ValueError("NUL in a string")
    return text + b"\0"


def hello(version: int, game: bytes, password: bytes, *, doubled: bool = False) -> bytes:
    """Peer to relay. *doubled*: the password twice, as build 20 does.

    :raises ValueError: a NUL in one of the texts.
    """
    return bytes((HELLO, version)) + _text(game) + _text(password) * (2 if doubled else 1)


def welcome(version: int, game: bytes) -> bytes:
    """Relay to peer.

    :raises ValueError: a NUL in *game*.
    """
    return bytes((WELCOME, version)) + _text(game)


def disconnect(reason: bytes) -> bytes:
    """Either way.

    :raises ValueError: a NUL in *reason*.
    """
    return bytes((DISCONNECT,)) + _text(reason)


def ping(sequence: int) -> bytes:
    """Relay to peer."""
    return bytes((PING, sequence))


def pong(sequence: int) -> bytes:
    """Peer to relay."""
    return bytes((PONG, sequence))


def round_trip_time_request() -> bytes:
    """Peer to relay."""
    return bytes((ROUND_TRIP_TIME_REQUEST,))


def round_trip_time_response(table: Iterable[tuple[int, int, int]]) -> bytes:
    """Relay to peer: id, milliseconds and seconds of at most 255 peers."""
    rows = [bytes(row) for row in table]
    return bytes((ROUND_TRIP_TIME_RESPONSE, len(rows))) + b"".join(rows)


def connect_client(client_id: int) -> bytes:
    """Relay to host."""
    return bytes((CONNECT_CLIENT, client_id))


def disconnect_client(client_id: int) -> bytes:
    """Relay to host, host to relay."""
    return bytes((DISCONNECT_CLIENT, client_id))


def to_clients(ids: Iterable[int], payload: bytes) -> bytes:
    """Host to relay.

    :raises ValueError: an id 0, more than 255 ids, or too long a payload.
    """
    listed = bytes(ids)
    if len(listed) > MAX_IDS:
        raise ValueError(f"{len(listed)} ids")
    return bytes((TO_CLIENTS,)) + _text(listed) + packet(payload)


def from_client(client_id: int, payload: bytes) -> bytes:
    """Relay to host."""
    return bytes((FROM_CLIENT, client_id)) + packet(payload)


def to_host(payload: bytes) -> bytes:
    """Client to relay."""
    return bytes((TO_HOST,)) + packet(payload)


def from_host(payload: bytes) -> bytes:
    """Relay to client."""
    return bytes((FROM_HOST,)) + packet(payload)


_FIXED = {PING: 2, CONNECT_CLIENT: 2, DISCONNECT_CLIENT: 2}
_TEXT_AT = {WELCOME: 2, DISCONNECT: 1}
_PACKET_AT = {FROM_CLIENT: 2, FROM_HOST: 1}


def length_from_relay(data: bytes, at: int = 0) -> int:
    """Length of the frame sent by a relay that begins at *at*; 0 if *data* ends before that can be told.

    A length reaching beyond *data* is possible: the frame is incomplete then.

    :raises ValueError: no frame of a relay begins so.
    """
    if at >= len(data):
        return 0
    code = data[at]
    if code in _FIXED:
        return _FIXED[code]
    if code in _TEXT_AT:
        return max(0, data.find(0, at + _TEXT_AT[code]) + 1 - at)
    if code == ROUND_TRIP_TIME_RESPONSE:
        return 2 + 3 * data[at + 1] if at + 1 < len(data) else 0
    if code not in _PACKET_AT:
        raise ValueError(f"unknown command {code}")
    length_at = at + _PACKET_AT[code]
    if length_at + 2 > len(data):
        return 0
    return _PACKET_AT[code] + int.from_bytes(data[length_at : length_at + 2], "big")


def end_of_frame(chunk: bytes, offset: int) -> int:
    """Where the frame that byte *offset* of *chunk* (whole frames of a relay) belongs to ends."""
    at = 0
    while at < offset:
        at += length_from_relay(chunk, at)
    return at
