"""The policy: from what is known of two peers, what to race and what to leave out.

Nothing here classifies NATs. Each technique looks at what it needs; the outcome decides. Everything that is
not left out is raced, the relay first in time, and the best path that works is used.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from wlnet.steering.model import Family, PathKind, Technique, Transport
from wlnet.steering.orders import Plan, Skipped, Step
from wlnet.steering.rules import Draft, Pairing, PlanOptions, Verdict
from wlnet.steering.techniques_open import lan, mapped, public, reflexive, reversal
from wlnet.steering.techniques_punch import birthday, learned_port, local_port, prediction, punch
from wlnet.steering.techniques_relay import relay_legs
from wlnet.steering.view import PeerView

_Row = tuple[PathKind, Technique, Technique, Callable[[Pairing], Verdict]]

TECHNIQUES: tuple[_Row, ...] = (
    # path           over UDP                over TCP                who judges
    (PathKind.DIRECT, Technique.LAN, Technique.LAN, lan),
    (PathKind.DIRECT, Technique.PUBLIC, Technique.PUBLIC, public),
    (PathKind.DIRECT, Technique.REVERSAL, Technique.REVERSAL, reversal),
    (PathKind.MAPPED, Technique.MAPPED, Technique.MAPPED, mapped),
    (PathKind.PUNCHED, Technique.REFLEXIVE, Technique.REFLEXIVE, reflexive),
    (PathKind.PUNCHED, Technique.PUNCH, Technique.TCP_PUNCH, punch),
    (PathKind.PUNCHED, Technique.LOCAL_PORT, Technique.LOCAL_PORT, local_port),
    (PathKind.PUNCHED, Technique.PREDICTION, Technique.PREDICTION, prediction),
    (PathKind.PUNCHED, Technique.LEARNED_PORT, Technique.LEARNED_PORT, learned_port),
    (PathKind.PUNCHED, Technique.BIRTHDAY, Technique.BIRTHDAY, birthday),
)
"""Best first within a transport and family."""

_KINDS = tuple(PathKind)
_FAMILIES = (Family.V6, Family.V4)


def make_plan(host: PeerView, guest: PeerView, options: PlanOptions) -> Plan:
    """What *host* and *guest* race, and what is left out and why.

    Order of preference: the kind of path, the LAN, UDP before TCP, IPv6 before IPv4, then the order of
    :data:`TECHNIQUES`. Families neither side has anything of are not mentioned.
    """
    steps: list[tuple[tuple[int, ...], Step]] = []
    skipped: list[Skipped] = []

    def judged(
        kind: PathKind,
        technique: Technique,
        transport: Transport,
        family: Family | None,
        row: int,
        verdict: Verdict,
    ) -> None:
        if not isinstance(verdict, Draft):
            skipped.append(Skipped(technique=technique, transport=transport, family=family, reason=verdict))
            return
        rank = (
            _KINDS.index(kind),
            technique is not Technique.LAN,
            transport is Transport.TCP,
            family is Family.V4,
            row,
        )
        steps.append((rank, _step(kind, technique, transport, family, verdict)))

    hidden = _hidden(host, guest)
    for transport in Transport:
        for family in _FAMILIES:
            if not (_mentions(host, transport, family) or _mentions(guest, transport, family)):
                continue
            pairing = Pairing(host, guest, transport, family, options)
            for row, (kind, over_udp, over_tcp, judge) in enumerate(TECHNIQUES):
                technique = over_tcp if transport is Transport.TCP else over_udp
                judged(kind, technique, transport, family, row, hidden or judge(pairing))
    for row, (technique, transport, verdict) in enumerate(relay_legs(host, guest, options)):
        judged(PathKind.RELAYED, technique, transport, None, row, verdict)

    steps.sort(key=lambda ranked: ranked[0])
    return Plan(
        steps=tuple(_preferred(step, place) for place, (_, step) in enumerate(steps, 1)),
        skipped=tuple(skipped),
    )


def _hidden(host: PeerView, guest: PeerView) -> str | None:
    for name, peer in (("host", host), ("guest", guest)):
        if peer.relay_only:
            return f"The {name} wants to be reached through the relay only."
    return None


def _mentions(peer: PeerView, transport: Transport, family: Family) -> bool:
    return peer.has(transport, family) or any(
        measured.transport is transport and measured.family is family for measured in peer.measured
    )


def _step(
    kind: PathKind, technique: Technique, transport: Transport, family: Family | None, draft: Draft
) -> Step:
    return Step(
        technique=technique,
        transport=transport,
        family=family,
        kind=kind,
        preference=0,
        deadline=draft.deadline,
        guess=draft.guess,
        why=draft.why,
        host=draft.host,
        guest=draft.guest,
    )


def _preferred(step: Step, place: int) -> Step:
    return replace(step, preference=place)
