"""Techniques in which one side simply sends to an address the other can be reached at.

Each takes a pairing and gives a draft, or the reason why it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from wlnet.limits.addresses import address_key
from wlnet.steering.model import Candidate, CandidateKind, Family, Mapping, Side
from wlnet.steering.orders import Act, Order, SocketRule, Target
from wlnet.steering.rules import Draft, Pairing, Verdict, other
from wlnet.steering.view import is_public, lets_all_in

_MAX_TARGETS = 8
"""Addresses of one side tried in one step."""

_Found = list[Candidate] | str


def lan(pairing: Pairing) -> Verdict:
    """Both are seen at one public address: try each other's own addresses."""
    if not pairing.same_site:
        return "The two are seen at different public addresses, so they share no LAN."
    return _draft(pairing, {side: _lan_candidates(pairing, side) for side in Side}, "They may share a LAN.")


def public(pairing: Pairing) -> Verdict:
    """The guest sends to the host's own public address, which a server of ours has reached."""
    found = _verified_public(pairing, Side.HOST)
    return _draft(
        pairing, {Side.HOST: found, Side.GUEST: ""}, "The host's own public address was reached from outside."
    )


def reversal(pairing: Pairing) -> Verdict:
    """The host sends to the guest's own public address, which a server of ours has reached."""
    found = _verified_public(pairing, Side.GUEST)
    return _draft(
        pairing,
        {Side.GUEST: found, Side.HOST: ""},
        "The guest's own public address was reached from outside.",
    )


def mapped(pairing: Pairing) -> Verdict:
    """A router gave a port mapping that a server of ours has reached."""
    problem = pairing.hairpin_problem()
    if problem is not None:
        return problem
    return _draft(
        pairing,
        {side: _mappings(pairing, side) for side in Side},
        "A port mapping granted by the router was reached from outside.",
    )


def reflexive(pairing: Pairing) -> Verdict:
    """A NAT lets everybody in who knows the outer endpoint."""
    problem = pairing.hairpin_problem()
    if problem is not None:
        return problem
    return _draft(
        pairing,
        {side: _let_in(pairing, side) for side in Side},
        "Packets from anywhere to the outer endpoint are let in.",
    )


# -- whose addresses can be reached ------------------------------------------------------------------


def _lan_candidates(pairing: Pairing, side: Side) -> _Found:
    peer = pairing.peer(side)
    own = [
        candidate
        for candidate in peer.offers(pairing.transport, pairing.family, CandidateKind.HOST)
        if _is_local(candidate.address, peer.seen, pairing.family)
    ]
    return own or f"The {side} named no address of its own."


def _is_local(address: str, seen: Iterable[str], family: Family) -> bool:
    """Private, or (IPv6) in the network the peer is seen in."""
    if not is_public(address):
        return True
    return family is Family.V6 and address_key(address) in {address_key(one) for one in seen}


def _verified_public(pairing: Pairing, side: Side) -> _Found:
    own = [
        candidate
        for candidate in pairing.peer(side).offers(pairing.transport, pairing.family, CandidateKind.HOST)
        if is_public(candidate.address)
    ]
    if not own:
        return f"The {side} has no public address of its own."
    return [candidate for candidate in own if candidate.verified] or (
        f"The {side}'s public address could not be reached from outside."
    )


def _mappings(pairing: Pairing, side: Side) -> _Found:
    peer = pairing.peer(side)
    granted = peer.offers(pairing.transport, pairing.family, CandidateKind.MAPPED)
    if not granted:
        return f"The {side}'s router granted no port mapping."
    honest = [candidate for candidate in granted if peer.saw(candidate.address)]
    if not honest:
        return f"The {side}'s router names another outer address than the one we see."
    return [candidate for candidate in honest if candidate.verified] or (
        f"The {side}'s port mapping could not be reached from outside."
    )


def _let_in(pairing: Pairing, side: Side) -> _Found:
    behaviour = pairing.behaviour(side)
    if behaviour.mapping is Mapping.BLOCKED:
        return f"The {side}'s network lets no {pairing.transport.value.upper()} out."
    if not lets_all_in(behaviour):
        return f"The {side}'s NAT or firewall lets in only whom it was sent to."
    candidate = pairing.peer(side).reflexive(pairing.transport, pairing.family)
    return [candidate] if candidate is not None else f"The {side} named no outer endpoint."


# -- orders ------------------------------------------------------------------------------------------


def _draft(pairing: Pairing, reachable: dict[Side, _Found], why: str) -> Verdict:
    """Each side opens to what can be reached of the other one; a text in *reachable* says why nothing can."""
    orders: dict[Side, Order] = {}
    problems: list[str] = []
    for side in Side:
        found = reachable[side]
        if isinstance(found, str):
            if found:
                problems.append(found)
            continue
        opener = other(side)
        problem = exit_problem(pairing, opener)
        targets = allowed(pairing, opener, [Target(one.address, one.port) for one in found])
        if problem is not None:
            problems.append(problem)
        elif not targets:
            problems.append(_only_port(pairing, opener))
        else:
            orders[opener] = _open(pairing, targets[:_MAX_TARGETS])
            awaiting = tuple(sorted({one.base_port or one.port for one in found}))[:_MAX_TARGETS]
            orders.setdefault(side, Order(act=Act.AWAIT, local_ports=awaiting, listen=pairing.tcp))
    if not any(order.act is Act.OPEN for order in orders.values()):
        return " ".join(dict.fromkeys(problems))
    return Draft(
        host=orders.get(Side.HOST),
        guest=orders.get(Side.GUEST),
        why=why,
        deadline=pairing.options.one_sided_deadline,
    )


def _open(pairing: Pairing, targets: list[Target]) -> Order:
    options = pairing.options
    rounds = 1 if pairing.tcp else int(options.one_sided_deadline / options.check_interval)
    return Order(
        act=Act.OPEN,
        socket=SocketRule.FRESH,
        targets=tuple(targets),
        pacing=options.pacing,
        repeat=0.0 if pairing.tcp else options.check_interval,
        budget=rounds * len(targets),
    )


def exit_problem(pairing: Pairing, side: Side) -> str | None:
    """Why nothing of this transport and family can leave *side*'s network."""
    peer, transport = pairing.peer(side), pairing.transport.value.upper()
    if not peer.supports(pairing.transport):
        return f"The {side} does not take {transport}."
    if not peer.has(pairing.transport, pairing.family):
        if pairing.behaviour(side).mapping is Mapping.BLOCKED:
            return f"The {side}'s network lets no {transport} out."
        return f"The {side} has no {transport} over IPv{pairing.family.value}."
    return None


def allowed(pairing: Pairing, opener: Side, targets: list[Target]) -> list[Target]:
    """The targets whose port *opener*'s network lets it send to."""
    only = pairing.peer(opener).only_port
    return [target for target in targets if not only or target.port == only]


def _only_port(pairing: Pairing, side: Side) -> str:
    return f"The {side}'s network lets out port {pairing.peer(side).only_port} only."
