"""Techniques in which both sides send, so that each one's packets open its own NAT for the other's.

Pitfalls they are built around: an early packet from outside can cost a side its port (so both start in the
same instant, after primers, from sockets used for nothing else); a TCP connect must not be closed and
repeated except after a reset; counted ports depend on the order of flows.
"""

from __future__ import annotations

import dataclasses

from msgspec.structs import replace

from wlnet.steering.model import Allocation, Candidate, Mapping, Side, Transport
from wlnet.steering.orders import Act, Order, SocketRule, Target
from wlnet.steering.rules import Draft, Pairing, Verdict, other
from wlnet.steering.techniques_open import exit_problem
from wlnet.steering.view import counts_up, is_easy, lets_address_in

_LOWEST_SPRAYED = 1024


def punch(pairing: Pairing) -> Verdict:
    """Both outer endpoints are the same for all destinations: each sends to the other's."""
    ends = _endpoints(pairing)
    if isinstance(ends, str):
        return ends
    for side in Side:
        if not is_easy(pairing.behaviour(side)):
            return f"The {side}'s NAT uses another port for each destination."
    orders = {
        side: _order(pairing, side, ends[side], [_target(ends[other(side)])], primer=True) for side in Side
    }
    return Draft(
        host=orders[Side.HOST],
        guest=orders[Side.GUEST],
        why="Both outer ports are known; packets sent at the same time open both NATs.",
        deadline=pairing.deadline(),
        guess=any(pairing.behaviour(side).mapping is Mapping.UNKNOWN for side in Side),
    )


def learned_port(pairing: Pairing) -> Verdict:
    """One side lets in by address: it opens for the other's address and learns the port from the packet."""
    ends = _endpoints(pairing)
    if isinstance(ends, str):
        return ends
    for easy in Side:
        hard = other(easy)
        if lets_address_in(pairing.behaviour(easy)) and not is_easy(pairing.behaviour(hard)):
            break
    else:
        return "It takes one side that lets in by address alone and one whose port is unknown."
    orders = {
        easy: _order(pairing, easy, ends[easy], [_target(ends[hard])]),
        hard: _order(pairing, hard, None, [_target(ends[easy])]),
    }
    return Draft(
        host=orders[Side.HOST],
        guest=orders[Side.GUEST],
        why=f"The {easy}'s NAT lets in by address, so the {hard}'s port need not be known.",
        deadline=pairing.deadline(),
    )


def local_port(pairing: Pairing) -> Verdict:
    """A port lost towards us may be kept towards the peer: try the outer address with the local port."""
    ends = _endpoints(pairing)
    if isinstance(ends, str):
        return ends
    farthest = pairing.options.farthest_step
    unknown = [
        behaviour
        for behaviour in (pairing.behaviour(side) for side in Side)
        if not (is_easy(behaviour) or counts_up(behaviour, farthest))
    ]
    if not unknown:
        return "Both ports are known or can be counted; no guess is needed."
    targets = {side: _likely(pairing, side, ends[side]) for side in Side}
    orders = {side: _order(pairing, side, ends[side], targets[other(side)], primer=True) for side in Side}
    return Draft(
        host=orders[Side.HOST],
        guest=orders[Side.GUEST],
        why="A port lost towards the server may be kept towards the peer.",
        deadline=pairing.deadline(),
        guess=any(behaviour.allocation is not Allocation.PRESERVING for behaviour in unknown),
    )


