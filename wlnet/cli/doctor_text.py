"""The report of ``wlnet doctor`` for people."""

from __future__ import annotations

import textwrap

from wlnet.client.doctor.expectations import Expectation
from wlnet.client.doctor.network_words import Level
from wlnet.client.doctor.peers import TITLES
from wlnet.client.doctor.report import Report
from wlnet.steering.model import PathKind, Technique

WIDEST, NARROWEST = 100, 60
_MARKS = {Level.GOOD: "+", Level.PLAIN: ".", Level.BAD: "!"}
_KINDS = {
    PathKind.DIRECT: "direct",
    PathKind.MAPPED: "direct, through a mapped port",
    PathKind.PUNCHED: "direct, by hole punching",
    PathKind.RELAYED: "over the relay",
}
_RELAYS = {Technique.RELAY_UDP: "UDP", Technique.RELAY_TCP: "TCP", Technique.RELAY_TLS: "TLS"}


def render(report: Report, width: int) -> list[str]:
    """Lines of at most *width* characters, as far as words allow it."""
    width = max(NARROWEST, min(width, WIDEST))
    lines = [*_wrapped(report.summary, width, "", ""), "", "Your network"]
    for remark in report.network:
        lines += _wrapped(remark.text, width, f"  {_MARKS[remark.level]} ", "    ")
    if any(one.kind for one in report.expect):
        lines += ["", "What to expect with a player"]
        longest = max(len(TITLES[one.peer]) for one in report.expect)
        for one in report.expect:
            title = f"  {TITLES[one.peer]:{longest}}  "
            lines += _wrapped(expected(one), width, title, " " * min(len(title), 8))
    lines += ["", "What you can change"]
    if not report.advice:
        lines.append("  Nothing needs to be changed.")
    for number, advice in enumerate(report.advice, 1):
        lines += _wrapped(advice, width, f"  {number}. ", "     ")
    return lines


def expected(one: Expectation) -> str:
    """A row in words."""
    if one.kind is None:
        return f"no way: {one.why}"
    text = _KINDS[one.kind]
    if one.transport is not None:
        transport = _RELAYS.get(one.technique, one.transport.value.upper()) if one.technique else ""
        text += f" ({transport}{f' over IPv{one.family.value}' if one.family is not None else ''})"
    if one.perhaps is not None:
        text += f"; perhaps {_KINDS[one.perhaps]}"
    return text


def _wrapped(text: str, width: int, first: str, later: str) -> list[str]:
    clean = "".join(one if one.isprintable() else " " for one in text)
    return textwrap.wrap(
        clean,
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
