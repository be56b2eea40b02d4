"""What to expect with each kind of player: the steering policy's own plans, read."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from wlnet.client.doctor.findings import Findings
from wlnet.client.doctor.peers import Typical, typical
from wlnet.client.gather.words import WEB_PORT
from wlnet.steering.model import Family, PathKind, Technique, Transport
from wlnet.steering.orders import Plan, Step
from wlnet.steering.plan import make_plan
from wlnet.steering.rules import PlanOptions
from wlnet.steering.view import PeerView

_UNSURE = frozenset({Technique.BIRTHDAY})
"""Works often, not always, and both have to agree to it."""


_NO_RELAY = "Only the relay could help, and it does not answer."
_WORDS = (
    ("The host's", "Your"),
    ("the host's", "your"),
    ("The guest's", "The other's"),
    ("the guest's", "the other's"),
    ("The host does", "You do"),
    ("The host has", "You have"),
    ("The guest", "The other"),
)


class Expectation(Struct, frozen=True, kw_only=True):
    """Of one kind of player.

    :ivar kind: what finally carries the game; None: there is no way.
    :ivar perhaps: a better one that may come about.
    :ivar why: a sentence.
    """

    peer: Typical
    kind: PathKind | None = None
    technique: Technique | None = None
    transport: Transport | None = None
    family: Family | None = None
    perhaps: PathKind | None = None
    why: str = ""


def expectations(findings: Findings) -> tuple[Expectation, ...]:
    """One for each kind of player; the same whoever of the two hosts, except for words."""
    options = PlanOptions(relay=findings.relay())
    return tuple(
        _with_web_port(findings, options)
        if kind is Typical.ONLY_443
        else _expect(findings.view(), kind, options)
        for kind in Typical
    )


def _with_web_port(findings: Findings, options: PlanOptions) -> Expectation:
    """Where others reach us, port 443 may be had too when such a player comes; that was not tried."""
    us = findings.view()
    plain = _expect(us, Typical.ONLY_443, options)
    doors = [
        replace(one, port=WEB_PORT)
        for one in findings.candidates
        if one.verified and one.transport is Transport.TCP
    ]
    asked = _expect(replace(us, candidates=(*doors, *us.candidates)), Typical.ONLY_443, options)
    return replace(plain, perhaps=asked.kind) if asked.kind is not plain.kind else plain


def _expect(us: PeerView, kind: Typical, options: PlanOptions) -> Expectation:
    plan = make_plan(us, typical(kind), options)
    steps = _both_served(plan.steps)
    sure = next((step for step in steps if not _is_guess(step)), None)
    if sure is None:
        return Expectation(peer=kind, why=_reasons(plan) if options.relay else _NO_RELAY)
    better = [step for step in steps if step.preference < sure.preference and step.kind is not sure.kind]
    return Expectation(
        peer=kind,
        kind=sure.kind,
        technique=sure.technique,
        transport=sure.transport,
        family=sure.family,
        perhaps=better[0].kind if better else None,
        why=_yours(sure.why),
    )


def _both_served(steps: Iterable[Step]) -> list[Step]:
    """Without the relay unless both sides have a way to it."""
    steps = list(steps)
    legs = [step for step in steps if step.kind is PathKind.RELAYED]
    reached = any(leg.host for leg in legs) and any(leg.guest for leg in legs)
    return [step for step in steps if step.kind is not PathKind.RELAYED or (reached and step.host)]


def _is_guess(step: Step) -> bool:
    return step.guess or step.technique in _UNSURE


def _reasons(plan: Plan) -> str:
    relays = [one.reason for one in plan.skipped if one.technique.value.startswith("relay")]
    return _yours(" ".join(dict.fromkeys(relays))) or "There is no way between such a player and you."


def _yours(text: str) -> str:
    """The policy's words, to a player: in these plans he is the host."""
    for theirs, ours in _WORDS:
        text = text.replace(theirs, ours)
    return text
