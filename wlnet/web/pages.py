"""What is answered to which request. No sockets here; :mod:`wlnet.web.server` has those."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from wlnet.metrics import Metrics
from wlnet.web.health import LagMeter, Readiness
from wlnet.web.memo import Memo
from wlnet.web.status import StatusText

METRICS_LIFETIME = 0.5
"""Seconds the figures are kept, so that nobody makes work by asking often."""

_OPENMETRICS = "application/openmetrics-text"
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_PLAIN_METRICS = "text/plain; version=0.0.4; charset=utf-8"
REASONS = {
    200: "OK",
    304: "Not Modified",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""Every status there is."""
_ALL = {
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_UNCACHED = {"Cache-Control": "no-store"}


class Page(StrEnum):
    """The pages, and everything else."""

    METRICS = "metrics"
    HEALTHZ = "healthz"
    READYZ = "readyz"
    STATUS = "status"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its path without query, and the headers that matter."""

    method: str
    path: str
    accept: str = ""
    if_none_match: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. ``headers`` has all but those about length and date."""

    code: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Write = Callable[[Asked], Answer]


class Pages:
    """Finds the answer to a request and counts it. Several may share one *counter*.

    :param pages: the pages there are, by path.
    """

    def __init__(self, pages: Mapping[str, tuple[Page, Write]], counter: Counter) -> None:
        self._pages = dict(pages)
        self._counter = counter

    def answer(self, asked: Asked) -> Answer:
        """The response to a well-formed request."""
        page, write = self._pages.get(asked.path, (Page.OTHER, None))
        if write is None:
            answer = refusal(404)
        elif asked.method not in ("GET", "HEAD"):
            answer = refusal(405)
        else:
            answer = write(asked)
        return self.counted(answer, page)

    def counted(self, answer: Answer, page: Page = Page.OTHER) -> Answer:
        """*answer*, which was given without asking for a page."""
        self._counter.labels(page.value, str(answer.code)).inc()
        return answer


def refusal(code: int) -> Answer:
    """An error in plain words, without anything of what was asked."""
    more = {405: {"Allow": "GET, HEAD"}, 429: {"Retry-After": "1"}}.get(code, {})
    return _answer(code, f"{REASONS[code].lower()}\n".encode("ascii"), _TEXT, **_UNCACHED, **more)


def answers_counter(metrics: Metrics) -> Counter:
    """The counter of all answers."""
    return Counter(
        "wlnet_web_answers", "Answers to HTTP requests", ["page", "code"], registry=metrics.registry
    )


def metrics_page(registry: CollectorRegistry, now: Callable[[], float]) -> Write:
    """``/metrics``: all figures, as OpenMetrics for those who ask for that, else as Prometheus text."""
    plain = Memo(lambda: generate_latest(registry), METRICS_LIFETIME, now)
    opened = Memo(lambda: openmetrics.generate_latest(registry), METRICS_LIFETIME, now)

    def write(asked: Asked) -> Answer:
        kinds = {one.partition(";")[0].strip().lower() for one in asked.accept.split(",")}
        if _OPENMETRICS in kinds:
            return _answer(200, opened.get(), openmetrics.CONTENT_TYPE_LATEST, **_UNCACHED, Vary="Accept")
        return _answer(200, plain.get(), _PLAIN_METRICS, **_UNCACHED, Vary="Accept")

    return write


def health_page(lag: LagMeter, limit: float, uptime: Callable[[], float]) -> Write:
    """``/healthz``: 200, or 503 while the reactor is more than *limit* seconds late."""

    def write(_asked: Asked) -> Answer:
        healthy = lag.latest <= limit
        return _json(
            200 if healthy else 503,
            {
                "healthy": healthy,
                "reactor_lag": round(lag.latest, 4),
                "reactor_lag_worst": round(lag.worst, 4),
                "uptime": int(uptime()),
            },
        )

    return write


def ready_page(readiness: Readiness) -> Write:
    """``/readyz``: 200, or 503 with what is missing."""

    def write(_asked: Asked) -> Answer:
        missing = readiness.missing()
        return _json(
            503 if missing else 200,
            {
                "ready": not missing,
                "not_ready": [{"part": part.value, "why": why} for part, why in missing],
            },
        )

    return write


def status_page(status: Memo[StatusText], lifetime: float, origin: str) -> Write:
    """``/status.json``.

    :param lifetime: seconds others may keep it.
    :param origin: web sites whose scripts may read it: one, ``*`` for all, or "" for none.
    """
    always = {"Cache-Control": f"public, max-age={max(1, int(lifetime))}"}
    if origin:
        always["Access-Control-Allow-Origin"] = origin

    def write(asked: Asked) -> Answer:
        text = status.get()
        headers = {**always, "ETag": text.etag}
        if _matches(asked.if_none_match, text.etag):
            return Answer(304, b"", {**_ALL, **headers})
        return _answer(200, text.body, _JSON, **headers)

    return write


def _matches(wanted: str, etag: str) -> bool:
    """Weak comparison (RFC 9110 section 8.8.3.2)."""
    tags = {one.strip().removeprefix("W/") for one in wanted.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags


def _json(code: int, document: dict[str, object]) -> Answer:
    return _answer(code, json.dumps(document).encode("ascii") + b"\n", _JSON, **_UNCACHED)


def _answer(code: int, body: bytes, kind: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(code, body, {**_ALL, "Content-Type": kind, **named})
