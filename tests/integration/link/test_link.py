"""Lobby and relays joined over real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from itertools import count
from typing import Any, cast

from twisted.internet import reactor as _reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port
from twisted.logger import ILogObserver, Logger, LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.unit.link.fakes import (
    SECRET,
    Answers,
    FakeJournal,
    FakeLobby,
    FakeRelay,
    card,
    relays,
    sanctions,
)
from wlnet.agenda import Agenda
from wlnet.config.schema import Config, Link
from wlnet.link.messages import FromLobby, FromRelay, Hello
from wlnet.link.relay_end import RelayEnd
from wlnet.link.relay_link import RelayLink
from wlnet.link.relays import Relays
from wlnet.link.server import LinkClient, LinkConnection, LinkServer
from wlnet.metrics import Front, Limit, Metrics
from wlnet.moderation.sanctions import Kind, Sanctions, Target

assert isinstance(_reactor, PosixReactorBase)
reactor: PosixReactorBase = _reactor

_instances = count(1)


class RealAgenda(Agenda):
    """An agenda the reactor drives."""

    def __init__(self) -> None:
        super().__init__(reactor.seconds)
        self._call: IDelayedCall | None = None
        self.on_earlier = self._set

    def _set(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        when = self.next_deadline()
        if when is not None:
            self._call = reactor.callLater(max(0.0, when - self.now()), self._run)

    def _run(self) -> None:
        self._call = None
        try:
            self.run_due()
        finally:
            self._set()

    def stop(self) -> None:
        self.on_earlier = lambda: None
        if self._call is not None and self._call.active():
            self._call.cancel()


async def until(what: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until *what* is true."""
    end = reactor.seconds() + seconds
    while not what():
        assert reactor.seconds() < end, "it did not happen in time"
        await deferLater(reactor, 0.01)


class LobbySide:
    """A lobby process: it can be stopped, and started anew on the same port without any memory."""

    def __init__(self, agenda: Agenda, settings: Link, secret: bytes, bans: Sanctions) -> None:
        self.agenda, self.settings, self.secret, self.bans = agenda, settings, secret, bans
        self.port = 0
        self.listening: Port | None = None
        self.metrics = Metrics()
        self.journal = FakeJournal()
        self.start()

    lobby: FakeLobby
    relays: Relays

    def start(self) -> None:
        self.lobby = FakeLobby()
        self.relays = relays(
            self.agenda, self.settings, bans=self.bans, metrics=self.metrics, journal=self.journal
        )
        self.relays.start(self.lobby)
        server = LinkServer(
            self.relays, self.secret, self.agenda, Config(link=self.settings), self.metrics,
            lambda: os.urandom(32),
        )  # fmt: skip
        self.listening = reactor.listenTCP(self.port, server, interface="127.0.0.1")
        self.port = cast(IPv4Address, self.listening.getHost()).port

    async def stop(self) -> None:
        self.relays.stop()
        if self.listening is not None:
            listening, self.listening = self.listening, None
            stopped = listening.stopListening()
            if isinstance(stopped, Deferred):
                await stopped


class RelaySide:
    """A relay process."""

    def __init__(self, agenda: Agenda, settings: Link, name: str, secret: bytes) -> None:
        hello = Hello(
            name=name, instance=f"instance-number-{next(_instances)}", public=(), listen=("0.0.0.0", "::"),
            own=(), port=7397, capacity=10,
        )  # fmt: skip
        self.bans = sanctions()
        self.end = RelayEnd(lambda: hello, self.bans, Logger("wlnet.link"))
        self.relay = FakeRelay(self.end)
        self.end.start(self.relay)
        self.client = LinkClient(
            reactor, self.end, secret, agenda, settings, lambda: os.urandom(32), lambda: 0.5,
            Logger("wlnet.link"),
        )  # fmt: skip
        self.client.start()


