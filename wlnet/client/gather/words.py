"""What is asked of the survey and of gatherings, and what they know."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from wlnet.protocols.exchange.messages import Candidates
from wlnet.protocols.stun.findings import Finding
from wlnet.steering.model import Allocation, Behaviour, Family, Mapping, Transport
from wlnet.steering.view import Measured

WEB_PORT = 443
KNOCK, KNOCK_SIZE = 0x23, 17
"""First byte of the server's test packet, a token follows; its size."""
OBSERVE, OBSERVED = 0x24, 0x25
"""First bytes of the packet that shows where we come from, and of its answer."""


class ServerPlace(Struct, frozen=True, kw_only=True):
    """Where the server answers STUN.

    :ivar addresses: IP literals; the first one of each family that has a route is asked.
    :ivar lobby_port: port our connection to the lobby goes to; 443 shows that this port can be reached.
    """

    addresses: tuple[str, ...]
    stun_port: int = 3478
    second_port: int = 3479
    lobby_port: int = 0


class GatherOptions(Struct, frozen=True, kw_only=True):
    """What the player allows.

    :ivar udp: carry the game over UDP; *tcp*: over TCP.
    :ivar birthday: agree to trying many random ports.
    :ivar relay_only: tell nobody our addresses.
    :ivar mappings: ask the router for port mappings.
    :ivar web_port: if a public address is ours, be reachable at TCP 443 as well: players in some networks
        can connect to nothing else.
    """

    udp: bool = True
    tcp: bool = True
    birthday: bool = False
    relay_only: bool = False
    mappings: bool = True
    web_port: bool = True

    def takes(self, transport: Transport) -> bool:
        """Whether that transport is allowed."""
        return self.udp if transport is Transport.UDP else self.tcp


class GatheringEvents(Protocol):
    """Who asked for a gathering hears of it here, never within a call to it."""

    def gathered(self, candidates: Candidates) -> None:
        """What is known by now, for the attempt; said again when there is more."""

    def probed(self, token: str) -> None:
        """The server's test packet with that token arrived."""


Line = tuple[Transport, Family]
"""A transport over a family."""


class Survey(Struct, frozen=True, kw_only=True):
    """What is known of our network.

    :ivar findings: of discoveries, what is known by now of those under way.
    :ivar blocked: where nothing came back so far, or ever.
    :ivar running: discoveries under way.
    :ivar hops: to the server, of families where that is known.
    :ivar seen: where the server sees us.
    :ivar only_port: 443 if nothing else gets out, else 0.
    """

    findings: tuple[Finding, ...] = ()
    blocked: frozenset[Line] = frozenset()
    running: int = 0
    hops: dict[Family, int] = {}
    seen: tuple[str, ...] = ()
    only_port: int = 0

    @property
    def complete(self) -> bool:
        """Nothing more is found out now."""
        return self.running == 0

    def finding(self, transport: Transport, family: Family) -> Finding | None:
        """What was found out about that line; None: nothing yet."""
        for finding in self.findings:
            if finding.transport is transport and finding.family is family:
                return finding
        return None

    def is_blocked(self, transport: Transport, family: Family) -> bool:
        """Nothing comes back on that line."""
        return (transport, family) in self.blocked

    @property
    def counts(self) -> bool:
        """Some NAT of ours counts ports up, or we do not know: the order of flows matters."""
        return (
            any(
                one.behaviour.allocation in (Allocation.SEQUENTIAL, Allocation.UNKNOWN)
                and one.behaviour.mapping not in (Mapping.BLOCKED, Mapping.NONE)
                for one in self.findings
            )
            or not self.findings
        )

    def measured(self) -> tuple[Measured, ...]:
        """As the rendezvous is told."""
        told = [
            Measured(transport=one.transport, family=one.family, behaviour=one.behaviour)
            for one in self.findings
        ]
        known = {(one.transport, one.family) for one in told}
        told += [
            Measured(transport=transport, family=family, behaviour=Behaviour(mapping=Mapping.BLOCKED))
            for transport, family in sorted(self.blocked)
            if (transport, family) not in known
        ]
        return tuple(told)

    def primer_hops(self, family: Family) -> int | None:
        """A TTL that reaches out of our network and not into anybody else's; None: not known.

        Paths to peers leave our network as the one to the server does, so what ends before the server
        ends before a peer's NAT, mostly.
        """
        hops = self.hops.get(family, 0)
        return hops - 1 if hops > 1 else None
