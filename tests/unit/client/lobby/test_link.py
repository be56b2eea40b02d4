"""The link over a simulated network: which address, how long it tries, when it gives up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.simnet import SimHost, SimNet
from tests.support.simnet_tcp import SimStream
from wlnet.client.lobby.address import LobbyAddress, parse_lobby
from wlnet.client.lobby.dialing import in_turn
from wlnet.client.lobby.link import LobbyHandler, LobbyLimits, LobbyLink
from wlnet.client.lobby.session import Login
from wlnet.client.net.network import Stream, StreamEnd, StreamHandler
from wlnet.protocols.exchange.messages import Hello, Unpublish, encode
from wlnet.protocols.metaserver.wire import PacketBuffer
from wlnet.protocols.metaserver.wire import encode as packet
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import Published, Told
from wlnet.steering.model import Family

HELLO = Hello(version=1, address="192.0.2.1", observe=("t",), message_size=12000, candidates=32)
ANN = Login(name="ann", secret="a nonce", build="wlnet 1")
Script = dict[str, list[tuple[str, ...]]]
WELCOME: Script = {
    "LOGIN": [("LOGIN", "ann", "UNREGISTERED"), ("CHAT", "", "Welcome", "system")],
    "WLNET": [("WLNET", "1", encode(HELLO))],
}


class Caller(StreamHandler):
    """One connection at the lobby."""

    def __init__(self, lobby: Lobby, stream: Stream) -> None:
        self.lobby = lobby
        self.stream = stream
        self.said: list[tuple[str, ...]] = []
        self.end: StreamEnd | None = None
        self._buffer = PacketBuffer(65535)

    def connected(self, local: Endpoint) -> None:
        pass

    def received(self, data: bytes) -> None:
        self._buffer.feed(data)
        while (fields := self._buffer.next()) is not None:
            said = tuple(field.decode() for field in fields._fields)
            self.said.append(said)
            for answer in self.lobby.script.get(said[0], []):
                self.tell(*answer)

    def ended(self) -> None:
        self.stream.close()

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        self.end = end

    def tell(self, *fields: str) -> None:
        self.stream.write(packet(*fields))


class Lobby:
    """Plays the lobby by a script: what it answers to each command."""

    def __init__(self, host: SimHost, family: Family = Family.V4) -> None:
        self.script = dict(WELCOME)
        self.callers: list[Caller] = []
        self._host = host
        self._family = family
        self._listener = host.listen(family, self._accepted, port=7395)

    def _accepted(self, stream: Stream) -> Caller:
        caller = Caller(self, stream)
        self.callers.append(caller)
        return caller

    def stop(self) -> None:
        self._listener.close()
        for caller in self.callers:
            caller.stream.abort()


class Owner(LobbyHandler):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.ready: list[str] = []
        self.tickets = 0
        self.told: list[Told] = []
        self.lines: list[str] = []
        self.troubles: list[str] = []
        self.lost: list[tuple[str, float]] = []
        self.gone: list[str] = []
        self.on_told: Callable[[], None] = lambda: None

    def lobby_ready(self, name: str, hello: Hello) -> None:
        assert not self.gone
        self.ready.append(name)

    def lobby_tickets(self, hello: Hello) -> None:
        self.tickets += 1

    def lobby_told(self, told: Told) -> None:
        self.told.append(told)
        self.on_told()

    def lobby_line(self, text: str) -> None:
        self.lines.append(text)

    def lobby_trouble(self, text: str) -> None:
        self.troubles.append(text)

    def lobby_lost(self, text: str, again: float) -> None:
        assert not self.gone
        self.lost.append((text, again))

    def lobby_gone(self, text: str) -> None:
        self.gone.append(text)


class World:
    """A player, a lobby called lobby.example with both families, and the link between them."""

    def __init__(self) -> None:
        self.net = SimNet()
        self.server = self.net.host("server", ["198.51.100.1", "2001:db8::1"])
        self.player = self.net.host("player", ["198.51.100.2", "2001:db8::2"])
        self.net.names["lobby.example"] = ("2001:db8::1", "198.51.100.1")
        self.owner = Owner()

    def link(
        self, address: str = "tcp://lobby.example", login: Login = ANN, limits: LobbyLimits | None = None
    ) -> LobbyLink:
        return LobbyLink(self.player, parse_lobby(address), login, self.owner, limits=limits)

    def up(self) -> tuple[Lobby, LobbyLink]:
        """Connected and ready."""
        lobby, link = Lobby(self.server, Family.V6), self.link()
        self.net.run_until(lambda: self.owner.ready, 5)
        return lobby, link


@pytest.fixture
def world() -> World:
    return World()


def test_from_name_to_messages_and_out(world: World) -> None:
    lobby, link = world.up()
    assert world.owner.lines == ["Welcome"]
    assert link.ready
    assert link.server == Endpoint("2001:db8::1", 7395)
    (caller,) = lobby.callers
    caller.tell("WLNET", encode(Published(game="duel")))
    world.owner.on_told = lambda: None if link.say(Unpublish(game="duel")) else pytest.fail("not said")
    world.net.run_until(lambda: caller.said[-1][0] == "WLNET" and "unpublish" in caller.said[-1][1])
    assert world.owner.told == [Published(game="duel")]
    link.close()
    link.close()
    world.net.advance(1)
    assert caller.said[-1] == ("DISCONNECT", "CONNECTION_CLOSED")
    assert world.player.open == 0
    assert not link.say(Unpublish(game="duel"))
    assert (world.owner.lost, world.owner.gone) == ([], [])


def test_new_tickets_on_demand(world: World) -> None:
    _, link = world.up()
    assert link.negotiate()
    world.net.run_until(lambda: world.owner.tickets, 5)
    assert world.owner.ready == ["ann"]


def test_before_and_after_the_connection_nothing_can_be_said(world: World) -> None:
    link = world.link()
    assert not link.say(Unpublish(game="duel"))
    assert not link.negotiate()
    assert not link.ready
    assert link.server is None


def test_families_in_turn() -> None:
    assert in_turn(["::1", "::2", "::2", "10.0.0.1", "10.0.0.2"]) == ["::1", "10.0.0.1", "::2", "10.0.0.2"]
    assert in_turn(["10.0.0.1"]) == ["10.0.0.1"]
    assert in_turn([]) == []
    assert len(in_turn([f"10.0.0.{n}" for n in range(100)])) == 8


def test_an_address_that_does_not_answer_costs_a_quarter_of_a_second(world: World) -> None:
    world.net.names["lobby.example"] = ("2001:db8::99", "198.51.100.1")
    Lobby(world.server)
    world.link()
    took = world.net.run_until(lambda: world.owner.ready, 5)
    assert 0.25 < took < 0.5
    assert world.player.open == 1


def test_a_refused_address_costs_nothing(world: World) -> None:
    Lobby(world.server)  # nobody listens at its other address
    world.link()
    assert world.net.run_until(lambda: world.owner.ready, 5) < 0.25
    assert world.player.open == 1


def test_an_address_this_machine_cannot_use_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = world.player.connect

    def without_v6(destination: Endpoint, handler: StreamHandler, **more: Any) -> SimStream:
        if ":" in destination.host:
            raise OSError(97, "Address family not supported by protocol")
        return connect(destination, handler, **more)

    monkeypatch.setattr(world.player, "connect", without_v6)
    Lobby(world.server)
    world.link()
    assert world.net.run_until(lambda: world.owner.ready, 5) < 0.25


def test_no_address_this_machine_can_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(destination: Endpoint, handler: StreamHandler, **more: Any) -> SimStream:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(world.player, "connect", nothing)
    world.link()
    world.net.run_until(lambda: world.owner.gone, 40)
    assert "Too many open files" in world.owner.gone[0]


def test_the_slower_of_two_is_dropped(world: World) -> None:
    slow = world.net.host("slow", ["2001:db8::3"])
    world.net.link(world.player, slow, latency=0.4)
    world.net.names["lobby.example"] = ("2001:db8::3", "198.51.100.1")
    other, lobby = Lobby(slow, Family.V6), Lobby(world.server)
    world.link()
    world.net.advance(3)
    assert world.owner.ready == ["ann"]
    assert len(lobby.callers) == 1
    assert all(not caller.said for caller in other.callers)
    assert world.player.open == 1


def test_a_lost_connection_comes_back_on_the_same_seat(world: World) -> None:
    lobby = Lobby(world.server, Family.V6)
    lobby.script["LOGIN"] = [("LOGIN", "ann1", "UNREGISTERED")]
    link = world.link()
    world.net.run_until(lambda: world.owner.ready, 5)
    lobby.callers[0].stream.abort()
    world.net.run_until(lambda: len(world.owner.ready) == 2, 5)
    ((text, again),) = world.owner.lost
    assert "lost" in text
    assert 0.5 <= again <= 1.0
    assert lobby.callers[1].said[0][1:3] == ("6", "ann1")
    assert link.ready


def test_a_restarted_lobby_is_found_again_with_growing_pauses(world: World) -> None:
    lobby, _ = world.up()
    lobby.stop()
    world.net.advance(120)
    pauses = [again for _, again in world.owner.lost]
    assert 5 <= len(pauses) <= 12
    assert max(pauses) <= 30
    assert pauses[-1] >= 15
    Lobby(world.server, Family.V6)
    world.net.run_until(lambda: len(world.owner.ready) == 2, 31)
    assert world.owner.gone == []


def test_a_connection_that_lasts_never_calls_for_a_longer_pause(world: World) -> None:
    lobby, _ = world.up()
    for number in range(8):
        for _ in range(4):
            world.net.advance(10)
            lobby.callers[-1].tell("PING")
        lobby.callers[-1].stream.abort()
        world.net.run_until(lambda count=number: len(world.owner.ready) == count + 2, 2)  # type: ignore[misc]
    assert max(again for _, again in world.owner.lost) <= 1.0


def test_a_lobby_that_always_hangs_up_is_not_stormed(world: World) -> None:
    lobby = Lobby(world.server, Family.V6)
    lobby.script["WLNET"] = [("WLNET", "1", encode(HELLO)), ("DISCONNECT", "CLIENT_TIMEOUT")]
    world.link()
    world.net.advance(300)
    assert 10 <= len(lobby.callers) <= 25
    assert world.owner.gone == []


def test_silence_is_noticed(world: World) -> None:
    world.up()
    world.net.link(world.player, world.server, cut=True)
    world.net.run_until(lambda: world.owner.lost, 60)
    assert "silent" in world.owner.lost[0][0]
    world.net.link(world.player, world.server, cut=False)
    world.net.run_until(lambda: len(world.owner.ready) == 2, 60)


def test_nobody_there_from_the_beginning(world: World) -> None:
    world.link()
    world.net.run_until(lambda: world.owner.gone, 40)
    assert "cannot be reached" in world.owner.gone[0]
    assert "tcp://lobby.example:7395" in world.owner.gone[0]
    world.net.advance(100)
    assert (len(world.owner.gone), world.player.open) == (1, 0)


def test_no_answer_at_all(world: World) -> None:
    world.net.names["lobby.example"] = ("2001:db8::99",)
    world.link()
    world.net.run_until(lambda: world.owner.gone, 45)
    assert "no answer in time" in world.owner.gone[0]
    assert world.player.open == 0


def test_an_unknown_name(world: World) -> None:
    world.link("tcp://nowhere.example")
    world.net.run_until(lambda: world.owner.gone, 40)
    assert "nowhere.example cannot be found" in world.owner.gone[0]


def test_the_patience_after_it_worked_once(world: World) -> None:
    lobby, _ = world.up()
    world.net.advance(40)
    lobby.callers[-1].tell("PING")
    world.net.advance(1)
    lobby.stop()
    started = world.net.time
    world.net.run_until(lambda: world.owner.gone, 700)
    assert 500 < world.net.time - started <= 600


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ({"LOGIN": [("ERROR", "LOGIN", "WRONG_PASSWORD")]}, "name and password"),
        ({"LOGIN": [("ERROR", "LOGIN", "BANNED")]}, "banned"),
        ({"WLNET": [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]}, "WLNET"),
        ({"WLNET": [("WLNET", "1", encode(HELLO)), ("DISCONNECT", "KICKED")]}, "kicked"),
    ],
)
def test_what_is_final(world: World, script: Script, text: str) -> None:
    lobby = Lobby(world.server, Family.V6)
    lobby.script.update(script)
    world.link()
    world.net.run_until(lambda: world.owner.gone, 5)
    assert text in world.owner.gone[0]
    world.net.advance(100)
    assert (len(lobby.callers), len(world.owner.gone), world.player.open) == (1, 1, 0)
    assert world.owner.lost == []


def test_a_full_lobby_is_asked_again_but_not_soon(world: World) -> None:
    lobby = Lobby(world.server, Family.V6)
    lobby.script["LOGIN"] = [("ERROR", "LOGIN", "SERVER_FULL")]
    world.link()
    world.net.run_until(lambda: world.owner.lost, 5)
    assert world.owner.lost == [("The lobby is full.", 5.0)]
    lobby.script["LOGIN"] = WELCOME["LOGIN"]
    world.net.run_until(lambda: world.owner.ready, 6)


def test_a_certificate_that_is_not_the_lobbys_is_final(world: World) -> None:
    world.net.untrusted_names.add("lobby.example")
    world.server.listen(Family.V6, lambda stream: pytest.fail("must not come so far"), port=7394)
    world.link("tls://lobby.example")
    world.net.run_until(lambda: world.owner.gone, 5)
    assert "certificate" in world.owner.gone[0]
    assert "--ca" in world.owner.gone[0]
    assert world.owner.lost == []


def test_closed_while_it_looks_for_the_name_or_dials(world: World) -> None:
    world.net.names["lobby.example"] = ("2001:db8::99",)
    for seconds in (0.0, 0.01, 0.1, 5.0):
        link = world.link()
        world.net.advance(seconds)
        link.close()
        world.net.advance(60)
        assert world.player.open == 0
    assert (world.owner.ready, world.owner.lost, world.owner.gone) == ([], [], [])


def test_closed_from_within_what_it_tells(world: World) -> None:
    lobby, link = world.up()
    world.owner.on_told = link.close
    for _ in range(3):
        lobby.callers[0].tell("WLNET", encode(Published(game="duel")))
    world.net.advance(2)
    assert len(world.owner.told) == 1
    assert world.player.open == 0


def test_a_lobby_that_does_not_read_is_given_up(world: World) -> None:
    lobby = Lobby(world.server, Family.V6)
    link = world.link(limits=LobbyLimits(waiting=20000))
    world.net.run_until(lambda: world.owner.ready, 5)
    lobby.callers[0].stream.pause()
    for _ in range(200):
        link.say(Unpublish(game="x" * 255))
        world.net.advance(0.02)
        for _ in range(10):
            link.say(Unpublish(game="x" * 255))
    world.net.run_until(lambda: world.owner.lost, 30)
    assert "does not read" in world.owner.lost[0][0]


def test_an_address_is_its_own_name(world: World) -> None:
    Lobby(world.server)
    LobbyLink(world.player, LobbyAddress("198.51.100.1", 7395), ANN, world.owner)
    world.net.run_until(lambda: world.owner.ready, 1)
