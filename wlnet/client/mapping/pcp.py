"""PCP messages as bytes: RFC 6887 sections 7, 11 and 14.1. Only what a client of one mapping needs."""

from __future__ import annotations

import struct
from enum import IntEnum
from ipaddress import IPv6Address

from msgspec import Struct

from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Transport

PORT = 5351
VERSION = 2
LARGEST = 1100
"""Octets (section 7)."""
NONCE = 12

_ANNOUNCE = 0
_MAP = 1
_RESPONSE = 0x80
_PREFER_FAILURE = 2
_PROTOCOLS = {Transport.TCP: 6, Transport.UDP: 17}
_TRANSPORTS = {number: transport for transport, number in _PROTOCOLS.items()}
_request = struct.Struct("!BBHI16s")
_response = struct.Struct("!BBxBII12x")
_map = struct.Struct("!12sB3xHH16s")
_option = struct.Struct("!BxH")


class PcpError(ValueError):
    """These bytes are no answer to a PCP request of ours."""


class PcpResult(IntEnum):
    """Result codes (section 7.4)."""

    SUCCESS = 0
    UNSUPP_VERSION = 1
    NOT_AUTHORIZED = 2
    MALFORMED_REQUEST = 3
    UNSUPP_OPCODE = 4
    UNSUPP_OPTION = 5
    MALFORMED_OPTION = 6
    NETWORK_FAILURE = 7
    NO_RESOURCES = 8
    UNSUPP_PROTOCOL = 9
    USER_EX_QUOTA = 10
    CANNOT_PROVIDE_EXTERNAL = 11
    ADDRESS_MISMATCH = 12
    EXCESSIVE_REMOTE_PEERS = 13


class PcpMapping(Struct, frozen=True, kw_only=True):
    """The part of a MAP answer that is about the mapping."""

    nonce: bytes
    transport: Transport
    port: int
    external: Endpoint


class PcpAnswer(Struct, frozen=True, kw_only=True):
    """An answer.

    :ivar version: 2; servers that know no such version answer in their own.
    :ivar result: a :class:`PcpResult`, or a number it does not know.
    :ivar lifetime: seconds, of the mapping or of the error.
    :ivar epoch: seconds since the router lost its mappings.
    :ivar mapping: None: it is no answer to a MAP request.
    """

    version: int
    result: int
    lifetime: int = 0
    epoch: int = 0
    mapping: PcpMapping | None = None


def encode_announce(client: str) -> bytes:
    """Are you there? (section 14.1)

    :param client: our address, as the router sees it.
    """
    return _request.pack(VERSION, _ANNOUNCE, 0, 0, _packed(client))


def encode_map(
    client: str,
    nonce: bytes,
    transport: Transport,
    port: int,
    external: Endpoint | None,
    lifetime: int,
    *,
    exact: bool = False,
) -> bytes:
    """Map *port*; a *lifetime* of 0 removes the mapping.

    :param external: what is suggested; without it any of *client*'s family.
    :param exact: rather fail than give another (option PREFER_FAILURE).
    :raises ValueError: the nonce has not 12 bytes, or something is no address or no port.
    """
    if len(nonce) != NONCE:
        raise ValueError("a nonce has 12 bytes")
    wanted = external or Endpoint("::" if ":" in client else "0.0.0.0", 0)  # noqa: S104 - no socket: "any address"
    for number in (port, wanted.port):
        if not 0 <= number <= 65535:
            raise ValueError("no port")
    head = _request.pack(VERSION, _MAP, 0, lifetime, _packed(client))
    body = _map.pack(nonce, _PROTOCOLS[transport], port, wanted.port, _packed(wanted.host))
    return head + body + (_option.pack(_PREFER_FAILURE, 0) if exact else b"")


def decode_answer(data: bytes) -> PcpAnswer:
    """Read an answer to ANNOUNCE or MAP.

    :raises PcpError: it is none.
    """
    if len(data) >= 4 and data[0] != VERSION and data[1] & _RESPONSE:
        # NAT-PMP only: two octets of version and opcode, then a result of two (RFC 6886 section 3.5).
        return PcpAnswer(version=data[0], result=PcpResult.UNSUPP_VERSION)
    if not 24 <= len(data) <= LARGEST or len(data) % 4:
        raise PcpError("length")
    version, opcode, result, lifetime, epoch = _response.unpack_from(data)
    if version != VERSION or not opcode & _RESPONSE:
        raise PcpError("no answer")
    opcode &= ~_RESPONSE
    if opcode not in (_ANNOUNCE, _MAP):
        raise PcpError("opcode")
    mapping = _mapping(data[24:]) if opcode == _MAP else None
    return PcpAnswer(version=version, result=result, lifetime=lifetime, epoch=epoch, mapping=mapping)


def _mapping(body: bytes) -> PcpMapping:
    if len(body) < _map.size:
        raise PcpError("length")
    nonce, number, port, outer, packed = _map.unpack_from(body)
    transport = _TRANSPORTS.get(number)
    if transport is None:
        raise PcpError("protocol")
    external = Endpoint(str(parse_address(str(IPv6Address(packed)))), outer)
    return PcpMapping(nonce=nonce, transport=transport, port=port, external=external)


def _packed(host: str) -> bytes:
    address = parse_address(host)
    if address.version == 6:
        return address.packed
    return b"\0" * 10 + b"\xff\xff" + address.packed
