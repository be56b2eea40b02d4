"""Players at home behind routers: a real client each, and an agent of theirs or none."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e import actions, layout
from tests.e2e.client import Client, Identity
from tests.e2e.observer import Observer
from tests.e2e.sockets import Socket, sockets_of
from tests.e2e.traffic import Traffic
from tests.e2e.waiting import wait_for
from tests.e2e.world import artifacts_folder, explain, missing_programs
from tests.natlab.lab import Lab, why_not
from tests.natlab.matrix.peers import Event, PeerProcess
from tests.natlab.site import Site
from tests.support.server_process import PROGRAMS, ServerProcess

LOBBY_PORT, RELAY_PORT = 7395, 7397
HERE = "127.0.0.1"
DELAY = 0.01
PORTS = {"lobby.port": LOBBY_PORT, "relay.port": RELAY_PORT, "stun.port": 3478, "stun.second_port": 3479}


T = TypeVar("T", bound="Homes")


class Home:
    """One player's home.

    :ivar agent: None: there is none.
    """

    def __init__(self, site: Site, client: Client, agent: Agent | None) -> None:
        self.site = site
        self.client = client
        self.agent = agent

    @property
    def name(self) -> str:
        return self.client.who.name

    @property
    def told(self) -> Agent:
        assert self.agent is not None
        return self.agent

    @property
    def lone(self) -> PeerProcess:
        """The process of an agent that runs by itself."""
        assert isinstance(self.agent, LoneAgent)
        return self.agent.process

    def sockets(self) -> list[Socket]:
        """What the game is connected to, from the kernel."""
        return sockets_of(self.client.pid)

    def peers(self) -> list[str]:
        return [one.peer for one in self.sockets()]

    def relay_socket(self) -> Socket:
        """The game's connection to what it takes for the relay."""
        (found,) = [one for one in self.sockets() if one.peer_port == RELAY_PORT]
        return found


class Agent:
    """What an agent told, of one kind or another."""

    @property
    def events(self) -> list[Event]:
        raise NotImplementedError

    def mark(self) -> int:
        """Later searches can start here."""
        return len(self.events)

    def find(self, event: str, since: int = 0, **expected: object) -> list[Event]:
        return [
            one
            for one in self.events[since:]
            if one.get("event") == event and all(one.get(key) == value for key, value in expected.items())
        ]

    def wait(self, event: str, since: int = 0, timeout: float = 20.0, **expected: object) -> Event:
        found = wait_for(
            lambda: self.find(event, since, **expected), f"{event} {expected} told by an agent", timeout
        )
        return found[0]

    @property
    def path(self) -> str | None:
        """The kind of path that carries the game now."""
        for event in reversed(self.events):
            if event.get("event") == "path":
                return str(event["path"])
            if event.get("event") in ("path-gone", "parted"):
                return None
        return None

    def wait_path(self, kind: str, timeout: float = 30.0) -> None:
        wait_for(lambda: self.path == kind, f"a path that is {kind}", timeout)


class LoneAgent(Agent):
    """It runs by itself and waits for a game."""

    def __init__(self, process: PeerProcess) -> None:
        self.process = process

    @property
    def events(self) -> list[Event]:
        return list(self.process.events)


class StartingAgent(Agent):
    """It started the game; both write into one log."""

    def __init__(self, log: Path) -> None:
        self._log = log

    @property
    def events(self) -> list[Event]:
        lines = self._log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"event"')]


