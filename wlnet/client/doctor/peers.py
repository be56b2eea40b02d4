"""Other players as one meets them, for the table of what to expect."""

from __future__ import annotations

from enum import StrEnum

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
from wlnet.steering.view import Measured, PeerView


class Typical(StrEnum):
    """Kinds of players, the easiest to reach first."""

    OPEN = "open"
    MAPPED = "mapped"
    EASY = "easy-nat"
    IPV6 = "ipv6-firewall"
    HARD = "hard-nat"
    UDP_BLOCKED = "udp-blocked"
    ONLY_443 = "only-443"


TITLES = {
    Typical.OPEN: "with a public address",
    Typical.MAPPED: "whose router opens ports",
    Typical.EASY: "behind an ordinary router",
    Typical.IPV6: "behind an ordinary router, with IPv6",
    Typical.HARD: "behind a hard NAT (mobile, carrier)",
    Typical.UDP_BLOCKED: "whose network blocks UDP",
    Typical.ONLY_443: "whose network lets out the web only",
}

# RFC 5737 and RFC 3849: nobody's.
_OUTER, _OUTER6, _INNER = "203.0.113.77", "2001:db8:77::77", "192.168.77.10"
_PORT = 40077

_OPEN = Behaviour(
    mapping=Mapping.NONE,
    filtering=Filtering.ENDPOINT_INDEPENDENT,
    allocation=Allocation.PRESERVING,
)
_FIREWALL = Behaviour(
    mapping=Mapping.NONE,
    filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT,
    allocation=Allocation.PRESERVING,
)
_EASY = Behaviour(
    mapping=Mapping.ENDPOINT_INDEPENDENT,
    filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT,
    allocation=Allocation.PRESERVING,
)
_HARD = Behaviour(
    mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT,
    filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT,
    allocation=Allocation.RANDOM,
)
_BLOCKED = Behaviour(mapping=Mapping.BLOCKED)


def typical(kind: Typical) -> PeerView:
    """A player of that kind."""
    if kind is Typical.OPEN:
        both = [_candidate(CandidateKind.HOST, one, _OUTER, verified=True) for one in Transport]
        return _view(both, _OPEN, _OPEN)
    if kind is Typical.ONLY_443:
        local = [_candidate(CandidateKind.HOST, one, _INNER) for one in Transport]
        return _view(local, _BLOCKED, Behaviour(), only_port=443)
    if kind is Typical.UDP_BLOCKED:
        return _view(_behind([Transport.TCP], _PORT), _BLOCKED, _EASY)
    if kind is Typical.HARD:
        return _view(_behind(list(Transport), _PORT + 4000), _HARD, _HARD)
    behind = _behind(list(Transport), _PORT)
    if kind is Typical.MAPPED:
        behind += [_candidate(CandidateKind.MAPPED, one, _OUTER, verified=True) for one in Transport]
    if kind is Typical.IPV6:
        behind += [_candidate(CandidateKind.HOST, one, _OUTER6) for one in Transport]
    return _view(behind, _EASY, _EASY, firewall6=kind is Typical.IPV6)


def _behind(transports: list[Transport], port: int) -> list[Candidate]:
    found = [_candidate(CandidateKind.HOST, one, _INNER) for one in transports]
    return found + [_candidate(CandidateKind.SERVER_REFLEXIVE, one, _OUTER, port=port) for one in transports]


def _candidate(
    kind: CandidateKind, transport: Transport, address: str, *, port: int = _PORT, verified: bool = False
) -> Candidate:
    return Candidate(
        kind=kind, transport=transport, address=address, port=port, base_port=_PORT, verified=verified
    )


def _view(
    candidates: list[Candidate],
    udp: Behaviour,
    tcp: Behaviour,
    *,
    only_port: int = 0,
    firewall6: bool = False,
) -> PeerView:
    measured = [
        Measured(transport=Transport.UDP, family=Family.V4, behaviour=udp),
        Measured(transport=Transport.TCP, family=Family.V4, behaviour=tcp),
    ]
    if firewall6:
        measured += [Measured(transport=one, family=Family.V6, behaviour=_FIREWALL) for one in Transport]
    seen = (_OUTER, _OUTER6) if firewall6 else (_OUTER,)
    return PeerView(candidates=tuple(candidates), measured=tuple(measured), seen=seen, only_port=only_port)
