"""The relay: first in time, last in preference. Each side takes the legs its network allows."""

from __future__ import annotations

from collections.abc import Iterator

from wlnet.steering.model import Family, Mapping, Side, Technique, Transport
from wlnet.steering.orders import Act, Order, SocketRule, Target
from wlnet.steering.rules import Draft, PlanOptions, RelayPlace, Verdict
from wlnet.steering.view import PeerView

LEGS: tuple[tuple[Technique, Transport], ...] = (
    (Technique.RELAY_UDP, Transport.UDP),
    (Technique.RELAY_TCP, Transport.TCP),
    (Technique.RELAY_TLS, Transport.TCP),
)
"""Best first. The two sides of a pair need not use the same one."""


def relay_legs(
    host: PeerView, guest: PeerView, options: PlanOptions
) -> Iterator[tuple[Technique, Transport, Verdict]]:
    """A verdict for each way to the relay."""
    begun = dict.fromkeys(Side, 0)
    for technique, transport in LEGS:
        if options.relay is None:
            yield technique, transport, "This server has no relay for pairs."
            continue
        orders: dict[Side, Order] = {}
        problems: list[str] = []
        for side, peer in ((Side.HOST, host), (Side.GUEST, guest)):
            port = _port(options.relay, technique)
            problem = _problem(technique, side, peer, port)
            if problem is not None:
                problems.append(problem)
                continue
            orders[side] = Order(
                act=Act.OPEN,
                socket=SocketRule.FRESH,
                targets=tuple(Target(address, port) for address in options.relay.addresses),
                # The first leg starts at once, the others unless it has answered by then.
                start=round(begun[side] * options.relay_stagger, 4),
                repeat=0.0 if transport is Transport.TCP else options.check_interval * 2,
                budget=50,
            )
            begun[side] += 1
        if not orders:
            yield technique, transport, " ".join(dict.fromkeys(problems))
            continue
        yield (
            technique,
            transport,
            Draft(
                host=orders.get(Side.HOST),
                guest=orders.get(Side.GUEST),
                why="The relay is there for everybody; play starts here and moves on.",
                deadline=options.relay_deadline,
            ),
        )


def _port(place: RelayPlace, technique: Technique) -> int:
    if technique is Technique.RELAY_UDP:
        return place.udp_port
    return place.tcp_port if technique is Technique.RELAY_TCP else place.tls_port


def _problem(technique: Technique, side: Side, peer: PeerView, port: int) -> str | None:
    if not port:
        return "The relay does not offer it."
    transport = Transport.UDP if technique is Technique.RELAY_UDP else Transport.TCP
    if not peer.supports(transport):
        return f"The {side} does not take {transport.value.upper()}."
    if peer.only_port and (peer.only_port != port or technique is Technique.RELAY_UDP):
        return f"The {side}'s network lets out TCP port {peer.only_port} only."
    if technique is Technique.RELAY_UDP and _udp_blocked(peer):
        return f"The {side}'s network lets no UDP out."
    return None


def _udp_blocked(peer: PeerView) -> bool:
    """UDP was tried, and nothing came back over any family."""
    mappings = [peer.behaviour(Transport.UDP, family).mapping for family in Family]
    return Mapping.BLOCKED in mappings and all(
        mapping in {Mapping.BLOCKED, Mapping.UNKNOWN} for mapping in mappings
    )
