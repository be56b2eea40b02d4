"""The lines of the log."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python.failure import Failure

from wlnet.agenda import Agenda
from wlnet.config.load import load
from wlnet.metrics import Front, Limit, Metrics
from wlnet.service.logs import AddressLog, LogError, json_line, make_observer, printable, text_line


def event(text: str, **values: object) -> LogEvent:
    return {
        "log_format": text, "log_level": LogLevel.info, "log_namespace": "wlnet.relay.x", "log_time": 1.5,
        **values,
    }  # fmt: skip


class File:
    """A log file and a logger that writes to it."""

    def __init__(self, folder: Path, *overrides: str, daemon: bool = False) -> None:
        self.path = folder / ("wlnet.log" if daemon else "w.log")
        words = [] if daemon else ["logging.file=w.log"]
        config = load("/dev/null", [f"server.state_dir={folder}", *words, *overrides])
        self.observer = make_observer(config, daemon)

    def logger(self, namespace: str = "wlnet.lobby.x") -> Logger:
        return Logger(namespace=namespace, observer=self.observer)

    @property
    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()


def test_a_text_line_has_time_level_part_session_and_text() -> None:
    line = text_line(event("{what} from {address}", what="hello", address="192.0.2.1", session="m7"))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:01\.500[+-]\d\d:\d\d info  relay: \[m7\] hello from 192\.0\.2\.1\n", line
    )


@pytest.mark.parametrize(
    ("namespace", "part"),
    [
        ("wlnet", "service"),
        ("wlnet.protocols.metaserver.server.X", "metaserver"),
        ("wlnet.link", "link"),
        ("twisted.internet.tcp", "twisted"),
        ("log_legacy", "twisted"),
        ("stdout", "stdout"),
    ],
)
def test_the_part_of_the_server(namespace: str, part: str) -> None:
    assert f" {part}: x" in text_line(event("x", log_namespace=namespace))


def test_a_json_line_has_the_values() -> None:
    record = json.loads(
        json_line(event("{a} {b}", a=1, b="zwei ü", session="r1", nothing=None, odd=float("nan"), big=[1]))
    )
    assert record == {
        "time": "1970-01-01T00:00:01.500+00:00", "level": "info", "from": "relay", "text": "1 zwei ü",
        "a": 1, "b": "zwei ü", "session": "r1", "nothing": None, "odd": "nan", "big": "[1]",
    }  # fmt: skip


@given(st.text(), st.text())
def test_client_text_never_breaks_a_line(value: str, session: str) -> None:
    text = text_line(event("{value}", value=value, session=session))
    assert len(text.splitlines()) == 1
    assert text.endswith("\n")
    line = json_line(event("{value}", value=value, session=session))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["text"].isprintable()
    (text + line).encode("utf-8")


@given(st.text(alphabet="{}!r:.[]0a()", max_size=20))
def test_braces_in_client_text_are_only_text(value: str) -> None:
    assert text_line(event("<{value}>", value=value)).endswith(f"<{value}>\n")


def test_control_characters_are_escaped() -> None:
    assert printable("a\nb\x1b[31m\u202e\ud800ü ß") == "a\\nb\\x1b[31m\\u202e\\ud800ü ß"


def test_long_text_is_cut() -> None:
    assert len(text_line(event("{x}", x="y" * 10**6))) < 5000
    assert len(json_line(event("{x}", x="y" * 10**6))) < 10000


def test_tracebacks_are_indented_and_cannot_pretend_to_be_lines() -> None:
    try:
        raise ValueError("bad\n2026-01-01T00:00:00 info  lobby: forged")
    except ValueError:
        failure = Failure()
    lines = text_line(event("it failed", log_failure=failure)).splitlines()
    assert lines[0].endswith("it failed")
    assert all(line.startswith("    ") for line in lines[1:])
    assert any("forged" in line for line in lines[1:])
    record = json.loads(json_line(event("it failed", log_failure=failure)))
    assert any("ValueError" in line for line in record["traceback"])


def test_an_exception_that_cannot_be_shown_costs_nothing() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    try:
        raise BrokenError
    except BrokenError:
        assert "it failed" in text_line(event("it failed", log_failure=Failure()))


def test_a_format_that_does_not_fit_is_told() -> None:
    assert "Unable to format event" in text_line(event("{missing}"))


def test_levels(tmp_path: Path) -> None:
    file = File(tmp_path, "logging.level=warn")
    for namespace in ("wlnet.lobby", "twisted.internet"):
        file.logger(namespace).info("quiet")
        file.logger(namespace).warn("loud")
    assert [line[30:] for line in file.lines] == ["warn  lobby: loud", "warn  twisted: loud"]


def test_twisteds_own_chatter_is_for_debugging(tmp_path: Path) -> None:
    for level, written in (("info", ["lobby"]), ("debug", ["lobby", "twisted"])):
        (tmp_path / level).mkdir()
        file = File(tmp_path / level, f"logging.level={level}")
        file.logger("wlnet.lobby").info("x")
        file.logger("twisted.internet").info("x")
        assert [line.split()[2].strip(":") for line in file.lines] == written


def test_addresses_are_shortened_if_wanted(tmp_path: Path) -> None:
    file = File(tmp_path, "logging.shorten_addresses=true", "logging.format=json")
    file.logger().info("from {address}", address="203.0.113.77")
    file.logger().info("from {address}", address="2001:db8:1:2:3::4")
    records = [json.loads(line) for line in file.lines]
    assert [record["text"] for record in records] == ["from 203.0.113.x", "from 2001:db8:1::x"]
    assert "203.0.113.77" not in file.path.read_text()


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    file = File(tmp_path)
    file.logger().info("one")
    file.path.rename(tmp_path / "w.log.1")
    file.logger().info("two")
    assert (tmp_path / "w.log.1").read_text().endswith("one\n")
    assert [line.split()[-1] for line in file.lines] == ["two"]


def test_the_file_is_appended_to_and_not_for_everybody(tmp_path: Path) -> None:
    File(tmp_path).logger().info("one")
    File(tmp_path).logger().info("two")
    file = File(tmp_path)
    assert [line.split()[-1] for line in file.lines] == ["one", "two"]
    assert file.path.stat().st_mode & 0o007 == 0


def test_a_daemon_without_a_file_writes_one(tmp_path: Path) -> None:
    file = File(tmp_path, daemon=True)
    file.logger().info("one")
    assert file.path.name == "wlnet.log"
    assert file.lines


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"logging\.file: .*none/w\.log: cannot be written: No such file"):
        File(tmp_path / "none")


class TestAddressLog:
    """Lines per address."""

    def setup_method(self) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()

    def log(self, **options: int) -> AddressLog:
        log = AddressLog(self.agenda, 1.0, 3, self.metrics, Front.RELAY, summary_delay=60.0, **options)
        self.lines: list[str] = []

        def observe(event: LogEvent) -> None:
            self.lines.append(text_line(event).partition(": ")[2].strip())

        log.log = Logger(namespace="wlnet.service", observer=observe)  # type: ignore[arg-type]
        return log

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.agenda.run_due()

    def test_lines_beyond_the_limit_are_left_out_counted_and_told(self) -> None:
        log = self.log()
        assert [log.may_log("192.0.2.1") for _ in range(10)] == [True] * 3 + [False] * 7
        assert log.may_log("192.0.2.2")
        assert self.metrics.times_limited(Front.RELAY, Limit.LOG_LINES) == 7
        self.advance(59)
        assert self.lines == []
        self.advance(1)
        assert self.lines == ["7 lines about 192.0.2.1 left out"]
        assert log.may_log("192.0.2.1")
        assert len(self.agenda) == 0
        self.advance(600)
        assert len(self.lines) == 1

    def test_one_home_is_one_address(self) -> None:
        log = self.log()
        allowed = [log.may_log(f"2001:db8:1:2::{number}") for number in range(6)]
        assert allowed == [True] * 3 + [False] * 3

    def test_many_addresses_cost_neither_memory_nor_lines(self) -> None:
        log = self.log(capacity=50, summary_lines=5)
        for number in range(200):
            for _ in range(4):
                log.may_log(f"192.0.2.{number}")
        self.advance(60)
        assert len(self.lines) == 6
        assert self.lines[-1] == "195 lines about other addresses left out"

    def test_no_rate_means_no_limit(self) -> None:
        log = AddressLog(self.agenda, 0.0, 1, self.metrics, Front.RELAY)
        assert all(log.may_log("192.0.2.1") for _ in range(1000))