class LinkTest(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.agenda = RealAgenda()
        self.addCleanup(self.agenda.stop)
        self.bans = sanctions()
        self.log: list[str] = []
        observer = cast(ILogObserver, self.observe)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: dict[str, Any]) -> None:
        if event.get("log_namespace") == "wlnet.link" and event.get("log_level") is not LogLevel.debug:
            self.log.append(str(event["log_format"]).format(**event))

    def start_lobby(self, secret: bytes = SECRET, **settings: object) -> LobbySide:
        values: dict[str, object] = {"reconnect_min": 0.05, "reconnect_max": 0.2, "keepalive": 0.5}
        self.settings = Link(**(values | settings))  # type: ignore[arg-type]
        side = LobbySide(self.agenda, self.settings, secret, self.bans)
        self.addCleanup(lambda: Deferred.fromCoroutine(side.stop()))
        return side

    def start_relay(self, lobby_port: int, name: str = "r1", secret: bytes = SECRET) -> RelaySide:
        settings = Link(lobby=f"127.0.0.1:{lobby_port}", reconnect_min=0.05, reconnect_max=0.2, keepalive=0.5)
        side = RelaySide(self.agenda, settings, name, secret)
        self.addCleanup(side.client.stop)
        return side

    async def open(self, lobby: LobbySide, room_id: str, game: str) -> bool:
        answers = Answers()
        lobby.relays.open_room(room_id, "password", card(game), answers)
        await until(lambda: answers.given)
        return answers.given[0]

    async def test_a_game_from_opening_to_its_end(self) -> None:
        lobby = self.start_lobby()
        relay = self.start_relay(lobby.port)
        await until(lambda: lobby.relays.linked() == ["r1"])
        assert lobby.lobby.told == [("found", "r1")]

        assert await self.open(lobby, "room1", "a game")
        assert relay.relay.passwords == {"room1": "password"}
        assert lobby.relays.relay_of("room1") == "r1"
        assert lobby.relays.addresses_of_room("room1", "127.0.0.1") == ("127.0.0.1", "::1")

        relay.relay.host_arrives("room1")
        await until(lambda: ("hosted", "room1") in lobby.lobby.told)
        lobby.relays.update_card("room1", card("a game", running=True))
        await until(lambda: '"running":true' in relay.relay.by_id["room1"].card)
        lobby.relays.drop_from_room("a game", "203.0.113.9")
        await until(lambda: relay.relay.dropped == [("a game", "203.0.113.9")])
        lobby.relays.close_room("room1")
        await until(lambda: ("closed", "room1") in lobby.lobby.told)
        assert relay.relay.by_id == {}
        assert lobby.relays.relay_of("room1") is None

    async def test_games_outlive_a_restart_of_the_lobby(self) -> None:
        lobby = self.start_lobby()
        relay = self.start_relay(lobby.port)
        await until(lobby.relays.linked)
        assert await self.open(lobby, "room1", "stays")
        assert await self.open(lobby, "room2", "ends meanwhile")
        relay.relay.host_arrives("room1")

        await lobby.stop()
        await until(lambda: not relay.end.linked)
        relay.relay.close_room("room2")
        lobby.start()
        await until(lobby.relays.linked)

        (report,) = lobby.lobby.reports["r1"]
        assert (report.room_id, report.hosted, report.card.game) == ("room1", True, "stays")
        assert lobby.relays.relay_of("room1") == "r1"
        assert lobby.relays.relay_of("room2") is None

    async def test_no_ghost_games_after_a_restart_of_the_relay(self) -> None:
        lobby = self.start_lobby()
        relay = self.start_relay(lobby.port)
        await until(lobby.relays.linked)
        assert await self.open(lobby, "room1", "a game")

        await relay.client.stop()
        await until(lambda: ("lost", "r1") in lobby.lobby.told)
        assert lobby.relays.relay_of("room1") == "r1"  # it may live on
        assert not await self.open(lobby, "room2", "nowhere")
        assert lobby.relays.addresses("127.0.0.1") == ()
        self.start_relay(lobby.port)
        await until(lobby.relays.linked)

        assert lobby.lobby.told == [("found", "r1"), ("lost", "r1"), ("found", "r1")]
        assert lobby.lobby.reports["r1"] == []
        assert lobby.relays.relay_of("room1") is None

    async def test_a_relay_with_another_secret_stays_out_and_both_logs_say_why(self) -> None:
        lobby = self.start_lobby()
        wrong = b"z" * 40
        relay = self.start_relay(lobby.port, secret=wrong)
        await until(lambda: self.log and lobby.journal.lines)
        assert "link.secret" in self.log[0]
        assert "127.0.0.1" in lobby.journal.lines[0]
        assert "link.secret" in lobby.journal.lines[0]
        for line in (*self.log, *lobby.journal.lines):
            assert wrong.decode() not in line
            assert SECRET.decode() not in line
        assert not relay.end.linked
        assert lobby.lobby.told == []
        assert lobby.metrics.times_limited(Front.LINK, Limit.FAILED_PROOFS) >= 1

    async def test_two_relays_share_the_games(self) -> None:
        lobby = self.start_lobby()
        one, two = self.start_relay(lobby.port, "r1"), self.start_relay(lobby.port, "r2")
        await until(lambda: len(lobby.relays.linked()) == 2)
        for number in range(4):
            assert await self.open(lobby, f"room{number}", f"game {number}")
        assert (len(one.relay.by_id), len(two.relay.by_id)) == (2, 2)

        await one.client.stop()
        await until(lambda: ("lost", "r1") in lobby.lobby.told)
        assert await self.open(lobby, "room4", "game 4")
        assert "room4" in two.relay.by_id
        assert ("lost", "r2") not in lobby.lobby.told

    async def test_a_second_relay_of_the_same_name_is_refused(self) -> None:
        lobby = self.start_lobby()
        self.start_relay(lobby.port, "r1")
        await until(lobby.relays.linked)
        second = self.start_relay(lobby.port, "r1")
        await until(lambda: any("relay.name" in line for line in self.log))
        assert not second.end.linked
        assert lobby.lobby.told == [("found", "r1")]

    async def test_more_relays_than_allowed_are_refused(self) -> None:
        lobby = self.start_lobby(max_relays=1)
        self.start_relay(lobby.port, "r1")
        await until(lobby.relays.linked)
        second = self.start_relay(lobby.port, "r2")
        await until(lambda: any("link.max_relays" in line for line in self.log))
        assert not second.end.linked
        assert lobby.metrics.times_limited(Front.LINK, Limit.RELAYS) >= 1

    async def test_the_relay_knows_the_bans_of_the_lobby(self) -> None:
        before = self.bans.impose(
            Kind.BAN, Target.ADDRESS, "203.0.113.1", reason="", by="root", duration=None
        )
        lobby = self.start_lobby()
        relay = self.start_relay(lobby.port)
        await until(lambda: relay.bans.banned("203.0.113.1"))
        self.bans.impose(Kind.BAN, Target.NETWORK, "198.51.100.0/24", reason="", by="root", duration=60)
        await until(lambda: relay.bans.banned("198.51.100.77"))
        self.bans.lift(before.id, "root")
        await until(lambda: not relay.bans.banned("203.0.113.1"))

        await lobby.stop()
        await until(lambda: not relay.end.linked)
        assert relay.bans.banned("198.51.100.77") is not None  # the last known ones stay in force

    async def test_many_bans_and_rooms_arrive_whole(self) -> None:
        for number in range(5000):
            self.bans.impose(
                Kind.BAN, Target.NAME, f"player{number}", reason="r" * 400, by="root",
                duration=None,
            )  # fmt: skip
        lobby = self.start_lobby()
        relay = self.start_relay(lobby.port)
        for number in range(2000):
            relay.relay.open_room(f"old{number}", f"g{number}", "p", _text(f"g{number}"))
        await until(lambda: lobby.relays.linked() and len(relay.bans) == 5000)
        assert len(lobby.lobby.reports["r1"]) == 2000

    async def test_a_lobby_that_does_not_read_is_dropped(self) -> None:
        """The relay's side: its queue towards the lobby is bounded, and its games go on."""
        lobby = self.start_lobby()
        relay = self.start_relay(lobby.port)
        await until(lobby.relays.linked)
        (link,) = lobby.relays._links
        assert isinstance(link, RelayLink)
        transport = cast(LinkConnection[FromRelay], link.channel._pipe).transport
        transport.pauseProducing()  # the lobby hangs
        for number in range(200_000):
            relay.end.room_hosted(f"{number:0>100}")
            if not relay.end.linked:
                break
        assert not relay.end.linked
        await until(lambda: any("does not read" in line for line in self.log))
        await until(lambda: relay.end.linked)  # and back again

    async def test_a_relay_that_does_not_read_is_dropped_and_another_goes_on(self) -> None:
        lobby = self.start_lobby(queue_limit=100_000, max_pending=100_000)
        stuck = self.start_relay(lobby.port, "r1")
        await until(lobby.relays.linked)
        room = await self.open(lobby, "room1", "a game")
        assert room
        channel = stuck.client._channel
        assert channel is not None
        cast(LinkConnection[FromLobby], channel._pipe).transport.pauseProducing()  # the relay hangs
        for _ in range(100_000):
            lobby.relays.update_card("room1", card("a game", build="b" * 1000))
            if ("lost", "r1") in lobby.lobby.told:
                break
        assert lobby.metrics.times_limited(Front.LINK, Limit.QUEUE) == 1
        other = self.start_relay(lobby.port, "r2")
        await until(lambda: "r2" in lobby.relays.linked())
        assert await self.open(lobby, "room2", "another")
        assert "room2" in other.relay.by_id or "room2" in stuck.relay.by_id

    async def test_strangers_cannot_fill_the_door(self) -> None:
        lobby = self.start_lobby(max_handshakes=3, handshake_timeout=0.3)
        strangers = [socket.create_connection(("127.0.0.1", lobby.port)) for _ in range(10)]
        for stranger in strangers:
            self.addCleanup(stranger.close)
        await until(lambda: lobby.metrics.times_limited(Front.LINK, Limit.CONNECTIONS) == 7)
        await until(lambda: lobby.metrics.times_limited(Front.LINK, Limit.HANDSHAKE_TIME) == 3)
        self.start_relay(lobby.port)
        await until(lobby.relays.linked)

    async def test_garbage_is_closed_at_once(self) -> None:
        lobby = self.start_lobby()
        stranger = socket.create_connection(("127.0.0.1", lobby.port))
        self.addCleanup(stranger.close)
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stranger.setblocking(False)

        def closed() -> bool:
            try:
                return stranger.recv(100) == b""
            except BlockingIOError:
                return False

        await until(closed)
        assert lobby.metrics.times_limited(Front.LINK, Limit.MALFORMED) == 1

    async def test_the_relay_waits_for_a_lobby_that_is_not_there_yet(self) -> None:
        lobby = self.start_lobby()
        port = lobby.port
        await lobby.stop()
        relay = self.start_relay(port)
        await until(lambda: self.log)
        assert "Trying again" in self.log[0]
        lobby.start()
        await until(lambda: relay.end.linked)


def _text(game: str) -> str:
    from wlnet.link.cards import card_text

    text = card_text(card(game))
    assert text is not None
    return text
