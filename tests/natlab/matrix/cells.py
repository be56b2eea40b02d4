"""One cell of the matrix: a game hosted in one home, joined from another, played and looked at."""

from __future__ import annotations

import itertools
import json
import math
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.natlab.matrix.ceiling import RELAY, ceiling, is_below
from tests.natlab.matrix.events import EVENTS, FALLBACK
from tests.natlab.matrix.game import Guest, Hosted, Ledger
from tests.natlab.matrix.peers import PeerProcess
from tests.natlab.matrix.starvation import Starvation, Watch
from tests.natlab.matrix.town import ROUND_TRIP, SHARING, WITH_IPV6, Town, flows
from tests.natlab.site import Site
from tests.support.server_process import ServerProcess

# What a player is promised, in seconds. BACK: until a path that was lost is there again.
FIRST_BYTE = 1.0 + 2 * ROUND_TRIP
UPGRADE = 3.0
BACK = 25.0

# Time limits of the laboratory, in seconds.
_START = 30.0
_CONNECT = 20.0
_SEARCH = 20.0
_BIRTHDAY = 40.0
_PLAY = 0.6
_ANSWERS = 3.0
_FALLBACK = 6.0

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Cell:
    """Who hosts, who joins, what is played (`udp`: datagrams, `tcp`: a stream), what happens meanwhile.

    :ivar birthday: both agree to trying many ports.
    :ivar event: one of the EVENTS, or "".
    """

    host: str
    guest: str
    traffic: str
    birthday: bool = False
    event: str = ""

    @property
    def ceiling(self) -> str:
        """The letter of the best path there can be."""
        if self.host in SHARING:
            return SHARING[self.host].letter
        special = WITH_IPV6.get((self.host, self.guest))
        return special or ceiling(self.host, self.guest, birthday=self.birthday)

    def __str__(self) -> str:
        where = self.host if self.host in SHARING else f"{self.host} + {self.guest}"
        more = " birthday" if self.birthday else f", {self.event}" if self.event else ""
        return f"{where} {self.traffic.upper()}{more}"


@dataclass
class Outcome:
    """What became of a cell. Times are seconds; None: it did not happen.

    :ivar first_letter: of the path the game began on; `letter`: of the one it came to.
    :ivar first_byte: from the wish to join until the guest's game had its first answer.
    :ivar upgrade: from then until the best path was taken; 0 if it began on it.
    :ivar starved: how long host, guest and server waited for the processor before the first byte, together;
        `starved_upgrade`: from then on.
    :ivar silence: longest pause between two answers from the event on.
    :ivar fallback: letter of the path the game took first then.
    """

    host: str
    guest: str
    traffic: str
    birthday: bool
    event: str
    ceiling: str
    letter: str | None = None
    technique: str = ""
    transport: str = ""
    family: int | None = None
    first_letter: str | None = None
    first_byte: float | None = None
    upgrade: float | None = None
    starved: float = 0.0
    starved_upgrade: float = 0.0
    silence: float | None = None
    fallback: str | None = None
    sentence: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def cell(self) -> Cell:
        return Cell(self.host, self.guest, self.traffic, self.birthday, self.event)

    @classmethod
    def of(cls, cell: Cell) -> Outcome:
        """Nothing is known yet."""
        return cls(cell.host, cell.guest, cell.traffic, cell.birthday, cell.event, cell.ceiling)


class Stage:
    """Where cells are played: a town, a server, and a folder for what is kept of it all."""

    def __init__(
        self, town: Town, server: ServerProcess, folder: Path, authority: Path | None = None
    ) -> None:
        self.town = town
        self.server = server
        self.folder = folder
        self.authority = authority

    def lobby(self, kind: str) -> list[str]:
        """How a player of this kind reaches the lobby."""
        address = self.town.lab.server.ipv4
        if kind != "tcp443":
            return ["--lobby", f"tcp://{address}:{self.server.port('lobby')}"]
        return [
            "--lobby",
            f"tls://{address}:443",
            *(("--ca-file", str(self.authority)) if self.authority else ()),
        ]

    def play(self, cell: Cell) -> Outcome:
        """Play one cell, whatever becomes of it."""
        outcome = Outcome.of(cell)
        folder = self.folder / re.sub("[^A-Za-z0-9+-]+", "_", str(cell))
        folder.mkdir(parents=True, exist_ok=True)
        if cell.event:  # it changes the homes
            one, other = self.town.own(cell.host, cell.guest)
            _Play(self, cell, outcome, folder, one, other).run()
            return outcome
        with self.town.pair(cell.host, cell.guest) as (one, other):
            _Play(self, cell, outcome, folder, one, other).run()
        return outcome


