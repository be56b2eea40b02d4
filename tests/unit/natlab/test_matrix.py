"""The matrix' table, its choice of cells, its report and its picture, from outcomes made up here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from tests.natlab.kinds import KINDS as ALL_KINDS
from tests.natlab.matrix import picture, report
from tests.natlab.matrix.ceiling import (
    KINDS,
    LETTERS,
    MEANINGS,
    OF_TECHNIQUE,
    PATHS,
    by_transport,
    ceiling,
    groups,
    is_below,
)
from tests.natlab.matrix.cells import Cell, Outcome, as_json, from_json
from tests.natlab.matrix.events import EVENTS
from tests.natlab.matrix.game import Ledger
from tests.natlab.matrix.plans import birthdays, everything, sample
from tests.natlab.matrix.population import HOMES, MIXES, spared
from tests.natlab.matrix.starvation import Watch
from tests.natlab.matrix.town import SHARING
from wlnet.steering.model import Technique


def made_up(cell: Cell) -> Outcome:
    """As if the ceiling had been reached, from the relay on."""
    moves = cell.ceiling != "R"
    return replace(
        Outcome.of(cell),
        letter=cell.ceiling,
        technique=next(name.value for name, letter in OF_TECHNIQUE.items() if letter == cell.ceiling),
        transport="udp",
        family=4,
        first_letter="R",
        first_byte=0.3,
        upgrade=1.5 if moves else 0.0,
    )


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [made_up(cell) for cell in everything()]


def test_every_kind_of_the_laboratory_is_in_the_table() -> None:
    assert sorted(KINDS) == sorted(ALL_KINDS)
    assert len(list(groups())) == 55
    for one in KINDS:
        for other in KINDS:
            assert by_transport(one, other) == by_transport(other, one)


def test_letters_cover_every_technique() -> None:
    assert set(OF_TECHNIQUE) == set(Technique)
    assert set(LETTERS) == set(MEANINGS) == set(PATHS) == set(OF_TECHNIQUE.values())


@pytest.mark.parametrize(
    ("one", "other", "letter"),
    [
        ("open", "tcp443", "D"),
        ("udp-blocked", "port-restricted", "P"),
        ("sym-random", "sym-random", "R"),
        ("sym-random", "port-restricted", "R"),
        ("upnp", "open", "D"),
        ("upnp", "upnp-sym", "M"),
    ],
)
def test_ceiling_of_a_game_is_the_better_transport(one: str, other: str, letter: str) -> None:
    assert ceiling(one, other) == letter
    assert ceiling(other, one) == letter


def test_many_ports_only_count_if_both_agreed() -> None:
    assert ceiling("sym-random", "cgn", birthday=True) == "B"
    assert ceiling("sym-random", "cgn") == "R"
    assert {cell.ceiling for cell in birthdays()} == {"B"}


def test_below_the_ceiling_is_a_worse_kind_of_path() -> None:
    assert is_below("R", "P")
    assert is_below("P", "M")
    assert is_below("M", "D")
    assert not is_below("G", "P")
    assert not is_below("L", "D")
    assert not is_below("P", "R")


def test_all_cells_are_each_pair_of_kinds_with_each_traffic() -> None:
    cells = everything()
    assert len(cells) == len(set(cells))
    pairs = {frozenset((cell.host, cell.guest)) for cell in cells if not cell.birthday and not cell.event}
    assert {cell.event for cell in cells} == {"", *EVENTS}
    assert len([pair for pair in pairs if pair <= set(KINDS)]) == len(KINDS) * (len(KINDS) + 1) // 2
    assert {cell.traffic for cell in cells} == {"udp", "tcp"}


def test_the_sample_has_every_letter_and_is_part_of_no_other_plan() -> None:
    cells = sample()
    assert {cell.ceiling for cell in cells} == set(LETTERS) - {"B"}
    assert 20 <= len(cells) <= 32
    assert len({cell.traffic for cell in cells}) == 2
    for cell in cells:
        assert cell.host in SHARING or {cell.host, cell.guest} <= {*KINDS, "v6-open"}


def test_report_is_the_same_for_the_same_outcomes(outcomes: list[Outcome]) -> None:
    again = from_json(as_json(outcomes))
    assert report.text(again) == report.text(list(reversed(outcomes)))
    assert picture.draw(again) == picture.draw(outcomes)


def test_report_shows_what_is_below_the_ceiling(outcomes: list[Outcome]) -> None:
    worse = [
        replace(outcome, letter="R", problems=["below the ceiling"])
        if {outcome.host, outcome.guest} == {"cgn", "restricted"}
        and not outcome.event
        and outcome.traffic == "udp"
        else outcome
        for outcome in outcomes
    ]
    before, after = report.text(outcomes), report.text(worse)
    assert "R<P |" not in before
    assert "R<P |" in after
    assert f"| connected | {len(outcomes)} (100.0%) |" in after
    assert picture.draw(worse).count(" below") == 1 + picture.draw(outcomes).count(" below")


def test_picture_is_well_formed_and_has_two_squares_a_pair(outcomes: list[Outcome]) -> None:
    root = ET.fromstring(picture.draw(outcomes))
    groups_ = [element for element in root if element.tag.endswith("}g")]
    assert len(groups_) == len(KINDS) * (len(KINDS) + 1)


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: mix.name)
def test_mixes_are_whole(mix: object) -> None:
    assert isinstance(mix, type(HOMES))
    assert sum(mix.shares.values()) == 100
    assert set(mix.shares) <= set(KINDS)


def test_what_is_relayed_first_is_not_spared(outcomes: list[Outcome]) -> None:
    result = spared(outcomes, HOMES, birthday=False)
    trying = spared(outcomes, HOMES, birthday=True)
    assert result is not None
    assert trying is not None
    assert result.connected == pytest.approx(1)
    assert 0.8 < result.sent < result.pairs < 0.95
    assert trying.pairs > result.pairs
    assert spared(outcomes[5:], HOMES, birthday=False) is None


def test_a_ledger_tells_lost_late_and_repeated_apart() -> None:
    ledger = Ledger()
    for number, now in ((3, 1.0), (4, 1.1), (6, 1.9), (5, 2.0), (6, 2.1), (9, 2.2)):
        ledger.arrived(number, now)
    assert (ledger.first, ledger.early, ledger.count) == (1.0, 3, 5)
    assert (ledger.reordered, ledger.repeated, ledger.lost) == (1, 1, {7, 8})
    assert list(ledger.silence_until(2.3)) == pytest.approx([0.8, 1.1])
    assert list(ledger.silence_until(4.2)) == pytest.approx([2.0, 2.2])


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not count waiting")
def test_waiting_for_the_processor_is_seen() -> None:
    """Three busy processes on one processor: each waits most of the time."""
    one = min(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(one), sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(3)]
    try:
        watch = Watch([process.pid for process in busy])
        begin = time.monotonic()
        watch.sleep(0.6)
        assert 0.3 < watch.between(begin, begin + 0.6) < 3
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert Watch([busy[0].pid]).between(0, 1e9) == 0
