"""Findings, concluded: sentences for a player."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wlnet.client.doctor.advice import advice
from wlnet.client.doctor.expectations import Expectation, expectations
from wlnet.client.doctor.findings import Findings
from wlnet.client.doctor.network_words import Remark, remarks
from wlnet.client.doctor.peers import Typical
from wlnet.steering.model import PathKind


class Verdict(StrEnum):
    """In one word."""

    EXCELLENT = "excellent"
    """Everybody reaches us without the relay, or nearly so."""
    GOOD = "good"
    """Most do."""
    RELAYED = "relayed"
    """Few do; with the others we play over the relay."""
    IMPOSSIBLE = "impossible"
    """There is no way to play here now."""


VERDICTS = {
    Verdict.EXCELLENT: "Excellent: you and nearly everybody reach each other without the relay.",
    Verdict.GOOD: "Good: with most players you get a direct connection, with the others the relay helps.",
    Verdict.RELAYED: "You can play, but mostly over the relay.",
    Verdict.IMPOSSIBLE: "You cannot play over this server now.",
}


class Report(Struct, frozen=True, kw_only=True):
    """What is shown.

    :ivar summary: the verdict as a sentence.
    :ivar network: what the network can do.
    :ivar expect: with each kind of player.
    :ivar advice: what to change, the most useful first; may be empty.
    """

    verdict: Verdict
    summary: str
    network: tuple[Remark, ...]
    expect: tuple[Expectation, ...]
    advice: tuple[str, ...]
    findings: Findings

    @property
    def playable(self) -> bool:
        """There is a way to play."""
        return self.verdict is not Verdict.IMPOSSIBLE


def conclude(findings: Findings) -> Report:
    """Pure: the same findings give the same report."""
    expect = expectations(findings)
    verdict = _verdict(findings, expect)
    return Report(
        verdict=verdict,
        summary=VERDICTS[verdict],
        network=remarks(findings),
        expect=expect,
        advice=advice(findings, expect),
        findings=findings,
    )


def _verdict(findings: Findings, expect: tuple[Expectation, ...]) -> Verdict:
    kinds = {one.peer: one.kind for one in expect}
    if not findings.lobby_reached or all(kind is None for kind in kinds.values()):
        return Verdict.IMPOSSIBLE
    own = {PathKind.DIRECT, PathKind.MAPPED, PathKind.PUNCHED}
    if kinds[Typical.HARD] in own and kinds[Typical.EASY] in own:
        return Verdict.EXCELLENT
    return Verdict.GOOD if kinds[Typical.EASY] in own else Verdict.RELAYED
