"""What the agent tells, as JSON lines: docs/agent.md lists them."""

from __future__ import annotations

import re

import msgspec

from wlnet.agent.news import GuestPath, News
from wlnet.client.peer.words import PathNews


def line(report: News, at: float) -> str:
    """One object.

    :param at: seconds of the machine's monotonic clock.
    """
    if isinstance(report, GuestPath):
        values = _path(report)
    else:
        values = {"event": _name(type(report).__name__), **msgspec.to_builtins(report)}
    return msgspec.json.encode({**values, "at": round(at, 6)}).decode()


def _path(report: GuestPath) -> dict[str, object]:
    news = report.news
    about: dict[str, object] = {"game": report.game, "peer": report.other}
    if not isinstance(news, PathNews):
        return {"event": "path-gone", **about, "reason": news.reason}
    return {
        "event": "path",
        **about,
        "path": news.kind.value,
        "technique": news.technique.value,
        "transport": news.transport.value,
        "family": news.family.value if news.family is not None else None,
        "rtt_ms": round(news.rtt * 1000, 3),
        "setup_ms": round(news.setup * 1000, 3),
        "moved": news.moved.value,
        "reason": news.reason,
    }


def _name(of: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", of).lower()
