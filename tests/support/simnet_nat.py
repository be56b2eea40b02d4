"""Routers of the simulated network: a NAT for IPv4, a firewall for IPv6, and the LAN behind them."""

from __future__ import annotations

from enum import StrEnum

from tests.support.nat import Nat
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, Filtering, Mapping


class Protocol(StrEnum):
    UDP = "udp"
    TCP = "tcp"


class SimNat:
    """Hosts behind the same one are one LAN: they reach each other by their own addresses.

    :param public: the external address.
    :param mapping: ``NONE``: hosts have public addresses and only the filter is there; ``BLOCKED``: nothing
        gets out.
    :param blocks: protocols that do not get out at all.
    :param v6: what a firewall lets in over IPv6; None: everything.
    """

    def __init__(
        self,
        public: str = "198.51.100.7",
        mapping: Mapping = Mapping.ENDPOINT_INDEPENDENT,
        filtering: Filtering = Filtering.ADDRESS_AND_PORT_DEPENDENT,
        allocation: Allocation = Allocation.PRESERVING,
        *,
        step: int = 1,
        hairpin: bool = False,
        blocks: frozenset[Protocol] = frozenset(),
        v6: Filtering | None = None,
        seed: int = 1,
    ) -> None:
        self.public = public
        self.mapping = mapping
        self.filtering = filtering
        self.allocation = allocation
        self.step = step
        self.hairpin = hairpin
        self.blocks = blocks
        self.v6 = v6
        self.seed = seed
        self.forwards: dict[tuple[Protocol, int], Endpoint] = {}
        self.forget()

    def forget(self) -> None:
        """Restarted: no mapping is left, and those to come may get other ports."""
        self.seed += 1
        self._tables = {
            protocol: Nat(
                self.mapping, self.filtering, self.allocation, step=self.step, seed=self.seed + number
            )
            for number, protocol in enumerate(Protocol)
        }
        self._flows: dict[tuple[Protocol, Endpoint], set[Endpoint]] = {}

    def forward(self, protocol: Protocol, port: int, inside: Endpoint) -> None:
        """Open *port* to everybody, as a mapping protocol does on request."""
        self.forwards[protocol, port] = inside

    def out(self, protocol: Protocol, local: Endpoint, destination: Endpoint) -> Endpoint | None:
        """The external endpoint of a packet on its way out; None: it does not get out."""
        if protocol in self.blocks:
            return None
        if ":" in local.host or self.mapping is Mapping.NONE:
            self._flows.setdefault((protocol, local), set()).add(destination)
            return local
        for (kind, port), inside in self.forwards.items():
            if kind is protocol and inside == local:
                return Endpoint(self.public, port)
        external = self._tables[protocol].out(local, destination)
        return None if external is None else Endpoint(self.public, external.port)

    def into(self, protocol: Protocol, destination: Endpoint, source: Endpoint) -> Endpoint | None:
        """Who inside gets a packet from outside; None: nobody."""
        if ":" in destination.host or self.mapping is Mapping.NONE:
            return destination if self._lets_in(protocol, destination, source) else None
        forwarded = self.forwards.get((protocol, destination.port))
        return forwarded or self._tables[protocol].into(destination.port, source)

    def _lets_in(self, protocol: Protocol, destination: Endpoint, source: Endpoint) -> bool:
        if self.forwards.get((protocol, destination.port)) == destination:
            return True
        filtering = self.v6 if ":" in destination.host else self.filtering
        flows = self._flows.get((protocol, destination), set())
        if filtering is None:
            return True
        if filtering is Filtering.ENDPOINT_INDEPENDENT:
            return bool(flows)
        if filtering is Filtering.ADDRESS_DEPENDENT:
            return any(flow.host == source.host for flow in flows)
        return source in flows
