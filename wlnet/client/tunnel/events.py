"""What a tunnel tells its owner."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class CloseReason(Enum):
    """Why a tunnel ended; the values go over the wire as error codes."""

    HERE = 0x10
    THERE = 0x11
    SILENCE = 0x12
    HANDSHAKE_TIME = 0x13
    WRONG_PEER = 0x14
    REFUSED_BY_PEER = 0x15
    BROKEN_PEER = 0x16


class Ready(Struct, frozen=True):
    """Both sides proved who they are; streams and datagrams may be sent."""


class StreamOpened(Struct, frozen=True):
    """The peer opened a stream.

    :ivar purpose: his number for what it is for, 0 to 255.
    """

    stream: int
    purpose: int


class StreamData(Struct, frozen=True):
    """The next bytes of a stream. Say ``consumed`` when they are gone, or the peer cannot go on."""

    stream: int
    data: bytes


class StreamEnded(Struct, frozen=True):
    """The peer will send no more on this stream; all he sent was told before."""

    stream: int


class StreamWasReset(Struct, frozen=True):
    """The peer broke the stream off, in both directions; bytes of it may be missing."""

    stream: int


class StreamWritable(Struct, frozen=True):
    """A stream that had no room has half of its send buffer free again."""

    stream: int


class DatagramReceived(Struct, frozen=True):
    """A datagram of the game, whole, once."""

    data: bytes


class Closed(Struct, frozen=True):
    """The tunnel ended; the last event.

    :ivar text: for people; of the peer's words only printable characters are left.
    """

    reason: CloseReason
    text: str


Event = (
    Ready
    | StreamOpened
    | StreamData
    | StreamEnded
    | StreamWasReset
    | StreamWritable
    | DatagramReceived
    | Closed
)
