"""Reference puncher, UDP: plain sockets of this process on both hosts."""

from __future__ import annotations

import functools
import random
import select
import socket
from contextlib import ExitStack

from tests.natlab.probe import Endpoint, bound, seen, udp_servers
from tests.natlab.punch import STEPS, Gathered, Tricks, hops_below_core
from tests.natlab.site import Server, Site

ROUNDS = 5
ROUND = 0.012
KNOCK = b"knock"
HEARD = b"heard"


class Side:
    """One peer's socket in an attempt."""

    def __init__(self, site: Site, made: socket.socket) -> None:
        self.site = site
        self.socket = made
        self.heard = False
        self.learned: set[Endpoint] = set()

    def gather(self, servers: list[socket.socket]) -> Gathered | None:
        """Ask two addresses of the server; None if UDP does not get there."""
        first = seen(self.socket, servers[0])
        second = seen(self.socket, servers[3]) if first else None
        if first is None or second is None:
            return None
        return Gathered(self.socket.getsockname()[1], first, second)

    def knock(self, targets: list[Endpoint], hops: int = 64) -> None:
        """Send to all, not further than this many hops."""
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        for target in targets:
            try:
                self.socket.sendto(KNOCK, target)
            except OSError:
                continue  # the router refused an earlier one, or answers from port 0
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)

    def answer(self, expected: list[Endpoint] | None) -> None:
        """Take all that came from where it is expected (None: from anywhere) and answer it."""
        self.socket.setblocking(False)
        while True:
            try:
                data, source = self.socket.recvfrom(100)
            except BlockingIOError:
                return
            except OSError:
                continue
            if expected is not None and source not in expected:
                continue
            if data == HEARD:
                self.heard = True
            elif data == KNOCK:
                self.learned.add(source)
                self.socket.sendto(HEARD, source)


def _wait(sides: list[Side], seconds: float) -> None:
    select.select([side.socket for side in sides], [], [], seconds)


@functools.cache
def asks(server: Server, site: Site) -> bool:
    """Whether a host there gets an answer from the server at all."""
    with udp_servers(server) as servers, bound(site.host) as one:
        return seen(one, servers[0]) is not None


def one_sided(server: Server, target: Site, source: Site, *, direct: bool = False) -> bool:
    """Whether `source` reaches `target` where the server saw it (direct: at its own address)."""
    with udp_servers(server) as servers, bound(target.host) as to, bound(source.host) as by:
        one, other = Side(target, to), Side(source, by)
        endpoint: Endpoint = (target.public_ipv4, to.getsockname()[1])
        if not direct:
            gathered = one.gather(servers)
            if gathered is None:
                return False
            endpoint = gathered.first
        for _ in range(ROUNDS):
            other.knock([endpoint])
            for _ in range(2):
                _wait([one, other], ROUND / 2)
                one.answer(None)
                other.answer([endpoint])
            if other.heard:
                return True
    return False


def two_sided(server: Server, one: Site, other: Site, tricks: Tricks, *, rounds: int = ROUNDS) -> bool:
    """Whether both, sending at the same time, reach each other."""
    with udp_servers(server) as servers, bound(one.host) as first, bound(other.host) as second:
        sides = [Side(one, first), Side(other, second)]
        gathered = [side.gather(servers) for side in sides]
        if gathered[0] is None or gathered[1] is None:
            return False
        targets = [peer.candidates(tricks, STEPS["udp"]) for peer in (gathered[1], gathered[0])]
        # The first packets open the own router and end before the peer's, which might take them amiss.
        for side, candidates in zip(sides, targets, strict=True):
            side.knock(candidates, hops_below_core(side.site))
        for _ in range(rounds):
            for side, candidates in zip(sides, targets, strict=True):
                side.knock([*candidates, *side.learned.difference(candidates)])
            for _ in range(2):
                _wait(sides, ROUND / 2)
                for side, candidates in zip(sides, targets, strict=True):
                    side.answer(None if tricks.learn else candidates)
            if all(side.heard for side in sides):
                return True
    return False


def birthday(server: Server, easy: Site, hard: Site, sockets: int = 256, sprayed: int = 1024) -> bool:
    """Whether one of many sockets of the hard side meets one of the ports the easy side guesses."""
    with ExitStack() as stack:
        servers = stack.enter_context(udp_servers(server))
        side = Side(easy, stack.enter_context(bound(easy.host)))
        gathered = side.gather(servers)
        if gathered is None:
            return False
        many = [Side(hard, stack.enter_context(bound(hard.host))) for _ in range(sockets)]
        side.knock([(hard.public_ipv4, port) for port in random.sample(range(1024, 65536), sprayed)])
        for _ in range(ROUNDS):
            for one in many:
                one.knock([gathered.first])
            _wait([side, *many], ROUND)
            side.answer(None)
            for one in many:
                one.answer([gathered.first])
            if any(one.heard for one in many):
                return True
    return False
