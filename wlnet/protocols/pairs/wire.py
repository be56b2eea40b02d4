"""Messages of relayed pairs as bytes: docs/protocols/pairs.md, "Messages".

Over UDP a message is a datagram; over TCP it follows its length in two bytes, and the connection begins
with :data:`PREAMBLE`. Integers are big endian.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec import Struct

VERSION = 1
PREAMBLE = b"WLP"

FIRST_BYTES = range(0x28, 0x30)
BIND = 0x28
CHALLENGE = 0x29
BOUND = 0x2A
DATA = 0x2B
KEEPALIVE = 0x2C
ALIVE = 0x2D
CLOSE = 0x2E
ERROR = 0x2F

HANDLE = 8
TRANSACTION = 8
COOKIE = 16
NO_COOKIE = bytes(COOKIE)
ECHO = 8
MAX_PAYLOAD = 1400
DATA_HEAD = 1 + HANDLE
MAX_WORD = 16
"""Characters of a reason."""
MIN_BIND = 128
"""Every answer to a BIND is shorter."""
MIN_KEEPALIVE = 32
"""Every answer to a KEEPALIVE is shorter."""
MAX_MESSAGE = DATA_HEAD + MAX_PAYLOAD
"""Bytes of the longest message."""

PEER_BOUND = 1
"""Flag: the other side is there too."""

_BIND = struct.Struct(f"!BB{TRANSACTION}s{COOKIE}sH")
_BOUND = struct.Struct(f"!B{TRANSACTION}s{HANDLE}sBIIQIIBH16s")
_ALIVE = struct.Struct(f"!B{HANDLE}s{ECHO}sB")
_MOST = 2**32 - 1


class WireError(Exception):
    """These bytes are no such message."""


class Bind(Struct, frozen=True):
    """A client wants to be the side its ticket names.

    :ivar transaction: 8 random bytes of the client, repeated in the answer.
    :ivar cookie: that of the last Challenge, else zeros.
    """

    version: int
    transaction: bytes
    cookie: bytes
    ticket: bytes


class Bound(Struct, frozen=True):
    """It is that side now.

    :ivar handle: 8 bytes that go with everything it sends and gets from now on.
    :ivar rate: bytes a second it may send; 2**32 - 1 stands for that and more.
    :ivar burst: bytes at once, likewise.
    :ivar transfer: bytes left to the pair.
    :ivar idle: seconds of silence after which it is forgotten, rounded down.
    :ivar lifetime: seconds left to the pair, rounded down.
    :ivar address: where the relay sees it.
    """

    transaction: bytes
    handle: bytes
    peer_bound: bool
    rate: int
    burst: int
    transfer: int
    idle: int
    lifetime: int
    address: str
    port: int


def encode_bind(bind: Bind) -> bytes:
    """Padded with zeros to :data:`MIN_BIND`.

    :raises ValueError: a part has another size.
    """
    if len(bind.transaction) != TRANSACTION or len(bind.cookie) != COOKIE:
        raise ValueError("a transaction has 8 bytes, a cookie 16")
    head = _BIND.pack(BIND, bind.version, bind.transaction, bind.cookie, len(bind.ticket))
    message = (head + bind.ticket).ljust(MIN_BIND, b"\0")
    if len(message) > MAX_MESSAGE:
        raise ValueError("the ticket is too long")
    return message


def decode_bind(data: bytes) -> Bind:
    """The reverse; what follows the ticket is not looked at.

    :raises WireError: too short, or the ticket is longer than what is there.
    """
    if not MIN_BIND <= len(data) <= MAX_MESSAGE or data[0] != BIND:
        raise WireError("no BIND")
    _, version, transaction, cookie, length = _BIND.unpack_from(data)
    ticket = data[_BIND.size : _BIND.size + length]
    if len(ticket) != length:
        raise WireError("the ticket is cut")
    return Bind(version, transaction, cookie, ticket)


def encode_challenge(transaction: bytes, cookie: bytes) -> bytes:
    """Asks for the same BIND with this cookie."""
    return bytes([CHALLENGE]) + transaction + cookie


def decode_challenge(data: bytes) -> tuple[bytes, bytes]:
    """Transaction and cookie.

    :raises WireError: it is none.
    """
    if len(data) != 1 + TRANSACTION + COOKIE or data[0] != CHALLENGE:
        raise WireError("no CHALLENGE")
    return data[1 : 1 + TRANSACTION], data[1 + TRANSACTION :]


def encode_bound(bound: Bound) -> bytes:
    """Bytes of a Bound; *address* is an IP literal, with zone or without."""
    address = ip_address(bound.address.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return _BOUND.pack(
        BOUND,
        bound.transaction,
        bound.handle,
        PEER_BOUND if bound.peer_bound else 0,
        min(bound.rate, _MOST),
        min(bound.burst, _MOST),
        bound.transfer,
        min(bound.idle, _MOST),
        min(bound.lifetime, _MOST),
        address.version,
        bound.port,
        address.packed.ljust(16, b"\0"),
    )


def decode_bound(data: bytes) -> Bound:
    """The reverse.

    :raises WireError: it is none.
    """
    if len(data) != _BOUND.size or data[0] != BOUND:
        raise WireError("no BOUND")
    _, transaction, handle, flags, rate, burst, transfer, idle, lifetime, family, port, packed = (
        _BOUND.unpack(data)
    )
    address: IPv4Address | IPv6Address
    if family == 4:
        address = IPv4Address(packed[:4])
    elif family == 6:
        address = IPv6Address(packed)
    else:
        raise WireError("no such family")
    return Bound(
        transaction,
        handle,
        bool(flags & PEER_BOUND),
        rate,
        burst,
        transfer,
        idle,
        lifetime,
        str(address),
        port,
    )


def data_head(handle: bytes) -> bytes:
    """What stands before the payload of a DATA."""
    return bytes([DATA]) + handle


def encode_keepalive(handle: bytes, echo: bytes) -> bytes:
    """*echo*: 8 bytes that come back, for instance the time."""
    return (bytes([KEEPALIVE]) + handle + echo).ljust(MIN_KEEPALIVE, b"\0")


def decode_keepalive(data: bytes) -> tuple[bytes, bytes]:
    """Handle and echo.

    :raises WireError: it is none.
    """
    if not MIN_KEEPALIVE <= len(data) <= MAX_MESSAGE or data[0] != KEEPALIVE:
        raise WireError("no KEEPALIVE")
    return data[1 : 1 + HANDLE], data[1 + HANDLE : 1 + HANDLE + ECHO]


def encode_alive(handle: bytes, echo: bytes, peer_bound: bool) -> bytes:
    """The answer to a KEEPALIVE."""
    return _ALIVE.pack(ALIVE, handle, echo, PEER_BOUND if peer_bound else 0)


def decode_alive(data: bytes) -> tuple[bytes, bytes, bool]:
    """Handle, echo, and whether the other side is there.

    :raises WireError: it is none.
    """
    if len(data) != _ALIVE.size or data[0] != ALIVE:
        raise WireError("no ALIVE")
    _, handle, echo, flags = _ALIVE.unpack(data)
    return handle, echo, bool(flags & PEER_BOUND)


def encode_close(handle: bytes, word: str) -> bytes:
    """*word*: see docs/protocols/pairs.md, "Reasons"."""
    return bytes([CLOSE]) + handle + word.encode("ascii")


def encode_error(token: bytes, word: str) -> bytes:
    """*token*: the transaction of the BIND or the handle of the KEEPALIVE that is answered."""
    return bytes([ERROR]) + token + word.encode("ascii")


def decode_worded(kind: int, data: bytes) -> tuple[bytes, str]:
    """Handle or token, and the reason, of a CLOSE or ERROR.

    :raises WireError: it is none, or its reason is no word of A-Z and underscores.
    """
    if not 1 + HANDLE <= len(data) <= 1 + HANDLE + MAX_WORD or data[0] != kind:
        raise WireError("no such message")
    word = data[1 + HANDLE :]
    if not all(byte == 0x5F or 0x41 <= byte <= 0x5A for byte in word):
        raise WireError("no word")
    return data[1 : 1 + HANDLE], word.decode("ascii")


def frame(message: bytes) -> bytes:
    """*message* as it goes over TCP."""
    return len(message).to_bytes(2, "big") + message
