"""The link against a real server process: accounts, messages, a restart, another server's manners."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.support.server_process import ServerProcess, add_account
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.link import LobbyHandler, LobbyLimits, LobbyLink
from wlnet.client.lobby.session import Login
from wlnet.client.net.shell_asyncio import AsyncioNetwork
from wlnet.protocols.exchange.messages import Hello, ListGames, Publish
from wlnet.rendezvous.events import Games, ListedGame, Published, Told

BUILD = "wlnet test"
QUICK = LobbyLimits(shortest_pause=0.2, longest_pause=0.5)


class Player(LobbyHandler):
    """One link, and what it tells."""

    def __init__(self, host: str, port: int, login: Login, limits: LobbyLimits = QUICK) -> None:
        self.names: list[str] = []
        self.hello: list[Hello] = []
        self.heard: list[Told] = []
        self.lost: list[str] = []
        self.gone = ""
        address = LobbyAddress(host, port)
        self.link = LobbyLink(AsyncioNetwork(), address, login, self, limits=limits)

    def lobby_ready(self, name: str, hello: Hello) -> None:
        self.names.append(name)
        self.hello.append(hello)

    def lobby_tickets(self, hello: Hello) -> None:
        self.hello.append(hello)

    def lobby_told(self, told: Told) -> None:
        self.heard.append(told)

    def lobby_line(self, text: str) -> None:
        pass

    def lobby_trouble(self, text: str) -> None:
        raise AssertionError(text)

    def lobby_lost(self, text: str, again: float) -> None:
        self.lost.append(text)

    def lobby_gone(self, text: str) -> None:
        self.gone = text

    async def until(self, what: Callable[[], object], seconds: float = 15.0) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while not what():
            assert clock() < end, (self.names, self.heard, self.lost, self.gone)
            await asyncio.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    running: list[ServerProcess] = []

    def begin(**settings: str | int | float | bool) -> ServerProcess:
        server = ServerProcess(tmp_path, {name.replace("__", "."): value for name, value in settings.items()})
        running.append(server)
        return server

    try:
        yield begin
    finally:
        for server in running:
            server.kill()
    for server in running:
        server.check_log()


def play(script: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(_run(script), 60))


async def _run(script: Callable[[], Awaitable[None]]) -> None:
    await script()


def test_a_game_is_published_and_another_player_finds_it(start: Callable[..., ServerProcess]) -> None:
    server = start()

    async def script() -> None:
        ann = Player("localhost", server.port("lobby"), Login(name="ann", secret="a", build=BUILD))
        bob = Player("127.0.0.1", server.port("lobby"), Login(name="bob", secret="b", build=BUILD))
        await ann.until(lambda: ann.names and bob.names)
        assert ann.link.say(Publish(game="duel", traffic="udp", fingerprint="a" * 64))
        await ann.until(lambda: ann.heard)
        assert ann.heard == [Published(game="duel")]
        bob.link.say(ListGames())
        await bob.until(lambda: bob.heard)
        assert bob.heard == [Games(games=(ListedGame(game="duel", host="ann", traffic="udp"),))]
        assert bob.link.negotiate()
        await bob.until(lambda: len(bob.hello) == 2)
        assert set(bob.hello[0].observe).isdisjoint(bob.hello[1].observe)
        # Who leaves politely is gone at once, and his name is free.
        ann.link.close()
        again = Player("127.0.0.1", server.port("lobby"), Login(name="ann", secret="c", build=BUILD))
        await again.until(lambda: again.names)
        assert again.names == ["ann"]
        again.link.close()
        bob.link.close()

    play(script)


def test_accounts(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    add_account(tmp_path, "otto", "geheim", "registered")
    server = start()

    async def script() -> None:
        def login(password: str | None) -> Player:
            who = Login(name="otto", password=password, secret="x", build=BUILD)
            return Player("127.0.0.1", server.port("lobby"), who)

        otto, wrong, stranger, twin = login("geheim"), login("falsch"), login(None), None
        await otto.until(lambda: otto.names and wrong.gone and stranger.names)
        assert (otto.names, stranger.names) == (["otto"], ["otto1"])
        assert "password" in wrong.gone
        twin = login("geheim")
        await twin.until(lambda: twin.names)
        assert twin.names == ["otto2"]
        for player in (otto, stranger, twin):
            player.link.close()

    play(script)


def test_a_restarted_server_gives_the_seat_back(start: Callable[..., ServerProcess]) -> None:
    server = start()

    async def script() -> None:
        ann = Player("127.0.0.1", server.port("lobby"), Login(name="ann", secret="a", build=BUILD))
        await ann.until(lambda: ann.names)
        server.kill()
        await ann.until(lambda: ann.lost)
        start(lobby__port=server.port("lobby"))
        await ann.until(lambda: len(ann.names) == 2)
        assert ann.names == ["ann", "ann"]
        ann.link.close()

    play(script)


def test_a_lobby_without_the_extension(start: Callable[..., ServerProcess]) -> None:
    server = start(rendezvous__enabled=False)

    async def script() -> None:
        ann = Player("127.0.0.1", server.port("lobby"), Login(name="ann", secret="a", build=BUILD))
        await ann.until(lambda: ann.gone)
        assert "WLNET" in ann.gone

    play(script)


def test_who_is_kicked_does_not_come_back(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    add_account(tmp_path, "boss", "chef", "superuser")
    server = start()

    async def script() -> None:
        ann = Player("127.0.0.1", server.port("lobby"), Login(name="ann", secret="a", build=BUILD))
        await ann.until(lambda: ann.names)
        with server.lobby() as boss:
            boss.log_in("boss", password="chef")
            boss.send("CMD", "kick", "ann")
            await ann.until(lambda: ann.gone)
        assert "kicked" in ann.gone
        assert ann.lost == []

    play(script)


def test_something_that_is_no_lobby(start: Callable[..., ServerProcess]) -> None:
    server = start()

    async def script() -> None:
        ann = Player("127.0.0.1", server.port("relay"), Login(name="ann", secret="a", build=BUILD))
        await ann.until(lambda: ann.gone or ann.lost)
        assert ann.names == []
        ann.link.close()

    play(script)