class Homes:
    """A laboratory with a server, an observer at the server, and homes."""

    @classmethod
    def opened(cls: type[T], folder: Path, part: str) -> Iterator[T]:
        """Built, and closed in the end; the test is skipped where that cannot be."""
        missing, reason = missing_programs(), why_not()
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)} (see tests/e2e/packages.txt)")
        if reason:
            pytest.skip(f"no NAT laboratory: {reason}")
        made = cls(folder, part)
        try:
            yield made
        finally:
            made.close()

    def __init__(self, folder: Path, part: str) -> None:
        self.artifacts = artifacts_folder(part)
        self.failed_step = ""
        self.homes: list[Home] = []
        self._folder = folder
        self._stack = ExitStack()

    def build(self) -> None:
        """The internet and the server."""
        self.lab = self._stack.enter_context(Lab())
        second = [self.lab.server.second_ipv4, self.lab.server.second_ipv6]
        self.server = ServerProcess(
            self._folder / "server",
            {**PORTS, "stun.second_addresses": second, "limits.log_rate": 0.0, "logging.level": "debug"},
            self.lab.server.namespace.prefix(),
        )
        self._stack.callback(self.server.kill)
        self._stack.callback(self._keep_log)
        self.observe()

    def observe(self) -> None:
        """Log in to the lobby (again)."""
        self.observer = self.lab.server.namespace.call(lambda: Observer("watcher", HERE, LOBBY_PORT))
        self._stack.callback(self.observer.close)

    @property
    def lobby(self) -> str:
        return f"tcp://{self.lab.server.ipv4}"

    def home(self, name: str, kind: str, *, agent: bool = True) -> Home:
        """With a game that is told of the agent on its machine, or of the server if there is none."""
        site = self.lab.site(kind, delay=DELAY)
        words = ["agent", "--lobby", self.lobby]
        lone = None
        if agent:
            process = PeerProcess(site.host, words, self._folder / f"agent-{name}")
            self._stack.callback(self._close_agent, name, process)
            lone = LoneAgent(process)
        who = Identity(name, HERE if agent else self.lab.server.ipv4, LOBBY_PORT)
        return self._add(site, self._client(who, site.host.namespace.prefix()), lone)

    def started_by_agent(self, name: str, kind: str) -> Home:
        """The agent starts the game, and tells it where it is."""
        site = self.lab.site(kind, delay=DELAY)
        prefix = [
            *site.host.namespace.prefix(), str(PROGRAMS / "wlnet"), "agent", "--lobby", self.lobby,
            "--json", "--user", "root", "--",
        ]  # fmt: skip
        self._stack.callback(self._end_strays, site)
        client = self._client(Identity(name, "", 0), prefix)
        return self._add(site, client, StartingAgent(client.log_path))

    def _end_strays(self, site: Site) -> None:
        """A game whose agent was killed."""
        name = site.host.namespace.name
        found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
        for pid in found.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def _client(self, who: Identity, prefix: list[str]) -> Client:
        client = Client(who, self._folder, self.artifacts, prefix)
        self._stack.callback(client.close)
        return client

    def _add(self, site: Site, client: Client, agent: Agent | None) -> Home:
        home = Home(site, client, agent)
        self.homes.append(home)
        return home

    def together(self, action: Callable[[Home], object], *homes: Home) -> None:
        """Let several players do the same at the same time."""
        with ThreadPoolExecutor(len(homes)) as pool:
            list(pool.map(action, homes))

    def log_in(self, *homes: Home) -> None:
        """From the start of the games to the lobby."""

        def act(home: Home) -> None:
            if home.agent is not None:
                home.agent.wait("listening")
            home.client.screen.wait_text("Exit Widelands", layout.MENU_EXIT, timeout=60)
            actions.log_in(home.client)

        self.together(act, *homes)

    def running(self, *homes: Home) -> None:
        """Time passes for all of them, and the host (the first) found no difference."""
        since = [home.client.mark() for home in homes]
        for home, mark in zip(homes[1:], since[1:], strict=True):
            actions.wait_running(homes[0].client, home.client, since[0], mark)

    def count_traffic(self) -> None:
        """From now on, of all homes."""
        self.traffic = Traffic(self.lab, [home.site for home in self.homes])

    def _close_agent(self, name: str, process: PeerProcess) -> None:
        process.stop()
        events = [*process.events, {"event": "standard error", "text": process.errors}]
        process.kill()
        (self.artifacts / f"agent-{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in events))

    def _keep_log(self) -> None:
        (self.artifacts / "server.log").write_text(self.server.log)

    def shoot(self, title: str) -> None:
        """Screenshots of all displays; what the agents told until then."""
        self.together(lambda home: self._shoot(home, title), *self.homes)
        self._keep_log()

    def _shoot(self, home: Home, title: str) -> None:
        if home.agent is not None:
            text = "".join(f"{json.dumps(one)}\n" for one in home.agent.events)
            (self.artifacts / f"agent-{home.name}.jsonl").write_text(text)
        with contextlib.suppress(OSError, subprocess.SubprocessError):  # that display is what failed
            home.client.shoot(title)

    def explain(self) -> str:
        """For a failure report."""
        return explain(self.artifacts)

    def close(self) -> None:
        self._stack.close()
