"""What hosts and guests are shown: sentences, the block of a terminal, JSON lines."""

from __future__ import annotations

import json
from io import StringIO
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.cli.board import Board
from wlnet.cli.screen import JsonLines, PlainLines, Terminal
from wlnet.cli.sentences import amount, sentence
from wlnet.client.forward import reports
from wlnet.client.forward.reports import Report

PATH = reports.PathTaken(
    peer="bob",
    kind="punched",
    technique="punch",
    transport="udp",
    family=4,
    rtt_ms=12.3,
    setup_ms=400.0,
    moved="better",
    reason="The game goes directly, through both routers.",
)
EVERY: tuple[Report, ...] = (
    reports.Lobby(name="ann"),
    reports.LobbyLost(reason="The lobby was silent for 50 seconds.", again=1.5),
    reports.Note(text="Welcome"),
    reports.Hosting(game="duel", traffic="tcp"),
    reports.Joining(game="duel"),
    reports.Listening(traffic="any", address="127.0.0.1", port=5000),
    reports.PeerHere(peer="bob", traffic="tcp"),
    PATH,
    reports.PathLost(peer="bob", reason="Nothing comes through any more."),
    reports.SteeringEnded(
        peer="bob", attempt=1, reason="connected", kind="punched", text="Connected directly."
    ),
    reports.PeerGone(peer="bob", reason="The other player ended it.", sent=1234, received=5),
    reports.Trouble(text="Your game cannot be reached."),
    reports.Detail(direction="told", message={"type": "plan"}),
    reports.Closed(reason="You left.", code=0),
)


def test_every_report_is_here() -> None:
    assert {type(report) for report in EVERY} == set(get_args(Report))


@pytest.mark.parametrize("report", EVERY, ids=lambda report: type(report).__name__)
def test_sentences(report: Report) -> None:
    text = sentence(report)
    if isinstance(report, reports.Detail):
        assert text is None
    else:
        assert text
        assert text.isprintable()


def test_some_sentences() -> None:
    assert sentence(PATH) == (
        "bob: punched (punch, UDP over IPv4), 12 ms. The game goes directly, through both routers."
    )
    assert sentence(EVERY[5]) == "Let your game connect to 127.0.0.1:5000 (TCP or UDP)."
    assert sentence(reports.Listening(traffic="udp", address="::1", port=1)) == (
        "Let your game connect to [::1]:1 (UDP)."
    )
    assert sentence(EVERY[10]) == "bob is gone (1.2 kB sent, 5 B received). The other player ended it."


@given(st.text())
def test_what_others_say_cannot_disturb_a_terminal(text: str) -> None:
    for report in (
        reports.Note(text=text),
        reports.PeerHere(peer=text, traffic="tcp"),
        reports.SteeringEnded(peer=text, attempt=1, reason="x", kind=None, text=text),
        reports.Closed(reason=text, code=1),
    ):
        said = sentence(report)
        assert said is not None
        assert said == "" or said.isprintable()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (1_500_000, "1.5 MB"),
        (2_000_000_000, "2.0 GB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_amounts(size: int, text: str) -> None:
    assert amount(size) == text


def board() -> Board:
    return Board("Hosting duel", lambda name: (len(name) * 1000, 0))


def test_the_block_shows_what_is() -> None:
    shown = board()
    assert "connecting to the lobby" in shown.lines(100)[0]
    assert "nobody else" in shown.lines(100)[1]
    for report in (EVERY[0], EVERY[5], EVERY[6]):
        shown.take(report)
    assert shown.lines(100) == [
        "Hosting duel · you are ann · let your game connect to 127.0.0.1:5000",
        "  bob  looking for a path  3.0 kB sent, 0 B received",
        "  Ctrl-C leaves",
    ]
    shown.take(PATH)
    assert shown.lines(100)[1:3] == [
        "  bob  punched (punch, UDP over IPv4)  12 ms  3.0 kB sent, 0 B received",
        "      The game goes directly, through both routers.",
    ]
    shown.take(EVERY[8])
    assert "Nothing comes through" in shown.lines(100)[1]
    shown.take(EVERY[10])
    assert "nobody else" in shown.lines(100)[1]


def test_who_came_back_over_a_new_connection_stays_when_the_old_one_ends() -> None:
    shown = board()
    for report in (EVERY[6], PATH, EVERY[6], EVERY[10]):
        shown.take(report)
    assert "punched" in shown.lines(100)[1]
    shown.take(EVERY[10])
    assert "nobody else" in shown.lines(100)[1]
    shown.take(EVERY[10])
    shown.take(PATH)
    assert "nobody else" in shown.lines(100)[1]


def test_the_block_is_bounded_both_ways() -> None:
    shown = board()
    for number in range(40):
        shown.take(reports.PeerHere(peer=f"player{number}", traffic="tcp"))
    lines = shown.lines(30)
    assert len(lines) == 15
    assert max(map(len, lines)) <= 30
    assert "and 28 more" in lines[-2]


def drawn(text: str) -> list[str]:
    """What a terminal shows after that."""
    rows = [""]
    for part in text.replace("\x1b[J", "\x1b[0J").split("\x1b["):
        head, rest = "", part
        if part[:1].isdigit():
            digits = part[: next(i for i, one in enumerate(part) if not one.isdigit())]
            head, rest = part[len(digits)], part[len(digits) + 1 :]
            if head == "F":
                assert rows[-1] == ""
                del rows[len(rows) - int(digits) :]
                rows[-1] = ""
        for one in rest:
            if one == "\n":
                rows.append("")
            else:
                rows[-1] += one
    return rows


def test_a_terminal_keeps_sentences_and_draws_the_block_anew() -> None:
    out = StringIO()
    screen = Terminal(out, board(), lambda: 80)
    for report in EVERY[:7]:
        screen.show(report)
    for _ in range(5):
        screen.refresh()
    rows = drawn(out.getvalue())
    sentences = [sentence(report) for report in EVERY[:7]]
    assert rows[:7] == sentences
    assert rows[7].startswith("Hosting duel · the lobby is away")
    assert rows[9:] == ["  Ctrl-C leaves", ""]
    screen.finish()
    assert drawn(out.getvalue()) == [*sentences, ""]


def test_plain_lines() -> None:
    out = StringIO()
    screen = PlainLines(out)
    for report in EVERY:
        screen.show(report)
    screen.refresh()
    screen.finish()
    lines = out.getvalue().splitlines()
    assert len(lines) == len(EVERY) - 1
    assert "\x1b" not in out.getvalue()


class Flushed(StringIO):
    """Counts flushes."""

    flushes = 0

    def flush(self) -> None:
        self.flushes += 1


def test_json_lines_have_a_time_and_are_flushed_at_once() -> None:
    out = Flushed()
    screen = JsonLines(out, lambda: 12.5)
    for number, report in enumerate(EVERY):
        screen.show(report)
        assert out.flushes == number + 1
    screen.refresh()
    screen.finish()
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [event["event"] for event in events] == [report.__struct_config__.tag for report in EVERY]
    assert {event["at"] for event in events} == {12.5}
    assert events[7] == {
        "event": "path",
        "peer": "bob",
        "path": "punched",
        "technique": "punch",
        "transport": "udp",
        "family": 4,
        "rtt_ms": 12.3,
        "setup_ms": 400.0,
        "moved": "better",
        "reason": "The game goes directly, through both routers.",
        "at": 12.5,
    }
