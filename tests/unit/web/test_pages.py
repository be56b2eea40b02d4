from __future__ import annotations

import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain
from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.metrics import Metrics
from wlnet.web.health import LagMeter, Part, Readiness
from wlnet.web.memo import Memo
from wlnet.web.pages import (
    METRICS_LIFETIME,
    REASONS,
    Answer,
    Asked,
    Page,
    Pages,
    answers_counter,
    health_page,
    metrics_page,
    ready_page,
    refusal,
    status_page,
)
from wlnet.web.status import StatusText


class Scene:
    def __init__(self, origin: str = "*") -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()
        self.players = 1.0
        self.metrics.observe("wlnet_players", "Players", lambda: self.players)
        self.lag = LagMeter(self.agenda)
        self.lag.start()
        self.trouble = ""
        self.status = StatusText(b"{}\n", 'W/"one"')
        self.pages = Pages(
            {
                "/metrics": (Page.METRICS, metrics_page(self.metrics.registry, self.clock.seconds)),
                "/healthz": (Page.HEALTHZ, health_page(self.lag, 5.0, self.clock.seconds)),
                "/readyz": (Page.READYZ, ready_page(Readiness({Part.DATABASE: lambda: self.trouble}))),
                "/status.json": (
                    Page.STATUS,
                    status_page(Memo(lambda: self.status, 2.0, self.clock.seconds), 2.0, origin),
                ),
            },
            answers_counter(self.metrics),
        )

    def ask(self, path: str, method: str = "GET", accept: str = "", if_none_match: str = "") -> Answer:
        return self.pages.answer(Asked(method, path, accept, if_none_match))

    def counted(self, page: str, code: int) -> float | None:
        return self.metrics.registry.get_sample_value(
            "wlnet_web_answers_total", {"page": page, "code": str(code)}
        )


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/status.json", "/", "/<script>"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "BREW"])
def test_every_answer_is_safe_to_show_in_a_browser(path: str, method: str) -> None:
    answer = Scene().ask(path, method)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].split(";")[0] in (
        "text/plain",
        "application/json",
    )
    assert "Server" not in answer.headers
    assert b"<" not in answer.body.replace(b"# HELP", b"")
    public = path == "/status.json" and answer.code == 200
    assert (answer.headers["Cache-Control"] == "no-store") is not public
    assert ("Access-Control-Allow-Origin" in answer.headers) is public


def test_unknown_paths_and_methods_are_refused_and_counted() -> None:
    scene = Scene()
    assert scene.ask("/favicon.ico").code == 404
    assert scene.ask("/metrics/").code == 404
    assert scene.ask("/nowhere", "POST").code == 404
    answer = scene.ask("/metrics", "POST")
    assert (answer.code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert scene.counted("other", 404) == 3
    assert scene.counted("metrics", 405) == 1
    assert scene.counted("metrics", 200) is None


def test_figures_as_prometheus_text() -> None:
    answer = Scene().ask("/metrics", accept="text/html,*/*;q=0.1")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = {one.name: one for one in parse_plain(answer.body.decode())}
    assert values["wlnet_players"].samples[0].value == 1


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text",
        "text/plain;q=0.3, Application/OpenMetrics-Text;version=1.0.0;q=0.5",
        "application/openmetrics-text;version=nonsense",
    ],
)
def test_figures_as_openmetrics(accept: str) -> None:
    answer = Scene().ask("/metrics", accept=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["Vary"] == "Accept"
    assert answer.body.endswith(b"# EOF\n")
    assert "wlnet_players" in {one.name for one in parse_openmetrics(answer.body.decode())}


def test_figures_are_gathered_at_most_every_half_second() -> None:
    scene = Scene()
    first = scene.ask("/metrics").body
    scene.players = 2
    assert scene.ask("/metrics").body == first
    scene.clock.advance(METRICS_LIFETIME)
    assert b"wlnet_players 2.0" in scene.ask("/metrics").body


def test_healthy_while_the_reactor_is_in_time() -> None:
    scene = Scene()
    scene.clock.advance(1.0)
    scene.agenda.run_due()
    answer = scene.ask("/healthz")
    assert answer.code == 200
    assert json.loads(answer.body) == {
        "healthy": True,
        "reactor_lag": 0.0,
        "reactor_lag_worst": 0.0,
        "uptime": 1,
    }
    scene.clock.advance(7.0)  # blocked
    scene.agenda.run_due()
    answer = scene.ask("/healthz")
    assert answer.code == 503
    assert json.loads(answer.body)["reactor_lag"] == 6.0
    scene.clock.advance(1.0)
    scene.agenda.run_due()
    assert scene.ask("/healthz").code == 200
    assert json.loads(scene.ask("/healthz").body)["reactor_lag_worst"] == 6.0


def test_what_is_not_ready_is_named() -> None:
    scene = Scene()
    answer = scene.ask("/readyz")
    assert (answer.code, json.loads(answer.body)) == (200, {"ready": True, "not_ready": []})
    scene.trouble = "accounts cannot be looked up"
    answer = scene.ask("/readyz")
    assert answer.code == 503
    assert json.loads(answer.body) == {
        "ready": False,
        "not_ready": [{"part": "database", "why": "accounts cannot be looked up"}],
    }
    assert scene.counted("readyz", 503) == 1


def test_the_status_may_be_kept_and_asked_for_again_by_its_tag() -> None:
    scene = Scene()
    answer = scene.ask("/status.json")
    assert (answer.code, answer.body) == (200, b"{}\n")
    assert answer.headers["Cache-Control"] == "public, max-age=2"
    assert answer.headers["ETag"] == 'W/"one"'
    for tags in ('W/"one"', '"one"', '"zero", W/"one"', '"zero","one"', "*"):
        answer = scene.ask("/status.json", if_none_match=tags)
        assert (answer.code, answer.body) == (304, b""), tags
        assert answer.headers["ETag"] == 'W/"one"'
    assert scene.ask("/status.json", if_none_match='"zero"').code == 200
    scene.status = StatusText(b"{1}\n", 'W/"two"')
    scene.clock.advance(2.0)
    assert scene.ask("/status.json", if_none_match='"one"').code == 200


@pytest.mark.parametrize("origin", ["*", "https://example.org", ""])
def test_which_web_sites_may_read_the_status_is_a_setting(origin: str) -> None:
    headers = Scene(origin).ask("/status.json").headers
    assert headers.get("Access-Control-Allow-Origin", "") == origin


@pytest.mark.parametrize("code", [code for code in REASONS if code >= 400 and code != 503])
def test_errors_are_plain_words(code: int) -> None:
    answer = refusal(code)
    assert answer.code == code
    assert answer.body.decode().strip() == REASONS[code].lower()
    assert ("Retry-After" in answer.headers) == (code == 429)
