"""A NAT and a network in memory, with the server's real responder behind it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from tests.support.stun import Server
from wlnet.protocols.stun.discovery import BehaviourDiscovery
from wlnet.protocols.stun.findings import Finding
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, Filtering, Mapping

PUBLIC = "198.51.100.7"
PRIVATE = "192.168.1.10"


class Nat:
    """Translates as RFC 4787 describes.

    :param step: of a sequential allocation.
    """

    def __init__(
        self,
        mapping: Mapping = Mapping.ENDPOINT_INDEPENDENT,
        filtering: Filtering = Filtering.ADDRESS_AND_PORT_DEPENDENT,
        allocation: Allocation = Allocation.PRESERVING,
        *,
        step: int = 1,
        hairpin: bool = False,
        seed: int = 1,
    ) -> None:
        self.mapping = mapping
        self.filtering = filtering
        self.allocation = allocation
        self.step = step
        self.hairpin = hairpin
        self.random = Random(seed)
        self.next_port = 30000
        self.mappings: dict[tuple[object, ...], int] = {}
        self.inside: dict[int, Endpoint] = {}
        self.contacted: dict[int, set[Endpoint]] = {}

    @property
    def host(self) -> str:
        """What hosts inside have for an address."""
        return PUBLIC if self.mapping is Mapping.NONE else PRIVATE

    def out(self, local: Endpoint, destination: Endpoint) -> Endpoint | None:
        """The external endpoint of a packet on its way out."""
        if self.mapping is Mapping.BLOCKED:
            return None
        key: tuple[object, ...] = (local,)
        if self.mapping is Mapping.ADDRESS_DEPENDENT:
            key = (local, destination.host)
        elif self.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT:
            key = (local, destination)
        port = self.mappings.get(key)
        if port is None:
            port = self.mappings[key] = self._new_port(local)
            self.inside[port] = local
        self.contacted.setdefault(port, set()).add(destination)
        return Endpoint(PUBLIC, port)

    def into(self, port: int, source: Endpoint) -> Endpoint | None:
        """Who inside gets a packet from outside."""
        contacted = self.contacted.get(port, set())
        if self.filtering is Filtering.ADDRESS_DEPENDENT and source.host not in {
            one.host for one in contacted
        }:
            return None
        if self.filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT and source not in contacted:
            return None
        return self.inside.get(port)

    def _new_port(self, local: Endpoint) -> int:
        if self.mapping is Mapping.NONE or self.allocation is Allocation.PRESERVING:
            taken = local.port in self.inside
            return local.port if not taken else self.random.randint(1024, 65535)
        if self.allocation is Allocation.SEQUENTIAL:
            self.next_port += self.step
            return self.next_port
        return self.random.randint(1024, 65535)


class Network:
    """Carries datagrams between a discovery behind a NAT and a server.

    :param lost: asked for each datagram whether it is lost.
    :param delay: seconds one way.
    """

    def __init__(
        self, server: Server, nat: Nat, *, delay: float = 0.02, lost: Callable[[], bool] = lambda: False
    ) -> None:
        self.server = server
        self.nat = nat
        self.delay = delay
        self.lost = lost
        self.now = 1000.0
        self.sent = 0
        self._queue: list[tuple[float, int, int, bytes, Endpoint]] = []
        self._order = count()

    def locals(self, number: int) -> list[Endpoint]:
        """Endpoints of sockets inside; their ports follow no order."""
        return [Endpoint(self.nat.host, 40000 + one * 7919 % 1000) for one in range(number)]

    def run(self, discovery: BehaviourDiscovery, locals_: list[Endpoint]) -> Finding:
        """Drive *discovery* to its end."""
        while True:
            self._carry(discovery, locals_)
            if discovery.finding is not None:
                return discovery.finding
            deadline = discovery.next_deadline()
            assert deadline is not None
            if self._queue and self._queue[0][0] <= deadline:
                self.now, _, number, data, source = heapq.heappop(self._queue)
                discovery.receive(number, data, source, self.now)
            else:
                self.now = max(self.now, deadline)
                discovery.tick(self.now)

    def _carry(self, discovery: BehaviourDiscovery, locals_: list[Endpoint]) -> None:
        for number, data, destination in discovery.transmits():
            self.sent += 1
            source = self.nat.out(locals_[number], destination)
            if source is None or self.lost():
                continue
            if destination.host == PUBLIC:
                if self.nat.hairpin:
                    self._deliver(data, source, destination, locals_)
                continue
            answer = self.server.ask(data, source, destination)
            if answer is not None and not self.lost():
                self._deliver(answer.data, answer.origin, answer.destination, locals_)

    def _deliver(self, data: bytes, source: Endpoint, destination: Endpoint, locals_: list[Endpoint]) -> None:
        inside = self.nat.into(destination.port, source)
        if inside is not None:
            when = self.now + 2 * self.delay
            heapq.heappush(self._queue, (when, next(self._order), locals_.index(inside), data, source))
