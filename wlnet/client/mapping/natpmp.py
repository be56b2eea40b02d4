"""NAT-PMP messages as bytes: RFC 6886 section 3."""

from __future__ import annotations

import struct
from enum import IntEnum
from ipaddress import IPv4Address

from msgspec import Struct

from wlnet.steering.model import Transport

PORT = 5351

_ADDRESS = 0
_RESPONSE = 0x80
_OPCODES = {Transport.UDP: 1, Transport.TCP: 2}
_TRANSPORTS = {number: transport for transport, number in _OPCODES.items()}
_map = struct.Struct("!BBxxHHI")
_head = struct.Struct("!BBHI")
_mapped = struct.Struct("!HHI")


class NatPmpError(ValueError):
    """These bytes are no answer to a NAT-PMP request of ours."""


class NatPmpResult(IntEnum):
    """Result codes (section 3.5)."""

    SUCCESS = 0
    UNSUPPORTED_VERSION = 1
    NOT_AUTHORIZED = 2
    NETWORK_FAILURE = 3
    OUT_OF_RESOURCES = 4
    UNSUPPORTED_OPCODE = 5


class AddressAnswer(Struct, frozen=True, kw_only=True):
    """The outer address.

    :ivar result: a :class:`NatPmpResult`, or a number it does not know.
    :ivar epoch: seconds since the router lost its mappings.
    :ivar address: empty unless the result is success.
    """

    result: int
    epoch: int = 0
    address: str = ""


class MapAnswer(Struct, frozen=True, kw_only=True):
    """A mapping; *port*, *external* and *lifetime* (seconds) count only with success."""

    result: int
    transport: Transport
    epoch: int = 0
    port: int = 0
    external: int = 0
    lifetime: int = 0


def encode_address() -> bytes:
    """Which is your outer address?"""
    return bytes((0, _ADDRESS))


def encode_map(transport: Transport, port: int, external: int, lifetime: int) -> bytes:
    """Map *port*; to remove it *external* and *lifetime* are 0.

    :raises ValueError: something is no port.
    """
    for number in (port, external):
        if not 0 <= number <= 65535:
            raise ValueError("no port")
    return _map.pack(0, _OPCODES[transport], port, external, lifetime)


def decode_answer(data: bytes) -> AddressAnswer | MapAnswer:
    """Read an answer.

    :raises NatPmpError: it is none.
    """
    if len(data) < _head.size:
        raise NatPmpError("length")
    version, opcode, result, epoch = _head.unpack_from(data)
    if version != 0 or not opcode & _RESPONSE:
        raise NatPmpError("no answer")
    opcode &= ~_RESPONSE
    rest = data[_head.size :]
    if opcode == _ADDRESS:
        if result:
            return AddressAnswer(result=result, epoch=epoch)
        if len(rest) < 4:
            raise NatPmpError("length")
        return AddressAnswer(result=result, epoch=epoch, address=str(IPv4Address(rest[:4])))
    transport = _TRANSPORTS.get(opcode)
    if transport is None:
        raise NatPmpError("opcode")
    if len(rest) < _mapped.size:
        if result:
            return MapAnswer(result=result, transport=transport, epoch=epoch)
        raise NatPmpError("length")
    port, external, lifetime = _mapped.unpack_from(rest)
    return MapAnswer(
        result=result, transport=transport, epoch=epoch, port=port, external=external, lifetime=lifetime
    )
