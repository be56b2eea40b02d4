"""Whether a packet gets through, tried with plain sockets."""

from __future__ import annotations

import socket

from tests.natlab.probe import Endpoint, bound
from tests.natlab.site import Host


def reaches(source: Host, target: Host, transport: str, port: int, endpoint: Endpoint) -> bool:
    """Whether what `source` sends to the endpoint arrives at this port of `target`."""
    kind = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}[transport]
    with bound(target, ("", port), kind) as receiver, bound(source, kind=kind) as sender:
        try:
            if transport == "udp":
                sender.sendto(b"reach", endpoint)
                return receiver.recv(100) == b"reach"
            receiver.listen()
            sender.connect(endpoint)
            accepted, _ = receiver.accept()
        except (TimeoutError, ConnectionRefusedError):
            return False
        accepted.close()
        return True


def reaches_v6(source: Host, target: Host, transport: str) -> bool:
    """Whether a packet arrives by IPv6 that nobody asked for."""
    kind = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}[transport]
    with target.socket(socket.AF_INET6, kind) as receiver, source.socket(socket.AF_INET6, kind) as sender:
        for one in (receiver, sender):
            one.settimeout(0.2)
        receiver.bind((target.ipv6, 0))
        try:
            if transport == "udp":
                sender.sendto(b"reach", receiver.getsockname())
                return receiver.recv(100) == b"reach"
            receiver.listen()
            sender.connect(receiver.getsockname())
        except TimeoutError:
            return False
        return True


def crosses_v6(one: Host, other: Host) -> bool:
    """Whether two UDP sockets that send to each other by IPv6 hear each other."""
    with one.socket(socket.AF_INET6) as first, other.socket(socket.AF_INET6) as second:
        first.bind((one.ipv6, 0))
        second.bind((other.ipv6, 0))
        for made in (first, second):
            made.settimeout(0.2)
        try:
            for _ in range(2):
                first.sendto(b"cross", second.getsockname())
                second.sendto(b"cross", first.getsockname())
            return first.recv(100) == second.recv(100) == b"cross"
        except TimeoutError:
            return False
