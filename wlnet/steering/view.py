"""What is known of one peer when a plan is made."""

from __future__ import annotations

from msgspec import Struct

from wlnet.limits.addresses import address_key, parse_address
from wlnet.steering.model import (
    Allocation,
    Behaviour,
    Candidate,
    CandidateKind,
    Family,
    Filtering,
    Mapping,
    Transport,
)

_UNMEASURED = Behaviour()


class Measured(Struct, frozen=True, kw_only=True):
    """What was measured for one transport and family."""

    transport: Transport
    family: Family
    behaviour: Behaviour


class PeerView(Struct, frozen=True, kw_only=True):
    """One peer as the policy sees it.

    :ivar seen: addresses servers of ours saw the peer at, IPv4 and IPv6 (never what the peer only claims).
    :ivar udp: the peer can carry the game's traffic over UDP; *tcp*: over TCP.
    :ivar only_port: the only destination port its network lets out (443); 0: any.
    :ivar birthday: agrees to a birthday attempt (up to 1024 packets to random ports).
    :ivar relay_only: wants its address kept from others, or was told so by its owner.
    :ivar round_trip: to this server, seconds.
    """

    candidates: tuple[Candidate, ...] = ()
    measured: tuple[Measured, ...] = ()
    seen: tuple[str, ...] = ()
    udp: bool = True
    tcp: bool = True
    only_port: int = 0
    birthday: bool = False
    relay_only: bool = False
    round_trip: float = 0.1

    def behaviour(self, transport: Transport, family: Family) -> Behaviour:
        """What was measured; all unknown if nothing was."""
        for measured in self.measured:
            if measured.transport is transport and measured.family is family:
                return measured.behaviour
        return _UNMEASURED

    def supports(self, transport: Transport) -> bool:
        """The peer's program and its owner allow this transport."""
        return self.udp if transport is Transport.UDP else self.tcp

    def offers(self, transport: Transport, family: Family, kind: CandidateKind) -> tuple[Candidate, ...]:
        """The candidates of that transport, family and kind, in the peer's order."""
        return tuple(
            candidate
            for candidate in self.candidates
            if candidate.transport is transport
            and candidate.kind is kind
            and family_of(candidate.address) is family
        )

    def has(self, transport: Transport, family: Family) -> bool:
        """Packets of that transport and family can leave the peer's network, as far as we know."""
        # Where one TCP port gets out, the ports STUN was asked at show TCP as blocked.
        blocked = self.behaviour(transport, family).mapping is Mapping.BLOCKED
        if not self.supports(transport) or (blocked and not (self.only_port and transport is Transport.TCP)):
            return False
        return any(
            candidate.transport is transport and family_of(candidate.address) is family
            for candidate in self.candidates
        )

    def saw(self, address: str) -> bool:
        """A server of ours saw the peer at exactly that address."""
        return any(same_address(address, seen) for seen in self.seen)

    def reflexive(self, transport: Transport, family: Family) -> Candidate | None:
        """The outer endpoint of a socket kept for punching: as seen by us, or its own without translation."""
        for candidate in self.offers(transport, family, CandidateKind.SERVER_REFLEXIVE):
            if candidate.base_port:
                return candidate
        if self.behaviour(transport, family).mapping is Mapping.NONE:
            for candidate in self.offers(transport, family, CandidateKind.HOST):
                if is_public(candidate.address):
                    return candidate
        return None


def family_of(address: str) -> Family:
    """The IP family of an address literal.

    :raises ValueError: it is none.
    """
    return Family.V6 if parse_address(address).version == 6 else Family.V4


def same_address(one: str, other: str) -> bool:
    """Two ways to write one address are equal."""
    return parse_address(one) == parse_address(other)


def is_public(address: str) -> bool:
    """Packets to it cross the Internet (documentation prefixes count: laboratories use them)."""
    return parse_address(address).is_global or _in_documentation(address)


def _in_documentation(address: str) -> bool:
    """Prefixes of RFC 5737 and RFC 3849."""
    text = str(parse_address(address))
    return text.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"))


def same_site(one: PeerView, other: PeerView, family: Family) -> bool:
    """Both were seen at the same public address (IPv6: in the same /64), so they may share a LAN."""
    mine = {address_key(address) for address in one.seen if family_of(address) is family}
    theirs = {address_key(address) for address in other.seen if family_of(address) is family}
    return bool(mine & theirs)


def is_easy(behaviour: Behaviour) -> bool:
    """One outer port for all destinations; not measured counts as yes, the outcome decides."""
    return behaviour.mapping in {Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT, Mapping.UNKNOWN}


def lets_all_in(behaviour: Behaviour) -> bool:
    """Whoever knows the outer endpoint gets through."""
    return behaviour.mapping in {Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT} and (
        behaviour.filtering is Filtering.ENDPOINT_INDEPENDENT
    )


def lets_address_in(behaviour: Behaviour) -> bool:
    """Known outer endpoint, and a packet to an address lets all its ports in."""
    return behaviour.mapping in {Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT} and behaviour.filtering in {
        Filtering.ENDPOINT_INDEPENDENT,
        Filtering.ADDRESS_DEPENDENT,
    }


def counts_up(behaviour: Behaviour, farthest_step: int) -> bool:
    """The next outer ports can be told from the last one."""
    return behaviour.allocation is Allocation.SEQUENTIAL and 0 < abs(behaviour.step) <= farthest_step
