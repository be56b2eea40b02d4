"""STUN messages as bytes (RFC 8489 sections 5 and 14, RFC 5780 section 7; docs/protocols/stun.md).

Only what a Binding server and its clients need: no credentials are made or checked. Bounds are strict; what
does not fit them is no STUN message.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from zlib import crc32

from msgspec import Struct

from wlnet.limits.addresses import parse_address

MAGIC_COOKIE = 0x2112A442
HEADER = 20
TRANSACTION = 12
BINDING = 0x001
MAX_ATTRIBUTES = 64
"""More in one message is no honest use; it bounds what reading one costs."""

_COOKIE = struct.pack("!I", MAGIC_COOKIE)
_FINGERPRINT_XOR = 0x5354554E
_head = struct.Struct("!HHI")
_tlv = struct.Struct("!HH")
_fingerprint = struct.Struct("!HHI")


class StunError(ValueError):
    """These bytes are no STUN message, or that attribute is not what it should be."""


class Kind(IntEnum):
    """The class of a message."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    """Attribute types; those from 0x8000 on may be skipped by who does not know them."""

    MAPPED_ADDRESS = 0x0001
    CHANGE_REQUEST = 0x0003
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    PADDING = 0x0026
    RESPONSE_PORT = 0x0027
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028
    RESPONSE_ORIGIN = 0x802B
    OTHER_ADDRESS = 0x802C


OPTIONAL = 0x8000


class Change(IntFlag):
    """Flags of CHANGE-REQUEST."""

    NONE = 0
    PORT = 2
    ADDRESS = 4


class Endpoint(NamedTuple):
    """An IP literal (link-local ones with their ``%zone``) and a port."""

    host: str
    port: int


class Message(Struct, frozen=True):
    """One message.

    :ivar method: 12 bits; :data:`BINDING` is the only one of interest here.
    :ivar transaction: 12 bytes.
    :ivar attributes: types and values in the order of the message, without FINGERPRINT.
    :ivar fingerprint: it had, or is to get, a FINGERPRINT.
    """

    kind: Kind
    method: int
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()
    fingerprint: bool = False

    def value(self, wanted: int) -> bytes | None:
        """The raw value of the first attribute of that type (later ones do not count), or None."""
        for number, value in self.attributes:
            if number == wanted:
                return value
        return None

    def address(self, wanted: int) -> Endpoint | None:
        """The address in an attribute such as MAPPED-ADDRESS; XOR-MAPPED-ADDRESS is decoded.

        :raises StunError: it is there, but is no address.
        """
        value = self.value(wanted)
        if value is None:
            return None
        return parse_endpoint(value, self.transaction if wanted == Attribute.XOR_MAPPED_ADDRESS else None)

    def mapped(self) -> Endpoint | None:
        """Where the server saw the request come from: XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS.

        :raises StunError: it is there, but is no address.
        """
        found = self.address(Attribute.XOR_MAPPED_ADDRESS)
        return self.address(Attribute.MAPPED_ADDRESS) if found is None else found

    def change(self) -> Change | None:
        """The flags of CHANGE-REQUEST; None without one.

        :raises StunError: wrong size.
        """
        value = self.value(Attribute.CHANGE_REQUEST)
        if value is None:
            return None
        if len(value) != 4:
            raise StunError("CHANGE-REQUEST must have 4 bytes")
        return Change(value[3] & (Change.PORT | Change.ADDRESS))

    def response_port(self) -> int | None:
        """RESPONSE-PORT; None without one.

        :raises StunError: wrong size.
        """
        value = self.value(Attribute.RESPONSE_PORT)
        if value is None:
            return None
        if len(value) not in (2, 4):  # RFC 5780 pads inside of the value, later clients outside
            raise StunError("RESPONSE-PORT must have 4 bytes")
        return int.from_bytes(value[:2], "big")

    def error(self) -> tuple[int, str] | None:
        """Number (300 to 699) and reason of ERROR-CODE; None without one.

        :raises StunError: wrong size or number.
        """
        value = self.value(Attribute.ERROR_CODE)
        if value is None:
            return None
        if len(value) < 4 or not (3 <= value[2] & 7 <= 6 and value[3] <= 99):
            raise StunError("ERROR-CODE is out of range")
        return (value[2] & 7) * 100 + value[3], value[4:].decode("utf-8", "replace")

    def unknown_attributes(self) -> tuple[int, ...]:
        """What UNKNOWN-ATTRIBUTES lists; empty without one.

        :raises StunError: an odd number of bytes.
        """
        value = self.value(Attribute.UNKNOWN_ATTRIBUTES) or b""
        if len(value) % 2:
            raise StunError("UNKNOWN-ATTRIBUTES must have an even number of bytes")
        return struct.unpack(f"!{len(value) // 2}H", value)

    def software(self) -> str | None:
        """SOFTWARE as text, or None."""
        value = self.value(Attribute.SOFTWARE)
        return None if value is None else value.decode("utf-8", "replace")


def looks_like_stun(data: bytes) -> bool:
    """Enough of a header to tell STUN from anything else on the same port."""
    return len(data) >= HEADER and data[0] < 4 and data[4:8] == _COOKIE


def message_length(header: bytes) -> int:
    """Bytes of the whole message that begins with *header*, for streams (RFC 8489 section 6.2.2).

    :param header: at least 20 bytes.
    :raises StunError: no STUN message begins so.
    """
    kind: int
    length: int
    kind, length, cookie = _head.unpack_from(header)
    if kind >= 0x4000 or length % 4 or cookie != MAGIC_COOKIE:
        raise StunError("no STUN header")
    return HEADER + length


def decode(data: bytes) -> Message:
    """The one message *data* consists of.

    A FINGERPRINT is checked and left out. What follows a MESSAGE-INTEGRITY is not protected by it and left
    out, as RFC 8489 section 14.5 demands.

    :raises StunError: it is none, more than one, or damaged.
    """
    if len(data) < HEADER:
        raise StunError("too short")
    if message_length(data) != len(data):
        raise StunError("wrong length")
    number = data[0] << 8 | data[1]
    attributes: list[tuple[int, bytes]] = []
    fingerprint = False
    sealed = False
    position = HEADER
    end = len(data)
    while position < end:  # both are multiples of 4, so a whole type and length are there
        kind, length = _tlv.unpack_from(data, position)
        start = position + 4
        following = start + (length + 3 & ~3)
        if following > end or fingerprint or len(attributes) >= MAX_ATTRIBUTES:
            raise StunError("attributes do not fit")
        if kind == Attribute.FINGERPRINT:
            _check_fingerprint(data, position, length)
            fingerprint = True
        elif not sealed or kind == Attribute.MESSAGE_INTEGRITY_SHA256:
            attributes.append((kind, data[start : start + length]))
            sealed = sealed or kind == Attribute.MESSAGE_INTEGRITY
        position = following
    return Message(_kind(number), _method(number), data[8:HEADER], tuple(attributes), fingerprint)


def encode(message: Message) -> bytes:
    """*message* as bytes.

    :raises StunError: a transaction of other than 12 bytes, or more than 65535 bytes of attributes.
    """
    body = b"".join(attribute(number, value) for number, value in message.attributes)
    return frame(message_type(message.kind, message.method), message.transaction, body, message.fingerprint)


def frame(number: int, transaction: bytes, body: bytes, fingerprint: bool = False) -> bytes:
    """A message of encoded attributes (see :func:`attribute`).

    :param number: from :func:`message_type`.
    :raises StunError: a transaction of other than 12 bytes, or a body that is too long.
    """
    length = len(body) + (8 if fingerprint else 0)
    if len(transaction) != TRANSACTION or length > 0xFFFC:
        raise StunError("does not fit into a message")
    data = _head.pack(number, length, MAGIC_COOKIE) + transaction + body
    if fingerprint:
        data += _fingerprint.pack(Attribute.FINGERPRINT, 4, crc32(data) ^ _FINGERPRINT_XOR)
    return data


def message_type(kind: Kind, method: int) -> int:
    """The first 16 bits of a message."""
    return (method & 0xF80) << 2 | (method & 0x070) << 1 | method & 0x00F | (kind & 2) << 7 | (kind & 1) << 4


def attribute(number: int, value: bytes) -> bytes:
    """One attribute with its padding.

    :raises StunError: the value is longer than 65535 bytes.
    """
    if len(value) > 0xFFFF:
        raise StunError("value too long")
    return _tlv.pack(number, len(value)) + value + bytes(-len(value) % 4)


def endpoint_value(endpoint: Endpoint, transaction: bytes | None = None) -> bytes:
    """The value of an attribute that holds an address.

    :param transaction: given for XOR-MAPPED-ADDRESS, the message's.
    :raises ValueError: the host is no IP literal.
    """
    host = packed_host(endpoint.host)
    port = endpoint.port
    if transaction is not None:
        port ^= MAGIC_COOKIE >> 16
        pad = _COOKIE if len(host) == 4 else _COOKIE + transaction
        mixed = int.from_bytes(host, "big") ^ int.from_bytes(pad, "big")
        host = mixed.to_bytes(len(host), "big")
    return struct.pack("!HH", 1 if len(host) == 4 else 2, port) + host


def parse_endpoint(value: bytes, transaction: bytes | None = None) -> Endpoint:
    """The reverse of :func:`endpoint_value`.

    :raises StunError: unknown family or wrong size.
    """
    if len(value) == 8 and value[1] == 1:
        pad = _COOKIE
    elif len(value) == 20 and value[1] == 2:
        pad = _COOKIE + (transaction or b"")
    else:
        raise StunError("no address")
    port = int.from_bytes(value[2:4], "big")
    host = value[4:]
    if transaction is not None:
        port ^= MAGIC_COOKIE >> 16
        host = (int.from_bytes(host, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(host), "big")
    address = IPv4Address(host) if len(host) == 4 else IPv6Address(host)
    return Endpoint(str(address), port)


def error_value(code: int, reason: str) -> bytes:
    """The value of ERROR-CODE.

    :param code: 300 to 699.
    """
    return bytes((0, 0, code // 100, code % 100)) + reason.encode()


def change_value(change: Change) -> bytes:
    """The value of CHANGE-REQUEST."""
    return bytes((0, 0, 0, change))


@lru_cache(maxsize=4096)
def packed_host(host: str) -> bytes:
    """The 4 or 16 bytes of an IP literal.

    :raises ValueError: it is none.
    """
    return parse_address(host).packed


def _check_fingerprint(data: bytes, position: int, length: int) -> None:
    if length != 4 or position + 8 != len(data):
        raise StunError("FINGERPRINT is not the last attribute")
    (stated,) = struct.unpack_from("!I", data, position + 4)
    if stated != crc32(memoryview(data)[:position]) ^ _FINGERPRINT_XOR:
        raise StunError("FINGERPRINT does not fit")


def _kind(number: int) -> Kind:
    return _KINDS[number >> 7 & 2 | number >> 4 & 1]


def _method(number: int) -> int:
    return number >> 2 & 0xF80 | number >> 1 & 0x070 | number & 0x00F


_KINDS = tuple(Kind)
