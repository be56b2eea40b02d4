"""Two of our clients behind NATs, with each transport for itself, reach what can be reached."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.natlab.lab import Lab
from tests.natlab.matrix.ceiling import OF_TECHNIQUE
from tests.natlab.site import Site
from tests.support.server_process import ServerProcess
from wlnet.steering.model import Technique

pytestmark = pytest.mark.natlab

DELAY = 0.01
LOBBY = 7395

CELLS = [
    # host, guest, what UDP and what TCP reaches
    ("port-restricted", "port-restricted", "P", "P"),
    ("pr-reject", "pr-reject", "P", "P"),
    ("pr-clash", "pr-clash", "P", "P"),
    ("eim-remap", "cgn", "P", "P"),
    ("full-cone", "sym-random", "S", "G"),  # over TCP filtering is not measured: it is tried as a guess
    ("restricted", "sym-random", "A", "A"),
    ("port-restricted", "pr-collide", "G", "G"),
    ("pr-collide", "pr-collide", "G", "G"),
    ("pr-collide", "sym-seq", "G", "G"),
    ("port-restricted", "sym-seq", "Q", "Q"),
    ("sym-seq", "port-restricted", "Q", "Q"),
    ("restricted", "sym-seq", "Q", "Q"),
    ("sym-seq", "sym-seq", "Q", "Q"),
    ("udp-blocked", "sym-seq", "R", "Q"),
    ("udp-blocked", "udp-blocked", "R", "P"),
    ("udp-blocked", "pr-collide", "R", "G"),
    ("port-restricted", "sym-random", "R", "R"),
]
BETTER = "LDMSPQGABR"


class Player:
    """The process of `party_player.py` in a home."""

    def __init__(self, site: Site, lab: Lab, role: str, game: str, transports: str) -> None:
        self.role = role
        self.events: list[dict[str, Any]] = []
        self.process = site.popen(
            [
                sys.executable, "-m", "tests.natlab.party_player", f"tcp://{lab.server.ipv4}:{LOBBY}",
                role, game, transports,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        begun = time.monotonic()
        for line in self.process.stdout:
            self.events.append({"at": round(time.monotonic() - begun, 3), **json.loads(line)})

    def saw(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"] == event]

    @property
    def letter(self) -> str | None:
        """The way its game takes now."""
        paths = self.saw("path")
        return OF_TECHNIQUE[Technique(paths[-1]["technique"])] if paths else None

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            assert self.process.wait(6) == 0
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self._reader.join(2)


class World:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def pair(self, host: str, guest: str, transports: str) -> tuple[Player, Player]:
        sites = [self.lab.site(kind, delay=DELAY) for kind in (host, guest)]
        game = uuid.uuid4().hex[:8]
        first = Player(sites[0], self.lab, "host", game, transports)
        wait(lambda: first.saw("published"), 8, first)
        return first, Player(sites[1], self.lab, "join", game, transports)


@pytest.fixture(scope="module")
def world(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Lab() as lab:
        server = ServerProcess(
            tmp_path_factory.mktemp("pairs"),
            {
                "lobby.port": LOBBY,
                "stun.port": 3478,
                "stun.second_port": 3479,
                "stun.second_addresses": [lab.server.second_ipv4, lab.server.second_ipv6],
            },
            lab.server.namespace.prefix(),
        )
        yield World(lab)
        assert server.stop() == 0
        server.check_log()


def wait(so: Callable[[], object], seconds: float, *players: Player) -> None:
    deadline = time.monotonic() + seconds
    while not so():
        for player in players:
            assert player.process.poll() is None, f"the {player.role} ended: {player.events}"
        assert time.monotonic() < deadline, "\n".join(
            f"{player.role} {event}" for player in players for event in player.events
        )
        time.sleep(0.02)


def cells() -> Iterator[tuple[str, str, str, str]]:
    """Each transport for itself; without TCP who has no UDP reaches nobody."""
    for host, guest, udp, tcp in CELLS:
        if "udp-blocked" not in (host, guest):
            yield host, guest, "udp", udp
        yield host, guest, "tcp", tcp


@pytest.mark.parametrize(("host", "guest", "transport", "wanted"), list(cells()))
def test_pair(world: World, host: str, guest: str, transport: str, wanted: str) -> None:
    players = world.pair(host, guest, transport)
    try:
        wait(lambda: all(player.letter for player in players), 8, *players)

        def reached() -> bool:
            letters = [player.letter for player in players]
            return all(letter and BETTER.index(letter) <= BETTER.index(wanted) for letter in letters)

        wait(reached, 10, *players)
        time.sleep(0.5)
        assert reached()
    finally:
        for player in players:
            player.end()
