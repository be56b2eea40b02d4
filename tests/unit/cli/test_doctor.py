"""What `wlnet doctor` shows."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace

from tests.unit.client.doctor.homes import home
from wlnet.cli.doctor import Progress
from wlnet.cli.doctor_text import NARROWEST, expected, render
from wlnet.cli.main import main
from wlnet.client.doctor.examination import Stage
from wlnet.client.doctor.expectations import Expectation
from wlnet.client.doctor.peers import TITLES, Typical
from wlnet.client.doctor.report import conclude
from wlnet.steering.model import Family, PathKind, Technique, Transport

TEXTS = {stage: f"Doing {stage.value}" for stage in Stage}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [10, 60, 80, 1000])
@pytest.mark.parametrize("kind", ["port-restricted", "upnp-cgn", "tcp443", "open"])
def test_the_report(kind: str, width: int) -> None:
    report = conclude(home(kind))
    lines = render(report, width)
    text = " ".join(" ".join(lines).split())
    for sentence in (report.summary, *(one.text for one in report.network), *report.advice):
        assert sentence in text
    for title in TITLES.values():
        assert title in text
    assert max(map(len, lines)) <= max(NARROWEST, min(width, 100))


def test_no_table_without_any_way() -> None:
    findings = replace(home("tcp443"), legs=())
    assert not any("expect" in line for line in render(conclude(findings), 80))


def test_nothing_to_change() -> None:
    assert render(conclude(home("open")), 80)[-1] == "  Nothing needs to be changed."


def test_what_routers_and_lobbies_say_disturbs_no_terminal() -> None:
    findings = replace(home("open"), lobby_reached=False, lobby_text="The lobby says \x1b[2J\r\nHello.")
    assert all(line.isprintable() for line in render(conclude(findings), 80))


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (
            Expectation(
                peer=Typical.OPEN, kind=PathKind.DIRECT, technique=Technique.PUBLIC, transport=Transport.UDP,
                family=Family.V6,
            ),
            "direct (UDP over IPv6)",
        ),
        (
            Expectation(
                peer=Typical.HARD, kind=PathKind.RELAYED, technique=Technique.RELAY_TLS,
                transport=Transport.TCP, perhaps=PathKind.PUNCHED,
            ),
            "over the relay (TLS); perhaps direct, by hole punching",
        ),
        (Expectation(peer=Typical.HARD, why="Because."), "no way: Because."),
    ],
)  # fmt: skip
def test_a_row(one: Expectation, text: str) -> None:
    assert expected(one) == text


def test_progress_in_a_file_is_lines() -> None:
    out = io.StringIO()
    progress = Progress(out, TEXTS)
    for stage in Stage:
        progress.begin(stage)
        progress.tick()
    progress.finish()
    assert out.getvalue().splitlines() == [f"Doing {stage.value} ..." for stage in Stage]


def test_progress_on_a_terminal_is_one_line_that_goes_away() -> None:
    out = Terminal()
    progress = Progress(out, TEXTS)
    progress.tick()
    for stage in Stage:
        progress.begin(stage)
        progress.tick()
    progress.finish()
    assert "\n" not in out.getvalue()
    assert out.getvalue().endswith("\r\x1b[K")
    for text in TEXTS.values():
        assert f"{text} ... 0 s" in out.getvalue()


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["doctor", "--lobby", "http://lobby.example.org"],
        ["doctor", "--lobby", "tcp://lobby.example.org", "--ca", "/nowhere"],
        ["doctor", "--lobby", "tcp://lobby.example.org", "--ca", __file__],
    ],
)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(words)
    except SystemExit as end:
        status = int(str(end.code))
    assert status == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err
    assert "Traceback" not in said.err
