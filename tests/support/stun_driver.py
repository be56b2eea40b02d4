"""Drives the client machines with plain sockets; runs until the machine is done."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Callable

from wlnet.protocols.stun.discovery import SOCKETS, BehaviourDiscovery
from wlnet.protocols.stun.findings import Finding
from wlnet.protocols.stun.stream_discovery import StreamDiscovery
from wlnet.protocols.stun.wire import Endpoint

MakeSocket = Callable[[socket.AddressFamily, socket.SocketKind], socket.socket]


def identity() -> bytes:
    return os.urandom(12)


def discover_udp(
    server: Endpoint, second_port: int, make: MakeSocket = socket.socket, sockets: int = SOCKETS
) -> Finding:
    """What a NAT does to UDP.

    :param make: opens a socket, perhaps in another network namespace.
    """
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    opened = [make(family, socket.SOCK_DGRAM) for _ in range(sockets)]
    try:
        host = _own_host(server, make)
        for one in opened:
            one.bind(("", 0))
            one.setblocking(False)
        places = [Endpoint(host, one.getsockname()[1]) for one in opened]
        machine = BehaviourDiscovery(server, second_port, places, identity, time.monotonic())
        while machine.finding is None:
            for number, data, destination in machine.transmits():
                try:
                    opened[number].sendto(data, destination)
                except OSError:
                    pass  # no route, or an earlier datagram was rejected: as if lost
            deadline = machine.next_deadline() or 0.0
            readable, _, _ = select.select(opened, [], [], max(0.0, deadline - time.monotonic()))
            for one in readable:
                try:
                    data, source = one.recvfrom(4096)
                except OSError:
                    continue
                machine.receive(opened.index(one), data, Endpoint(*source[:2]), time.monotonic())
            machine.tick(time.monotonic())
        return machine.finding
    finally:
        for one in opened:
            one.close()


def discover_tcp(server: Endpoint, second_port: int, make: MakeSocket = socket.socket) -> Finding:
    """What a NAT does to TCP."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    machine = StreamDiscovery(server, second_port, identity, time.monotonic())
    opened: dict[int, socket.socket] = {}
    connecting: set[int] = set()
    ports: dict[int, int] = {}
    try:
        while machine.finding is None:
            for number, group, destination in machine.connects():
                one = make(family, socket.SOCK_STREAM)
                opened[number] = one
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                one.bind(("", ports.get(group, 0)))
                ports[group] = one.getsockname()[1]
                one.setblocking(False)
                if one.connect_ex(destination) == errno.EINPROGRESS:
                    connecting.add(number)
                else:
                    machine.failed(number, time.monotonic())
            wait = max(0.0, (machine.next_deadline() or 0.0) - time.monotonic())
            reading = [one for number, one in opened.items() if number not in connecting]
            writing = [opened[number] for number in connecting]
            readable, writable, _ = select.select(reading, writing, [], wait)
            numbers = {id(one): number for number, one in opened.items()}
            for one in writable:
                number = numbers[id(one)]
                connecting.discard(number)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    one.close()
                    del opened[number]
                    machine.failed(number, time.monotonic())
                else:
                    local = Endpoint(*one.getsockname()[:2])
                    one.sendall(machine.connected(number, local, time.monotonic()))
            for one in readable:
                number = numbers[id(one)]
                try:
                    data = one.recv(4096)
                except OSError:
                    data = b""
                if data:
                    machine.receive(number, data, time.monotonic())
                else:
                    one.close()
                    del opened[number]
                    machine.failed(number, time.monotonic())
            machine.tick(time.monotonic())
        return machine.finding
    finally:
        for one in opened.values():
            one.close()


def _own_host(server: Endpoint, make: MakeSocket) -> str:
    """The address the system uses towards the server, or the wildcard if it has no route."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with make(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(server)
        except OSError:
            return "::" if family == socket.AF_INET6 else "0.0.0.0"
        return str(probe.getsockname()[0])