class _Play:
    """The course of one cell."""

    def __init__(
        self, stage: Stage, cell: Cell, outcome: Outcome, folder: Path, one: Site, other: Site
    ) -> None:
        self.stage = stage
        self.cell = cell
        self.outcome = outcome
        self.folder = folder
        self.homes = (one, other)
        self.game = f"game{next(_numbers)}"
        self.happened = math.inf

    def run(self) -> None:
        """All of it; what goes wrong is written down in the outcome."""
        hosted = Hosted(self.homes[0].host, self.cell.traffic)
        try:
            with self._host(hosted.port) as host:
                if not host.wait_for(lambda: host.find("hosting"), _START):
                    self._problem("the game was not published")
                    host.stop()
                    self._keep(host)
                    return
                with self._join() as join:
                    self._joined(hosted, host, join)
                    self._end(host, join)
                    self._keep(host, join)
        finally:
            hosted.close()

    def _host(self, port: int) -> PeerProcess:
        words = ["host", self.game, *self._common(0), f"--{self.cell.traffic}", f"127.0.0.1:{port}"]
        return PeerProcess(self.homes[0].host, words, self.folder / "host")

    def _join(self) -> PeerProcess:
        words = ["join", self.game, *self._common(1), "--listen", "127.0.0.1:0"]
        return PeerProcess(self.homes[1].host, words, self.folder / "guest")

    def _common(self, side: int) -> list[str]:
        kind = (self.cell.host, self.cell.guest)[side]
        words = ["--verbose", *self.stage.lobby(kind), "--name", f"{('ann', 'bob')[side]}-{self.game}"]
        return [*words, "--birthday"] if self.cell.birthday else words

    def _problem(self, text: str) -> None:
        self.outcome.problems.append(text)

    def _joined(self, hosted: Hosted, host: PeerProcess, join: PeerProcess) -> None:
        pids = [host.process.pid, join.process.pid, self.stage.server.process.pid]
        if not join.wait_for(lambda: join.find("joining"), _START):
            self._problem("the guest did not ask to join")
            return
        starvation = Starvation(pids)
        if not join.wait_for(lambda: join.find("listening"), _CONNECT):
            self._problem("the guest's program listens nowhere")
            return
        listening, joining = join.find("listening"), join.find("joining")
        assert listening is not None
        assert joining is not None
        guest = Guest(self.homes[1].host, self.cell.traffic, int(listening["port"]))
        try:
            self._first_byte(guest, join, float(joining["at"]), starvation)
            if self.outcome.first_byte is not None:
                starvation = Starvation(pids)
                self._best_path(join)
                self.outcome.starved_upgrade = round(starvation.seconds, 3)
                time.sleep(_PLAY)
                if self.cell.event:
                    self._event(guest, join, pids)
                guest.stop_sending()
                _until(lambda: guest.unanswered <= 0, _ANSWERS)
        finally:
            guest.close()
        self._look(hosted, guest, join)

    def _first_byte(self, guest: Guest, join: PeerProcess, begun: float, starvation: Starvation) -> None:
        _until(lambda: guest.ledger.first is not None or guest.error is not None or guest.ended, _CONNECT)
        self.outcome.starved = round(starvation.seconds, 3)
        if guest.ledger.first is not None:
            self.outcome.first_byte = round(guest.ledger.first - begun, 3)

    def _best_path(self, join: PeerProcess) -> None:
        """Until the ceiling is reached, or nothing better is looked for any more."""
        wanted = self.cell.ceiling

        def done() -> bool:
            steps = join.steps
            if steps and wanted != RELAY and not is_below(steps[-1].letter, wanted):
                return True
            return join.find("ended") is not None

        join.wait_for(done, _BIRTHDAY if self.cell.birthday else _SEARCH)

    def _event(self, guest: Guest, join: PeerProcess, pids: list[int]) -> None:
        """Let it happen, and see for how long the game stands still and whether it gets its path back."""
        event, before = EVENTS[self.cell.event], len(join.steps)
        watch, ledger = Watch(pids), guest.ledger
        self.happened = time.monotonic()
        ledger.forget_silence()
        event.happen(self.stage.town.lab, *self.homes)
        watch.sleep(_FALLBACK)
        moves = join.steps[before:]
        silence, since = ledger.silence_until(time.monotonic())
        # The last moments of a silence are when somebody has to do something about it.
        starved = watch.between(since + event.outage, since + silence)
        self.outcome.silence = round(silence, 3)
        self.outcome.fallback = moves[0].letter if moves else None
        if silence > event.outage + FALLBACK + starved:
            self._problem(f"the game stood still for {silence:.2f} s, {starved:.2f} s starved")
        if event.best and not _until(
            lambda: join.carried_by is not None and not is_below(join.carried_by, self.cell.ceiling), BACK
        ):
            self._problem(f"the path did not come back: {join.carried_by}, was {self.cell.ceiling}")

    def _look(self, hosted: Hosted, guest: Guest, join: PeerProcess) -> None:
        """Write down what came of it and what is wrong with it."""
        outcome, steps = self.outcome, join.steps
        ended = join.find("ended")
        outcome.sentence = str(ended.get("text", "")) if ended else ""
        for name, player in (("host", hosted), ("guest", guest)):
            if player.error is not None:
                self._problem(f"the {name}'s game: {player.error!r}")
        if outcome.first_byte is None or not steps:
            self._problem("not connected")
            return
        if self.cell.event and self.outcome.silence is not None:
            # What the event led to was looked at; this is about the time before.
            steps = [step for step in steps if step.at < self.happened] or steps[:1]
        first, last = steps[0], steps[-1]
        outcome.first_letter, outcome.letter = first.letter, last.letter
        outcome.technique, outcome.transport, outcome.family = last.technique, last.transport, last.family
        assert guest.ledger.first is not None
        outcome.upgrade = round(max(0.0, last.at - guest.ledger.first), 3) if last is not first else 0.0
        if is_below(last.letter, outcome.ceiling):
            self._problem(f"below the ceiling: {last.letter}, could be {outcome.ceiling}")
        self._look_at_times()
        self._look_at_messages(guest, hosted.ledger)

    def _look_at_times(self) -> None:
        outcome = self.outcome
        assert outcome.first_byte is not None
        assert outcome.upgrade is not None
        if outcome.first_byte > FIRST_BYTE + outcome.starved:
            self._problem(
                f"first byte after {outcome.first_byte:.2f} s, {outcome.starved:.2f} s of it starved"
            )
        limit = UPGRADE + outcome.starved_upgrade
        if not self.cell.birthday and outcome.upgrade > limit:
            starved = outcome.starved_upgrade
            self._problem(f"best path {outcome.upgrade:.2f} s after the first byte, {starved:.2f} s starved")

    def _look_at_messages(self, guest: Guest, there: Ledger) -> None:
        back = guest.ledger
        if guest.ended:
            self._problem("the game's connection was ended")
        if guest.unanswered > 0:
            self._problem(f"{guest.unanswered} of {guest.sent} messages without an answer")
        for name, ledger in (("to the host", there), ("to the guest", back)):
            for what, number in (
                ("lost", len(ledger.lost)),
                ("out of order", ledger.reordered if self.cell.traffic == "tcp" else 0),
                ("twice", ledger.repeated),
            ):
                if number:
                    self._problem(f"{number} messages {what} on the way {name}")
        if self.cell.traffic == "tcp" and (there.early or back.early):
            self._problem("the first messages of a stream are missing")

    def _end(self, host: PeerProcess, join: PeerProcess) -> None:
        for name, process in (("guest", join), ("host", host)):
            status = process.stop()
            if status != 0:
                self._problem(f"the {name}'s program ended with {status}")

    def _keep(self, *processes: PeerProcess) -> None:
        """Everything needed to find out why."""
        parts = [f"{self.cell}\n", *(f"problem: {problem}\n" for problem in self.outcome.problems)]
        for process in processes:
            parts.append(f"\n=== wlnet {' '.join(process.words)}\n")
            parts += [f"{json.dumps(event)}\n" for event in list(process.events)]
            parts.append(f"--- standard error\n{process.errors}")
        parts.append("\n=== flows\n")
        parts += [flows(home) for home in self.homes]
        lines = self.stage.server.log.splitlines()
        parts.append("\n=== server\n")
        parts += [f"{line}\n" for line in lines if self.game in line]
        (self.folder / "report.txt").write_text("".join(parts))


def _until(condition: Any, limit: float) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def as_json(outcomes: list[Outcome]) -> str:
    """For `from_json`, and for whoever wants to look closer."""
    return json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n"


def from_json(text: str) -> list[Outcome]:
    """What `as_json` wrote."""
    return [Outcome(**entry) for entry in json.loads(text)]