def prediction(pairing: Pairing) -> Verdict:
    """Ports that are counted up: try the next ones, both sides in the same order."""
    ends = _endpoints(pairing)
    if isinstance(ends, str):
        return ends
    for side in Side:
        behaviour = pairing.behaviour(side)
        if not (is_easy(behaviour) or counts_up(behaviour, pairing.options.farthest_step)):
            return f"The {side}'s next port cannot be told from the last one."
    if all(is_easy(pairing.behaviour(side)) for side in Side):
        return "Both outer ports are known; nothing has to be predicted."
    spent = _counted_by_udp(pairing)
    targets = {side: _likely(pairing, side, ends[side], spent[side]) for side in Side}
    orders = {side: _order(pairing, side, ends[side], targets[other(side)]) for side in Side}
    if any(spent.values()):
        # Both would be off by what the other transport opens meanwhile, each in the same direction.
        later = pairing.options.punch_deadline
        orders = {side: replace(order, start=round(order.start + later, 4)) for side, order in orders.items()}
    return Draft(
        host=orders[Side.HOST],
        guest=orders[Side.GUEST],
        why="Outer ports are counted up, so the next ones are known.",
        deadline=pairing.deadline(),
    )


def birthday(pairing: Pairing) -> Verdict:
    """Many sockets on the side with unknown ports, many random ports tried by the other one."""
    ends = _endpoints(pairing)
    if isinstance(ends, str):
        return ends
    options = pairing.options
    easy_sides = [side for side in Side if is_easy(pairing.behaviour(side))]
    if len(easy_sides) != 1:
        return "It takes one side with a known port and one with an unknown one."
    easy = easy_sides[0]
    hard = other(easy)
    problem = _birthday_problem(pairing, easy, ends[hard])
    if problem is not None:
        return problem
    seconds = options.birthday_ports / options.birthday_rate
    later = options.birthday_start
    spray = Order(
        act=Act.OPEN,
        socket=SocketRule.NAMED,
        local_ports=(_bound(ends[easy]),),
        targets=(_target(ends[hard]),),
        start=pairing.start_together(easy) + later,
        pacing=1 / options.birthday_rate,
        spray=options.birthday_ports,
        listen=pairing.tcp,
        budget=options.birthday_ports,
    )
    # Packets that arrive before a guess can cost the easy side its port towards their sender: until the spray
    # is over, only primers open the ports of the hard one.
    many = Order(
        act=Act.OPEN,
        socket=SocketRule.MANY,
        sockets=options.birthday_sockets,
        targets=(_target(ends[easy]),),
        start=round(pairing.start_together(hard) + later, 4),
        pacing=0.002,
        repeat=0.0 if pairing.tcp else 2.0,
        primer=0.0 if pairing.tcp else round(seconds, 4),
        listen=pairing.tcp,
        budget=options.birthday_sockets * (1 if pairing.tcp else 4),
    )
    orders = {easy: spray, hard: many}
    return Draft(
        host=orders[Side.HOST],
        guest=orders[Side.GUEST],
        why=f"With {options.birthday_sockets} open ports one of {options.birthday_ports} tries should meet.",
        deadline=round(seconds + options.punch_deadline, 2),
    )


def _birthday_problem(pairing: Pairing, easy: Side, hard_end: Candidate) -> str | None:
    hard = other(easy)
    if counts_up(pairing.behaviour(hard), pairing.options.farthest_step):
        return f"The {hard}'s next port can be predicted; no spray is needed."
    if lets_address_in(pairing.behaviour(easy)):
        return f"The {easy} learns the port from the packet; no spray is needed."
    for side in Side:
        if not pairing.peer(side).birthday:
            return f"The {side} has not agreed to try many ports."
    if pairing.options.birthday_spent:
        return "It was tried once for this pair."
    if not pairing.peer(hard).saw(hard_end.address):
        return f"No server of ours saw the {hard} at the address it names; nobody is sprayed on hearsay."
    return None


# -- parts -------------------------------------------------------------------------------------------


def _endpoints(pairing: Pairing) -> dict[Side, Candidate] | str:
    """The outer endpoint of each side's punching socket, or why two-sided techniques cannot be tried."""
    problem = pairing.hairpin_problem()
    if problem is not None:
        return problem
    ends: dict[Side, Candidate] = {}
    for side in Side:
        problem = exit_problem(pairing, side)
        if problem is not None:
            return problem
        if pairing.peer(side).only_port:
            return f"The {side}'s network lets out port {pairing.peer(side).only_port} only."
        end = pairing.peer(side).reflexive(pairing.transport, pairing.family)
        if end is None:
            return f"The {side} named no outer endpoint of a socket kept for this."
        ends[side] = end
    return ends


