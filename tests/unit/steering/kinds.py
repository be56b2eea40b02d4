"""Peers behind the kinds of NAT that were measured in a laboratory, as the policy sees them."""

from __future__ import annotations

from itertools import count

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
from wlnet.steering.rules import PlanOptions, RelayPlace
from wlnet.steering.view import Measured, PeerView

UDP, TCP = Transport.UDP, Transport.TCP
EIM, APDM = Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT
EIF, ADF, APDF = (
    Filtering.ENDPOINT_INDEPENDENT,
    Filtering.ADDRESS_DEPENDENT,
    Filtering.ADDRESS_AND_PORT_DEPENDENT,
)
KEPT, COUNTED, RANDOM = Allocation.PRESERVING, Allocation.SEQUENTIAL, Allocation.RANDOM
BLOCKED = Behaviour(mapping=Mapping.BLOCKED)

RELAY = RelayPlace(addresses=("203.0.113.1", "2001:db8:1::1"), udp_port=3479, tcp_port=3479, tls_port=443)
OPTIONS = PlanOptions(relay=RELAY)


def nat(mapping: Mapping, filtering: Filtering, allocation: Allocation, step: int = 0) -> Behaviour:
    return Behaviour(mapping=mapping, filtering=filtering, allocation=allocation, step=step)


# name: (mapping, filtering, allocation, step), the same for UDP and TCP
BEHAVIOURS = {
    "open": nat(Mapping.NONE, EIF, KEPT),
    "open-fw": nat(Mapping.NONE, APDF, KEPT),
    "full-cone": nat(EIM, EIF, KEPT),
    "restricted": nat(EIM, ADF, KEPT),
    "port-restricted": nat(EIM, APDF, KEPT),
    "pr-reject": nat(EIM, APDF, KEPT),
    "pr-clash": nat(EIM, APDF, KEPT),
    "eim-remap": nat(EIM, APDF, RANDOM),
    # Some of its sockets keep their port, the one that talked to the server lost it.
    "pr-collide": nat(APDM, APDF, KEPT),
    "sym-seq": nat(APDM, APDF, COUNTED, 1),
    "sym-random": nat(APDM, APDF, RANDOM),
    "cgn": nat(EIM, APDF, RANDOM),
    "cgn-sym": nat(APDM, APDF, RANDOM),
    "upnp": nat(EIM, APDF, KEPT),
    "upnp-sym": nat(APDM, APDF, RANDOM),
    "upnp-cgn": nat(EIM, APDF, RANDOM),
    "udp-blocked": nat(EIM, APDF, KEPT),
    "tcp443": BLOCKED,
}

_numbers = count(1)


def peer(kind: str, *, own_443: bool = False, birthday: bool = True) -> PeerView:
    """A peer of that kind at an address of its own; *own_443*: it (or its router) has outer port 443."""
    number = next(_numbers) % 200 + 1
    outer, inner = f"198.51.100.{number}", "192.168.1.10"
    behaviour = BEHAVIOURS[kind]
    measured = [
        Measured(
            transport=UDP,
            family=Family.V4,
            behaviour=BLOCKED if kind in {"udp-blocked", "tcp443"} else behaviour,
        ),
        Measured(transport=TCP, family=Family.V4, behaviour=behaviour),
    ]
    candidates: list[Candidate] = []
    for transport in (UDP, TCP):
        if kind == "tcp443" or (kind == "udp-blocked" and transport is UDP):
            if transport is TCP:
                candidates.append(host(transport, inner, 40000))
            continue
        translated = behaviour.mapping is not Mapping.NONE
        own = inner if translated else outer
        candidates.append(host(transport, own, 40000, verified=kind == "open"))
        lost = behaviour.allocation is not KEPT or kind == "pr-collide"
        candidates.append(
            Candidate(
                kind=CandidateKind.SERVER_REFLEXIVE,
                transport=transport,
                address=outer,
                port=51000 if lost else 40000,
                base_port=40000,
            )
        )
        if kind.startswith("upnp"):
            candidates.append(
                Candidate(
                    kind=CandidateKind.MAPPED,
                    transport=transport,
                    address="100.64.0.9" if kind == "upnp-cgn" else outer,
                    port=40000,
                    base_port=40000,
                    verified=kind != "upnp-cgn",
                )
            )
        if own_443 and transport is TCP:
            mapped = kind.startswith("upnp")
            candidates.append(
                Candidate(
                    kind=CandidateKind.MAPPED if mapped else CandidateKind.HOST,
                    transport=TCP,
                    address=outer,
                    port=443,
                    base_port=40443,
                    verified=kind in {"open", "upnp", "upnp-sym"},
                )
            )
    return PeerView(
        candidates=tuple(candidates),
        measured=tuple(
            one
            if kind != "tcp443" or one.transport is UDP
            else Measured(transport=TCP, family=Family.V4, behaviour=Behaviour())
            for one in measured
        ),
        seen=(outer,),
        only_port=443 if kind == "tcp443" else 0,
        birthday=birthday,
    )


def host(transport: Transport, address: str, port: int, *, verified: bool = False) -> Candidate:
    return Candidate(
        kind=CandidateKind.HOST,
        transport=transport,
        address=address,
        port=port,
        base_port=port,
        verified=verified,
    )
