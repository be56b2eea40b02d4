"""Servers for the tests here: each is a process; most tests share one."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.server_process import ServerProcess, Settings, add_account
from tests.support.wire_client import Closed, LobbyClient, RelayClient, pack

QUICK: Settings = {
    "lobby.announce_delay": 0.2,
    "lobby.leave_delay": 0.2,
    "lobby.update_interval": 0.1,
    "moderation.refresh_interval": 0.2,
    "relay.farewell_delay": 0.05,
    "moderation.kick_duration": 300,
}
PASSWORDS = {"otto": "geheim", "erna": "ganz geheim", "boss": "chef", "chief": "chef2"}

Start = Callable[..., ServerProcess]


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with accounts in it: otto and erna registered, boss and chief superusers."""
    state_dir = tmp_path_factory.mktemp("accounts")
    for name, password in PASSWORDS.items():
        add_account(state_dir, name, password, "superuser" if name in ("boss", "chief") else "registered")
    return state_dir


def start_with_accounts(accounts: Path, state_dir: Path, settings: Settings) -> ServerProcess:
    """A server with a copy of the accounts."""
    shutil.copytree(accounts, state_dir, dirs_exist_ok=True)
    return ServerProcess(state_dir, settings)


@pytest.fixture(scope="session")
def shared_server(accounts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server most tests share; its log is looked at in the end."""
    server = start_with_accounts(accounts, tmp_path_factory.mktemp("shared"), QUICK)
    try:
        yield server
        assert server.runs, server.log
        assert server.stop() == 0
    finally:
        server.kill()
    server.check_log()


@pytest.fixture(scope="session")
def shared_unchanged_server(
    accounts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with the timers as they come."""
    server = start_with_accounts(accounts, tmp_path_factory.mktemp("unchanged"), {})
    try:
        yield server
        assert server.runs, server.log
        assert server.stop() == 0
    finally:
        server.kill()
    server.check_log()


@pytest.fixture
def server(shared_server: ServerProcess) -> ServerProcess:
    """The shared server with short timers, which must still be there."""
    assert shared_server.runs, shared_server.log
    return shared_server


@pytest.fixture
def unchanged_server(shared_unchanged_server: ServerProcess) -> ServerProcess:
    """The shared server with default timers, which must still be there."""
    assert shared_unchanged_server.runs, shared_unchanged_server.log
    return shared_unchanged_server


@pytest.fixture
def start(accounts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server of one's own; it is stopped in the end and its log looked at."""
    started: list[ServerProcess] = []

    def begin(settings: Settings | None = None, state_dir: Path | None = None) -> ServerProcess:
        own = ServerProcess(state_dir, settings) if state_dir else start_with_accounts(
            accounts, tmp_path_factory.mktemp("own"), settings or {}
        )  # fmt: skip
        started.append(own)
        return own

    try:
        yield begin
        for own in started:
            own.ask_to_stop()
        for own in started:
            if own.asked:
                assert own.stop() == 0
    finally:
        for own in started:
            own.kill()
    for own in started:
        own.check_log()


class People:
    """Makes players and closes their connections at the end of the test."""

    _numbers = itertools.count(1)

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def name(self, stem: str = "someone") -> str:
        """A name nobody had before."""
        return f"{stem}.{next(self._numbers)}."

    def guest(
        self,
        server: ServerProcess,
        host: str = "127.0.0.1",
        *,
        source: str | None = None,
        window: int | None = None,
    ) -> LobbyClient:
        """A connection that has not logged in."""
        client = server.lobby(host, source=source, window=window)
        self._stack.callback(self._goodbye, client)
        return client

    def player(
        self,
        server: ServerProcess,
        stem: str = "player",
        *,
        name: str | None = None,
        host: str = "127.0.0.1",
        source: str | None = None,
        version: int = 6,
        build: str = "1.2.1",
        nonce: str | None = None,
        password: str | None = None,
    ) -> LobbyClient:
        """Somebody logged in."""
        client = self.guest(server, host, source=source)
        return client.log_in(
            name or self.name(stem), version=version, build=build, nonce=nonce, password=password
        )

    def peer(
        self,
        server: ServerProcess,
        host: str = "127.0.0.1",
        *,
        source: str | None = None,
        window: int | None = None,
    ) -> RelayClient:
        """A connection to the relay that has not said Hello."""
        return self._stack.enter_context(server.relay(host, source=source, window=window))

    def game(
        self, server: ServerProcess, *, guests: int = 0, owner: LobbyClient | None = None
    ) -> tuple[str, LobbyClient, RelayClient, list[RelayClient]]:
        """A game with its host at the relay and so many guests (ids 2, 3, ...): name, owner, host, guests."""
        owner = owner or self.player(server, "owner")
        name = self.name("game")
        password, _ = owner.open_game(name)
        host = self.peer(server).join(name, password)
        joined = []
        for number in range(guests):
            joined.append(self.peer(server).join(name))
            assert host.next() == ("ConnectClient", number + 2)
        return name, owner, host, joined

    @staticmethod
    def _goodbye(client: LobbyClient) -> None:
        try:
            client.try_send(pack("DISCONNECT", "CONNECTION_CLOSED"))
        except (Closed, OSError):
            pass
        client.close()


@pytest.fixture
def people() -> Iterator[People]:
    """Players for one test."""
    with ExitStack() as stack:
        yield People(stack)