def _bound(end: Candidate) -> int:
    """The local port of the socket behind *end*."""
    return end.base_port or end.port


def _target(end: Candidate) -> Target:
    return Target(end.address, end.port)


def _counted_by_udp(pairing: Pairing) -> dict[Side, int]:
    """How many ports each side's NAT has counted on before TCP's turn, if both NATs count and UDP goes first.

    One counter for both transports is told from their last ports lying close together.
    """
    spent = dict.fromkeys(Side, 0)
    farthest = pairing.options.farthest_step
    udp = dataclasses.replace(pairing, transport=Transport.UDP)
    if not pairing.tcp or not all(counts_up(pairing.behaviour(side), farthest) for side in Side):
        return spent
    if not isinstance(prediction(udp), Draft):
        return spent
    for side in Side:
        step = pairing.behaviour(side).step
        ends = [one.peer(side).reflexive(one.transport, one.family) for one in (udp, pairing)]
        last = [end.port for end in ends if end is not None]
        between = (last[0] - last[-1]) // step
        if udp.behaviour(side).step == step and abs(between) <= farthest:
            spent[side] = pairing.options.predicted_udp + max(0, between)
    return spent


def _counted(pairing: Pairing, side: Side, end: Candidate, spent: int) -> list[Target]:
    """The ports *side*'s NAT will use next, nearest first, leaving out so many."""
    count = pairing.options.predicted_tcp if pairing.tcp else pairing.options.predicted_udp
    step = pairing.behaviour(side).step
    ports = [end.port + step * number for number in range(spent + 1, spent + count + 1)]
    return [Target(end.address, port) for port in ports if _LOWEST_SPRAYED <= port <= 65535]


def _likely(pairing: Pairing, side: Side, end: Candidate, spent: int = 0) -> list[Target]:
    """Where *side*'s next packets come from: the known port, the counted ones, or the local one.

    :param spent: counted ports that will be gone by then.
    """
    behaviour = pairing.behaviour(side)
    if is_easy(behaviour):
        return [_target(end)]
    if counts_up(behaviour, pairing.options.farthest_step):
        return _counted(pairing, side, end, spent)
    return [Target(end.address, _bound(end))]


def _order(
    pairing: Pairing, side: Side, end: Candidate | None, targets: list[Target], *, primer: bool = False
) -> Order:
    """Open to *targets* from the socket behind *end* (None: a fresh one), together with the other side."""
    options = pairing.options
    start = pairing.start_together(side)
    if pairing.tcp:
        # One pending connect a target; the kernel repeats the SYN. A low-TTL primer would be harmful.
        return Order(
            act=Act.OPEN,
            socket=SocketRule.NAMED if end is not None else SocketRule.FRESH,
            local_ports=(_bound(end),) if end is not None else (),
            targets=tuple(targets),
            start=start,
            pacing=0.0,
            listen=True,
            reset_retry=options.reset_retry,
            budget=int(options.tcp_punch_deadline / options.reset_retry) * len(targets),
        )
    lead = options.primer_lead if primer else 0.0
    rounds = int(options.punch_deadline / options.check_interval)
    return Order(
        act=Act.OPEN,
        socket=SocketRule.NAMED if end is not None else SocketRule.FRESH,
        local_ports=(_bound(end),) if end is not None else (),
        targets=tuple(targets),
        start=start,
        pacing=options.pacing if len(targets) > 1 else 0.0,
        repeat=options.check_interval if len(targets) == 1 else options.pacing * len(targets) + 0.5,
        primer=lead,
        budget=rounds * len(targets) if len(targets) == 1 else 8 * len(targets),
    )
