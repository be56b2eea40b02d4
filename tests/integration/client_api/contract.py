"""What the API promises, as tests for both frameworks against a real server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from itertools import count
from typing import Any, TypeVar

import pytest

from tests.support.server_process import ServerProcess
from wlnet.client.api import (
    Client,
    ClientError,
    HostedGame,
    LobbyError,
    OverError,
    PathNews,
    Player,
    RefusedError,
    Settings,
    TooMuchWaitingError,
    WrongUseError,
)
from wlnet.client.gather.words import GatherOptions
from wlnet.client.lobby.link import LobbyLimits
from wlnet.client.peer.options import PartyOptions
from wlnet.steering.model import PathKind

T = TypeVar("T")
QUICK = LobbyLimits(first_patience=1.0, shortest_pause=0.2, longest_pause=0.4)
_numbers = count(1)


class ApiContract(ABC):
    """Mixed into a test case."""

    server: ServerProcess

    @pytest.fixture(autouse=True)
    def _server(self, game_server: ServerProcess) -> None:
        self.server = game_server
        self.clients: list[Client] = []

    @abstractmethod
    def make(self, settings: Settings) -> Client:
        """A client of that framework."""

    @abstractmethod
    async def within(self, seconds: float, promise: Awaitable[T]) -> T:
        """Await it; TimeoutError if that takes longer, and then it is cancelled."""

    @abstractmethod
    def cancel(self, promise: Awaitable[Any]) -> None:
        """Give up waiting."""

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        with pytest.raises(TimeoutError):
            await self.within(seconds, self.clients[0].next_news())

    def client(self, name: str, server: ServerProcess | None = None, **changes: Any) -> Client:
        lobby = f"tcp://127.0.0.1:{(server or self.server).port('lobby')}"
        options = PartyOptions(gather=GatherOptions(mappings=False))
        settings = {"lobby": lobby, "name": name, "options": options, "lobby_limits": QUICK, **changes}
        client = self.make(Settings(**settings))
        self.clients.append(client)
        return client

    async def close(self) -> None:
        for client in self.clients:
            await self.within(10, client.close())

    async def table(self) -> tuple[HostedGame, Player, Player]:
        """A game, its guest and its host, as the host and the guest see them."""
        name = f"Game {next(_numbers)}"
        host, guest = self.client("host"), self.client("guest")
        game = await self.within(10, host.host(name, "udp"))
        there = await self.within(10, guest.join(name))
        here = await self.within(10, game.accept())
        return game, here, there

    async def fails(self, kind: type[ClientError], promise: Awaitable[Any], words: str = "") -> None:
        with pytest.raises(kind, match=words or None):
            await self.within(15, promise)

    # The lobby

    async def test_the_lobby_says_who_we_are(self) -> None:
        one, other = self.client("anna"), self.client("anna")
        names = {await self.within(10, one.ready()), await self.within(10, other.ready())}
        assert names == {"anna", "anna1"} == {one.name, other.name}
        assert await self.within(10, one.ready()) == one.name, "again, and at once"
        await self.close()

    async def test_with_an_account(self) -> None:
        carol = self.client("carol", password="correct horse")
        assert await self.within(10, carol.ready()) == "carol"
        stranger = self.client("carol", password="wrong")
        await self.fails(LobbyError, stranger.ready(), "did not accept the name and password")
        await self.fails(LobbyError, stranger.games(), "did not accept the name and password")
        await self.fails(LobbyError, stranger.host("Something"), "did not accept")
        await self.fails(LobbyError, stranger.join("Something"), "did not accept")
        await self.close()

    async def test_no_lobby_there(self) -> None:
        lost = self.client("lost", lobby="tcp://127.0.0.1:9")
        waiting: list[Awaitable[object]] = [lost.ready(), lost.host("Game"), lost.join("Other")]
        await self.fails(LobbyError, lost.games(), "not there")
        for promise in waiting:
            await self.fails(LobbyError, promise, "cannot be reached")
        assert "cannot be reached" in await self.within(5, lost.next_news())
        await self.close()

    async def test_nonsense_in_the_settings_is_raised_at_once(self) -> None:
        with pytest.raises(ValueError, match="is no lobby"):
            self.make(Settings(lobby="http://example.org", name="x"))

    # Hosting and joining

    async def test_a_game_is_listed_joined_and_taken_off_the_list(self) -> None:
        game, here, there = await self.table()
        host, guest = self.clients
        assert (here.name, there.name) == ("guest", "host")
        assert (here.is_host, there.is_host) == (False, True)
        assert here.game == there.game == game.name
        assert (host.players, guest.players) == ((here,), (there,))
        listed = await self.within(10, guest.games())
        assert [(one.host, one.traffic) for one in listed if one.game == game.name] == [("host", "udp")]
        assert game.is_listed
        waiting = game.accept()
        game.close()
        await self.fails(OverError, waiting, "took the game off")
        await self.fails(OverError, game.accept(), "took the game off")
        for _ in range(20):
            if not any(one.game == game.name for one in await self.within(10, guest.games())):
                break
        else:
            raise AssertionError("still listed")
        there.send(b"we go on")
        assert await self.within(10, here.receive()) == b"we go on"
        await self.close()

    async def test_what_cannot_be_joined_or_hosted(self) -> None:
        game, _, _ = await self.table()
        host, guest = self.clients
        await self.fails(RefusedError, guest.join("No such game"), ".")
        await self.fails(RefusedError, guest.host(game.name), ".")
        await self.fails(WrongUseError, guest.join(game.name))
        await self.fails(WrongUseError, host.host(game.name))
        await self.fails(RefusedError, host.join(game.name), ".")
        again = guest.host("Another"), guest.host("Another")
        await self.fails(WrongUseError, again[1])
        assert (await self.within(10, again[0])).name == "Another"
        await self.close()

    async def test_two_games_at_once(self) -> None:
        host, guest, other = self.client("host"), self.client("guest"), self.client("other")
        games = [await self.within(10, host.host(name)) for name in ("Left", "Right")]
        joins = [guest.join("Left"), other.join("Nowhere"), other.join("Right")]
        assert (await self.within(10, joins[0])).game == "Left"
        await self.fails(RefusedError, joins[1])
        assert (await self.within(10, joins[2])).game == "Right"
        assert [(await self.within(10, game.accept())).name for game in games] == ["guest", "other"]
        await self.close()

    async def test_who_gives_up_joining_is_in_no_game(self) -> None:
        host, guest = self.client("host"), self.client("guest")
        game = await self.within(10, host.host("Patience"))
        await self.within(10, guest.ready())
        self.cancel(guest.join("Patience"))
        player = await self.within(10, game.accept())
        assert await self.within(10, player.closed()) == "The other player ended it."
        assert guest.players == ()
        await self.close()

    # Streams

    async def test_streams_both_ways(self) -> None:
        _, here, there = await self.table()
        ours = there.open_stream(7)
        await self.within(10, ours.write(b"question"))
        ours.end()
        theirs = await self.within(10, here.accept_stream())
        assert (ours.purpose, theirs.purpose) == (7, 7)
        assert await self.within(10, theirs.read(5)) == b"quest"
        assert await self.within(10, theirs.read()) == b"ion"
        assert await self.within(10, theirs.read()) == b""
        await self.within(10, theirs.write(b"answer"))
        assert await self.within(10, ours.read_exactly(4)) == b"answ"
        theirs.end()
        await self.fails(OverError, ours.read_exactly(3), "ended the stream")
        assert await self.within(10, ours.read()) == b"er"
        assert await self.within(10, ours.read()) == b""
        await self.fails(OverError, ours.write(b"more"), "We ended")
        with pytest.raises(ValueError, match="purpose"):
            here.open_stream(255)
        await self.close()

    async def test_a_stream_is_written_as_fast_as_it_is_read(self) -> None:
        _, here, there = await self.table()
        ours = here.open_stream()
        sent = bytes(range(256)) * 16_384
        written = ours.write(sent)
        theirs = await self.within(10, there.accept_stream())
        got = bytearray(await self.within(10, theirs.read(1)))
        with pytest.raises(TimeoutError):
            await self.within(0.5, written)  # who stops waiting does not take it back
        await self.fails(TooMuchWaitingError, ours.write(b"x"), "bytes wait")
        ours.end()
        while data := await self.within(10, theirs.read()):
            got += data
        assert bytes(got) == sent
        await self.close()

    async def test_more_than_a_window_read_at_once(self) -> None:
        _, here, there = await self.table()
        ours = here.open_stream()
        sent = bytes(range(256)) * 4096
        written = ours.write(sent)
        theirs = await self.within(10, there.accept_stream())
        assert await self.within(20, theirs.read_exactly(len(sent))) == sent
        await self.within(10, written)
        await self.close()

    async def test_who_stops_waiting_loses_no_bytes(self) -> None:
        _, here, there = await self.table()
        ours = here.open_stream()
        await self.within(10, ours.write(b"1"))
        theirs = await self.within(10, there.accept_stream())
        assert await self.within(10, theirs.read()) == b"1"
        given_up = theirs.read()
        await self.fails(WrongUseError, theirs.read(), "one read at a time")
        await self.fails(WrongUseError, theirs.read(0))
        self.cancel(given_up)
        box = there.receive()
        self.cancel(box)
        await self.within(10, ours.write(b"2"))
        here.send(b"3")
        assert await self.within(10, theirs.read()) == b"2"
        assert await self.within(10, there.receive()) == b"3"
        await self.close()

    async def test_a_stream_is_broken_off(self) -> None:
        _, here, there = await self.table()
        ours = here.open_stream()
        await self.within(10, ours.write(b"half"))
        theirs = await self.within(10, there.accept_stream())
        assert await self.within(10, theirs.read_exactly(4)) == b"half"
        waiting = theirs.read()
        ours.abort()
        await self.fails(OverError, waiting, "broke it off")
        await self.fails(OverError, theirs.write(b"x"), "broke it off")
        await self.fails(OverError, ours.read(), "We broke")
        await self.fails(OverError, ours.write(b"x"), "We broke")
        assert not here.is_closed
        await self.close()

    # Datagrams

    async def test_datagrams(self) -> None:
        _, here, there = await self.table()
        for data in (b"", b"small", b"x" * 60_000):
            there.send(data)
            assert await self.within(10, here.receive()) == data
        with pytest.raises(ValueError, match="too long"):
            there.send(b"x" * 70_000)
        await self.close()

    async def test_datagrams_nobody_takes_do_not_pile_up(self) -> None:
        _, here, there = await self.table()
        stream = there.open_stream()
        for number in range(3000):
            there.send(b"%d" % number)
            if not number % 100:
                await self.within(10, stream.write(b"."))
        await self.pause(0.5)
        stream.end()
        taken = [await self.within(10, here.receive())]
        there.send(b"last")
        while taken[-1] != b"last":
            taken.append(await self.within(10, here.receive()))
        assert 10 < len(taken) <= 1025
        lost = 3001 - len(taken)
        assert 0 < here.datagrams_dropped <= lost
        await self.close()

    # Paths

    async def test_the_game_moves_to_a_better_path(self) -> None:
        _, here, there = await self.table()
        for player in (here, there):
            kinds = []
            while PathKind.DIRECT not in kinds:
                news = await self.within(10, player.next_path())
                assert isinstance(news, PathNews)
                assert news.reason
                kinds.append(news.kind)
            assert player.path is not None
            assert player.path.kind is PathKind.DIRECT
        await self.close()

    # The end

    async def test_a_player_leaves(self) -> None:
        _, here, there = await self.table()
        stream = here.open_stream()
        await self.within(10, stream.write(b"x"))
        waiting: list[Awaitable[object]] = [here.receive(), here.accept_stream(), stream.read()]
        closed = here.closed()
        assert await self.within(10, there.close("dinner is ready")) == "You ended it: dinner is ready."
        sentence = "The other player ended it: dinner is ready."
        assert await self.within(10, closed) == sentence
        assert await self.within(10, here.closed()) == sentence
        for promise in waiting:
            await self.fails(OverError, promise, "dinner is ready")
        await self.fails(OverError, stream.write(b"y"), "dinner is ready")
        with pytest.raises(OverError, match="dinner"):
            here.send(b"z")
        with pytest.raises(OverError, match="dinner"):
            here.open_stream()
        assert here.is_closed
        assert here.path is None
        assert self.clients[0].players == ()
        await self.close()

    async def test_he_can_come_again(self) -> None:
        game, here, there = await self.table()
        await self.within(10, there.close())
        await self.within(10, here.closed())
        again = await self.within(10, self.clients[1].join(game.name))
        there_again = await self.within(10, game.accept())
        again.send(b"back")
        assert await self.within(10, there_again.receive()) == b"back"
        await self.close()

    async def test_closing_breaks_every_promise_and_keeps_its_own(self) -> None:
        game, here, there = await self.table()
        host, guest = self.clients
        idle = self.client("idle", lobby="tcp://127.0.0.1:9")
        waiting: list[Awaitable[object]] = [
            game.accept(),
            here.receive(),
            here.next_path() if here.path is None else here.accept_stream(),
            idle.ready(),
            idle.join("Something"),
            idle.host("Something"),
        ]
        news = guest.next_news()
        closings = [host.close(), host.close(), idle.close(), guest.close()]
        for closing in closings:
            await self.within(10, closing)
        for promise in waiting:
            await self.fails(OverError, promise)
        await self.fails(OverError, news)
        assert there.is_closed
        await self.within(1, host.close())
        await self.fails(LobbyError, host.join(game.name), "closed the client")
        await self.fails(LobbyError, host.ready(), "closed the client")

    async def test_games_outlive_their_lobby_and_are_listed_again(self) -> None:
        server = ServerProcess(self.server.state_dir / f"own {next(_numbers)}")
        try:
            server.keep_ports()
            host, guest = self.client("host", server), self.client("guest", server)
            game = await self.within(10, host.host("Lasting"))
            there = await self.within(10, guest.join("Lasting"))
            here = await self.within(10, game.accept())
            while there.path is None or there.path.kind is not PathKind.DIRECT:
                await self.within(10, there.next_path())
            server.kill()
            assert "Trying again" in await self.within(10, guest.next_news())
            there.send(b"still here")
            assert await self.within(10, here.receive()) == b"still here"
            server.start()
            late = self.client("late", server)
            await self.within(10, late.ready())
            await self.within(10, host.ready())
            player = await self.within(10, late.join("Lasting"))
            assert player.name == "host"
            assert (await self.within(10, game.accept())).name == "late"
            await self.close()
        finally:
            server.stop()
