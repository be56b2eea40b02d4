"""A server for hostile strangers, the pair next door, and what is looked at after each attack."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.server.conftest import People, people
from tests.support.exchange_client import ExchangeClient
from tests.support.pair_player import PairPlayer
from tests.support.server_process import ServerProcess, Settings
from tests.support.wire_client import wait_for
from wlnet.protocols.exchange.messages import Carried, Renew
from wlnet.rendezvous.events import Begin, Granted, PlanPart, RelayGrant, Settled
from wlnet.steering.model import PathKind, Technique

__all__ = ["people"]

CONNECT_TIME = 1.2
TICKET_LIFETIME = 3.0
HANDSHAKE_TIME = 0.5
SETTINGS: Settings = {
    "lobby.close_linger": 0.2,
    "lobby.lost_session_lifetime": 0.3,
    "lobby.announce_delay": 0.2,
    "lobby.leave_delay": 0.2,
    "lobby.update_interval": 0.1,
    "rendezvous.gather_time": 0.2,
    "rendezvous.connect_time": CONNECT_TIME,
    "rendezvous.upgrade_time": 2.0,
    "rendezvous.probe_time": 0.5,
    "rendezvous.ticket_lifetime": TICKET_LIFETIME,
    "rendezvous.clock_skew": 0,
    "pairs.idle": 8.0,
    "pairs.tcp_handshake_timeout": HANDSHAKE_TIME,
    "limits.command_rate": 0,
    "limits.games_per_player": 1,
    "limits.log_rate": 0,
    "logging.level": "debug",
    "logging.figures_interval": 0.1,
}
MEMORY = 24 * 2**20
"""Bytes an attack may leave behind: what the allocator keeps, and nothing that grows with its size."""


@pytest.fixture(scope="session")
def hostile_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server all attacks here are made on; its log is looked at in the end."""
    server = ServerProcess(tmp_path_factory.mktemp("hostile"), SETTINGS)
    try:
        yield server
        assert server.runs, server.log
        assert server.stop() == 0
    finally:
        server.kill()
    server.check_log()


def speaker(server: ServerProcess, people: People, stem: str, source: str = "127.0.0.2") -> ExchangeClient:
    """A player who speaks the exchange."""
    return ExchangeClient(people.player(server, stem, source=source))


class Two:
    """A guest and a host who have begun to meet."""

    def __init__(self, server: ServerProcess, people: People) -> None:
        self.game = people.name("peer")
        self.host = speaker(server, people, "host")
        self.guest = speaker(server, people, "guest", "127.0.0.3")
        self.host.publish(self.game)
        self.meet()

    def meet(self) -> None:
        """Begin (again)."""
        self.theirs = self.guest.join(self.game)
        self.mine = self.host.hear(Begin)
        self.attempt = self.mine.attempt

    def relay_step(self) -> int:
        """The step over UDP to the relay, which both get at once."""
        part = self.host.hear(PlanPart)
        self.guest.hear(PlanPart)
        return next(step.number for step in part.steps if step.technique is Technique.RELAY_UDP)

    @property
    def grants(self) -> tuple[RelayGrant, RelayGrant]:
        """Of the host, and of the guest."""
        assert self.mine.relay is not None
        assert self.theirs.relay is not None
        return self.mine.relay, self.theirs.relay


class Neighbours:
    """Two who play over the relay while others attack."""

    def __init__(self, server: ServerProcess, people: People, stack: ExitStack) -> None:
        self.two = Two(server, people)
        mine, theirs = self.two.grants
        self.host = stack.enter_context(PairPlayer(mine, source="127.0.0.2"))
        self.guest = stack.enter_context(PairPlayer(theirs, tcp=True, source="127.0.0.3"))
        self.worst = 0.0
        self._said = 0
        step = self.two.relay_step()
        for side in (self.two.host, self.two.guest):
            side.say(Carried(attempt=self.two.attempt, step=step))
        assert self.two.guest.hear(Settled).kind is PathKind.RELAYED

    def check(self) -> None:
        """A datagram each way, and a question to the rendezvous."""
        began = time.monotonic()
        self._across(self.guest, self.host)
        self._across(self.host, self.guest)
        self.two.guest.say(Renew(attempt=self.two.attempt))
        self.two.guest.hear(Granted)
        self.worst = max(self.worst, time.monotonic() - began)

    def _across(self, one: PairPlayer, other: PairPlayer) -> None:
        """Like any game over UDP they repeat what was lost: a full socket of the system loses something."""
        self._said += 1
        payload = b"\x40" + self._said.to_bytes(4, "big")
        for _ in range(10):
            one.say(payload)
            try:
                while other.hear(0.2) != payload:
                    pass
            except TimeoutError:
                continue
            return
        raise AssertionError("nothing came across")


class Watch:
    """What a server counted, logged and used since a test began."""

    def __init__(self, server: ServerProcess, neighbours: Neighbours) -> None:
        self.server = server
        self.neighbours = neighbours
        neighbours.check()
        time.sleep(0.12)  # one more line of figures
        self._figures = self.figures()
        self._log_at = len(server.log)
        self._memory = server.memory

    def figures(self) -> dict[str, float]:
        """The last line of figures in the log."""
        lines = re.findall(r"figures: (.*)", self.server.log)
        pairs = (part.rpartition(" ") for part in (lines[-1] if lines else "").split(", ") if part)
        return {name: float(value) for name, _, value in pairs}

    @property
    def log(self) -> str:
        """What was logged since."""
        return self.server.log[self._log_at :]

    def counted(self, name: str) -> float:
        """How much a figure has grown."""
        return self.figures().get(name, 0.0) - self._figures.get(name, 0.0)

    def expect(self, name: str, times: int, logged: str) -> None:
        """The limit *name* did its work so often, and the log says *logged*."""
        wait_for(lambda: self.counted(name) >= times, what=f"{name} to be counted: {self.figures()}")
        assert self.counted(name) == times, (name, self.counted(name))
        wait_for(lambda: logged in self.log, what=f"{logged!r} to be logged")

    def check(self) -> None:
        """Nobody was disturbed, and nothing piles up."""
        self.neighbours.check()
        assert self.neighbours.worst < 1.5
        assert self.server.runs
        grown = self.server.memory - self._memory
        assert grown < MEMORY, f"{grown} bytes more"
        assert "Traceback" not in self.log


@pytest.fixture
def watch(hostile_server: ServerProcess, people: People) -> Iterator[Watch]:
    """Looks at the server; the checks at the end are those of every attack."""
    assert hostile_server.runs, hostile_server.log
    with ExitStack() as stack:
        one = Watch(hostile_server, Neighbours(hostile_server, people, stack))
        yield one
        one.check()


@pytest.fixture
def two(hostile_server: ServerProcess, people: People) -> Two:
    """Two whose attempt is under attack, or who are the attackers."""
    return Two(hostile_server, people)
