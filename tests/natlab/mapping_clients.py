"""The least of NAT-PMP (RFC 6886) and PCP (RFC 6887) that asks a router for a port."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

from tests.natlab.igd import PORT
from tests.natlab.probe import bound
from tests.natlab.site import GATEWAY, Host

PROTOCOLS = {"udp": 17, "tcp": 6}


@dataclass(frozen=True)
class Mapped:
    """The answer: the result code (0 is success) and, on success, the external endpoint."""

    result: int
    address: str
    port: int


def _ask(host: Host, request: bytes) -> bytes:
    with bound(host) as client:
        client.settimeout(2)
        client.connect((GATEWAY, PORT))
        client.send(request)
        return client.recv(1100)


def nat_pmp(host: Host, transport: str, inner: int, outer: int, lifetime: int = 60) -> Mapped:
    """Map `outer` to `inner`."""
    answer = _ask(host, b"\0\0")
    if answer[3]:
        return Mapped(answer[3], "", 0)
    address = socket.inet_ntoa(answer[8:12])
    operation = {"udp": 1, "tcp": 2}[transport]
    answer = _ask(host, struct.pack("!BBHHHI", 0, operation, 0, inner, outer, lifetime))
    result, port = struct.unpack_from("!2xH6xH", answer)
    return Mapped(result, address if result == 0 else "", port)


def pcp(host: Host, transport: str, inner: int, outer: int, lifetime: int = 60, nonce: bytes = b"") -> Mapped:
    """Map `outer` to `inner`."""
    me = socket.inet_pton(socket.AF_INET6, f"::ffff:{host.ipv4}")
    any_address = socket.inet_pton(socket.AF_INET6, "::ffff:0.0.0.0")
    header = struct.pack("!BBHI", 2, 1, 0, lifetime) + me
    wish = (nonce or os.urandom(12)) + struct.pack("!B3xHH", PROTOCOLS[transport], inner, outer) + any_address
    answer = _ask(host, header + wish)
    (port,) = struct.unpack_from("!H", answer, 42)
    return Mapped(answer[3], socket.inet_ntoa(answer[56:60]) if answer[3] == 0 else "", port)
