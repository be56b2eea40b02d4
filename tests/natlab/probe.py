"""What a router does, found out by packets as in RFC 5780, to verify that it is the kind it claims to be.

Both ends of every packet are sockets of this process, so no protocol is needed: the server's socket tells
what endpoint it sees.
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.natlab.site import Host, Server

Endpoint = tuple[str, int]
PORTS = (4101, 4102)
# The machine may be busy; only a probe that goes unanswered takes so long.
PATIENCE = 0.2


@dataclass(frozen=True)
class Observed:
    """The words of the table of kinds in README.md."""

    mapping: str
    filtering: str
    port_kept: bool | None
    tcp_mapping: str
    tcp_port_kept: bool | None
    unsolicited_tcp: str
    unsolicited_udp: str


@contextmanager
def udp_servers(server: Server) -> Iterator[list[socket.socket]]:
    """Sockets on address 1 port 1, address 1 port 2, address 2 port 1, address 2 port 2."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(bound(server, (address, port)))
            for address in (server.ipv4, server.second_ipv4)
            for port in PORTS
        ]


def bound(host: Host, endpoint: Endpoint = ("", 0), kind: int = socket.SOCK_DGRAM) -> socket.socket:
    """An IPv4 socket there, sharing its port with others of the kind, and with little patience."""
    made = host.socket(socket.AF_INET, kind)
    made.settimeout(PATIENCE)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(endpoint)
    return made


def seen(source: socket.socket, server: socket.socket, payload: bytes = b"seen") -> Endpoint | None:
    """Where a datagram of `source` comes from for the server; None if it does not arrive."""
    source.sendto(payload, server.getsockname())
    try:
        while True:
            data, endpoint = server.recvfrom(2048)
            if data == payload:
                return str(endpoint[0]), int(endpoint[1])
    except TimeoutError:
        return None


def udp_endpoints(host: Host, server: Server) -> tuple[int, list[Endpoint | None]]:
    """The local port of one socket, and its endpoint as each of the four sockets of the server sees it."""
    with udp_servers(server) as servers, bound(host) as source:
        return source.getsockname()[1], [seen(source, one) for one in servers]


def tcp_endpoint(host: Host, port: int, server: Server, endpoint: Endpoint) -> Endpoint | None:
    """The same for one connection from this local port to that listener."""
    with (
        bound(server, endpoint, socket.SOCK_STREAM) as listener,
        bound(host, ("", port), socket.SOCK_STREAM) as one,
    ):
        listener.listen()
        try:
            one.connect(endpoint)
            accepted, seen_from = listener.accept()
        except TimeoutError:
            return None
        accepted.close()
        return str(seen_from[0]), int(seen_from[1])


def tcp_endpoints(host: Host, server: Server) -> tuple[int, list[Endpoint | None]]:
    """The local port of some connections, and their endpoints as the server sees them."""
    with bound(host, kind=socket.SOCK_STREAM) as holder:
        port = holder.getsockname()[1]
        targets = [(address, number) for address in (server.ipv4, server.second_ipv4) for number in PORTS]
        first = tcp_endpoint(host, port, server, targets[0])
        if first is None:
            return port, [None]
        return port, [first, *(tcp_endpoint(host, port, server, target) for target in targets[1:])]


def mapping(endpoints: list[Endpoint | None]) -> str:
    """EIM, "APDM +1", "APDM random", or none."""
    found = [endpoint for endpoint in endpoints if endpoint is not None]
    if not found:
        return "none"
    assert len(found) == len(endpoints), endpoints
    if len(set(found)) == 1:
        return "EIM"
    steps = {after[1] - before[1] for before, after in itertools.pairwise(found)}
    # The sequence starts again after its last port.
    return "APDM +1" if 1 in steps and len(steps) <= 2 and len(set(found)) == len(found) else "APDM random"


def filtering(host: Host, server: Server) -> str:
    """EIF, ADF, APDF, or "-" if not even an answer comes in."""
    with udp_servers(server) as (asked, same_address, _, other), bound(host) as source:
        endpoint = seen(source, asked)
        if endpoint is None:
            return "-"
        other.sendto(b"other address", endpoint)
        same_address.sendto(b"other port", endpoint)
        asked.sendto(b"answer", endpoint)
        received: set[bytes] = set()
        try:
            while len(received) < 3:
                received.add(source.recv(100))
                if b"answer" in received:
                    source.settimeout(0.05)
        except TimeoutError:
            pass
    assert b"answer" in received, received
    if b"other address" in received:
        return "EIF"
    return "ADF" if b"other port" in received else "APDF"


def unsolicited_tcp(server: Server, endpoint: Endpoint) -> str:
    """What a SYN from outside to an endpoint that nobody uses meets: RST or silent."""
    with bound(server, kind=socket.SOCK_STREAM) as stranger:
        code = stranger.connect_ex(endpoint)
    return {errno.ECONNREFUSED: "RST", errno.EAGAIN: "silent"}[code]


def unsolicited_udp(server: Server, endpoint: Endpoint) -> str:
    """The same for a datagram: ICMP (port unreachable) or silent."""
    with bound(server) as stranger:
        stranger.connect(endpoint)
        stranger.send(b"unsolicited")
        try:
            stranger.recv(100)
        except ConnectionRefusedError:
            return "ICMP"
        except TimeoutError:
            return "silent"
    raise AssertionError("somebody answered")


def observe(host: Host, server: Server, public: str) -> Observed:
    """Probe everything of the table."""
    port, endpoints = udp_endpoints(host, server)
    tcp_port, tcp = tcp_endpoints(host, server)
    for endpoint in (*endpoints, *tcp):
        assert endpoint is None or endpoint[0] == public, endpoint
    unused = (public, 9)
    return Observed(
        mapping(endpoints),
        filtering(host, server),
        None if endpoints[0] is None else endpoints[0][1] == port,
        mapping(tcp),
        None if tcp[0] is None else tcp[0][1] == tcp_port,
        unsolicited_tcp(server, unused),
        unsolicited_udp(server, unused),
    )
