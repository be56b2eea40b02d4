"""The dashboard and the alerts in deploy/ ask for figures that the real server has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.integration.server.conftest import People, Start
from tests.support.certificates import Authority
from tests.support.http_client import ask
from wlnet.metrics import Front, Limit

DEPLOY = Path(__file__).parents[3] / "deploy"
METRIC = re.compile(r"\b(?:wlnet|process)_[a-z0-9_]+\b")
BY_PROMETHEUS = {"job", "instance", "le"}


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana" / "wlnet.json").read_text(encoding="ascii"))


def dashboard_expressions() -> list[str]:
    found = dashboard()
    targets = [target["expr"] for panel in found["panels"] for target in panel.get("targets", [])]
    return [*targets, *(str(one["query"]) for one in found["templating"]["list"])]


def rule_expressions() -> list[str]:
    """The text of each ``expr:``, in one line or folded."""
    lines = iter((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="ascii").splitlines())
    return list(_expressions(lines))


def _expressions(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        key, colon, text = line.partition("expr: ")
        if not colon:
            continue
        if text.strip() == ">":
            folded = []
            for more in lines:
                if not more.startswith(key + "  "):
                    break
                folded.append(more.strip())
            text = " ".join(folded)
        yield text


EXPRESSIONS = {"dashboard": dashboard_expressions(), "rules": rule_expressions()}


def test_every_figure_asked_for_is_there(start: Start, people: People, tmp_path: Path) -> None:
    Authority(tmp_path).issue("server")
    server = start(
        {
            "tls.certificate": str(tmp_path / "server.pem"),
            "tls.key": str(tmp_path / "server.key"),
            "tls.lobby_port": 0,
            "tls.pairs_port": 0,
        }
    )
    assert ask(server.port("web"), "/nowhere").code == 404
    with people.guest(server) as guest:
        guest.send_raw(b"\0\0\0\0")
        guest.end_of_stream()
    exposition = ask(server.port("web"), "/metrics").body.decode()
    known: dict[str, set[str]] = {}
    for family in parse(exposition):
        name = family.name + ("_total" if family.type == "counter" else "")
        known.setdefault(name, set())
        for sample in family.samples:
            known.setdefault(sample.name, set()).update(sample.labels)
    assert len(known) > 60
    for where, expressions in EXPRESSIONS.items():
        assert len(expressions) > 10, where
        for expression in expressions:
            names = METRIC.findall(expression)
            assert names or "up{" in expression or expression == "prometheus", f"{where}: {expression}"
            assert set(names) <= known.keys(), f"{where}: {set(names) - known.keys()}"
            for name, inner in re.findall(r"(wlnet_[a-z0-9_]+|process_[a-z0-9_]+)\{([^}]*)\}", expression):
                asked = set(re.findall(r"(\w+)=", inner)) - BY_PROMETHEUS
                assert not known[name] or asked <= known[name], (
                    f"{where}: {name} has no {asked - known[name]}"
                )


def test_the_values_of_labels_asked_for_exist() -> None:
    for expression in (one for texts in EXPRESSIONS.values() for one in texts):
        for values in re.findall(r'limit=~?"([^"]*)"', expression):
            assert set(values.split("|")) <= {one.value for one in Limit}, expression
        for values in re.findall(r'front=~?"([^"]*)"', expression):
            assert set(values.split("|")) <= {one.value for one in Front}, expression


def test_the_dashboard_can_be_laid_out() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_alerts_are_complete() -> None:
    text = (DEPLOY / "prometheus" / "rules.yml").read_text(encoding="ascii")
    alerts = text.split("- alert: ")[1:]
    assert len(alerts) == len(rule_expressions())
    assert len({alert.split("\n")[0] for alert in alerts}) == len(alerts)
    for alert in alerts:
        for part in ("expr: ", "severity: ", "summary: ", "description: "):
            assert alert.count(part) == 1, alert
