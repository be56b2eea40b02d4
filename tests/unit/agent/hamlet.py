"""Simulated machines with an agent and a game on each, a lobby with the exchange, and the public relay."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from msgspec.structs import replace

from tests.support.lobby import Packet
from tests.support.relay import Frame, decode
from tests.support.sim_server import LOBBY_PORT, SimServer
from tests.support.sim_stun import FIRST
from tests.support.simnet import SimHost, SimNet
from tests.unit.client.peer.town import router
from wlnet.agenda import Agenda
from wlnet.agent.agent import Agent
from wlnet.agent.news import GuestPath, Hosting, Listening, LobbyKnown, News
from wlnet.agent.options import AgentOptions
from wlnet.agent.seats import LocalSeat
from wlnet.client.gather.words import GatherOptions
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.net.network import Stream, StreamEnd, StreamHandler
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.words import PathNews
from wlnet.config import schema
from wlnet.limits.budget import QueueBudget
from wlnet.lobby.ports import RoomCard
from wlnet.metrics import Metrics
from wlnet.protocols.metaserver.digest import sha1_hex
from wlnet.protocols.metaserver.wire import encode
from wlnet.protocols.stun.wire import Endpoint
from wlnet.protocols.widelands_relay import wire
from wlnet.relay.relay import Relay
from wlnet.steering.model import Family

RELAY_PORT = 7397
NOISE = ("PING", "CLIENTS_UPDATE", "GAMES_UPDATE", "TIME", "CHAT")
N = TypeVar("N", bound=News)


class Line(StreamHandler):
    """A connection of a game."""

    def __init__(self, machine: SimHost, port: int) -> None:
        self.data = b""
        self.end: StreamEnd | None = None
        self.is_ended = False
        self.stream = machine.connect(Endpoint("127.0.0.1", port), self)

    @property
    def over(self) -> bool:
        """The other side has ended it."""
        return self.is_ended or self.end is not None

    def connected(self, local: Endpoint) -> None:
        pass

    def received(self, data: bytes) -> None:
        self.data += data

    def ended(self) -> None:
        self.is_ended = True
        self.stream.close()

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        self.end = end


class LobbyLine(Line):
    """To the metaserver, as the game sees it. It answers pings."""

    def received(self, data: bytes) -> None:
        before = self.data.count(encode("PING"))
        super().received(data)
        for _ in range(self.data.count(encode("PING")) - before):
            self.say("PONG")

    @property
    def packets(self) -> list[Packet]:
        """All so far, without those that come at any time."""
        packets, at = [], 0
        while at + 2 <= len(self.data):
            length = int.from_bytes(self.data[at : at + 2], "big")
            assert length > 2
            if at + length > len(self.data):
                break
            fields = self.data[at + 2 : at + length].decode().split("\0")[:-1]
            at += length
            if fields[0] not in NOISE:
                packets.append(tuple(fields))
        return packets

    def say(self, *fields: str) -> None:
        self.stream.write(encode(*fields))


class RelayLine(Line):
    """To the relay, as the game sees it."""

    @property
    def frames(self) -> list[Frame]:
        """All so far but pings."""
        return [frame for frame in decode(self.data)[0] if frame[0] != "Ping"]

    def say(self, data: bytes) -> None:
        self.stream.write(data)


class Machine:
    """One with an agent, and its games."""

    def __init__(self, hamlet: Hamlet, name: str, host: SimHost, options: AgentOptions) -> None:
        self.hamlet = hamlet
        self.name = name
        self.host = host
        self.news: list[News] = []
        self.agent = Agent(host, options, self.news.append)
        self.agent.start()
        self.closed = 0

    def said(self, kind: type[N]) -> list[N]:
        return [one for one in self.news if isinstance(one, kind)]

    @property
    def ports(self) -> Listening:
        return self.said(Listening)[0]

    @property
    def paths(self) -> list[PathNews | None]:
        return [one.news if isinstance(one.news, PathNews) else None for one in self.said(GuestPath)]

    def lobby(self, *, secret: str | None = None, version: str = "6") -> LobbyLine:
        """A game that is logged in."""
        line = LobbyLine(self.host, self.ports.lobby_port)
        line.say("LOGIN", version, self.name, "1.1", "false", secret or f"secret of {self.name}")
        self.hamlet.until(lambda: line.packets)
        assert line.packets[0][0] == "LOGIN", line.packets
        self.hamlet.net.advance(1.0)
        return line

    def relay(self, *said: bytes) -> RelayLine:
        """A connection to what the game takes for the relay."""
        line = RelayLine(self.host, self.ports.relay_port)
        for data in said:
            line.say(data)
        return line

    def opened(self, lobby: LobbyLine, game: str) -> str:
        """Ask for a room; gives its password."""
        before = len(lobby.packets)
        lobby.say("GAME_OPEN", game)
        self.hamlet.until(lambda: len(lobby.packets) > before)
        answer = lobby.packets[-1]
        assert answer[0] == "GAME_OPEN"
        assert answer[2] == "127.0.0.1", answer
        return sha1_hex(answer[1] + f"secret of {self.name}")

    def host_game(self, lobby: LobbyLine, game: str) -> RelayLine:
        """Open a game and be in it."""
        line = self.relay(wire.hello(1, game.encode(), self.opened(lobby, game).encode()))
        self.hamlet.until(lambda: line.frames)
        assert line.frames == [("Welcome", 1, game)]
        self.hamlet.until(lambda: any(one.game == game for one in self.said(Hosting)))
        self.hamlet.net.advance(1.0)
        return line

    def asked(self, lobby: LobbyLine, game: str) -> Packet:
        """What the game is told when it wants to join."""
        before = len(lobby.packets)
        lobby.say("GAME_CONNECT", game)
        self.hamlet.until(lambda: len(lobby.packets) > before)
        assert lobby.packets[-1][0] == "GAME_CONNECT", lobby.packets
        return lobby.packets[-1]

    def join(self, lobby: LobbyLine, game: str) -> RelayLine:
        """Join over a path."""
        assert self.asked(lobby, game)[1] == "127.0.0.1"
        line = self.relay(wire.hello(1, game.encode(), b"client"))
        self.hamlet.until(lambda: line.frames)
        assert line.frames[0] == ("Welcome", 1, game)
        return line

    def close(self) -> None:
        self.agent.close(self._closed)

    def _closed(self) -> None:
        self.closed += 1


class Hamlet:
    """All of it. The lobby and the relay are at :data:`FIRST`."""

    def __init__(self, **settings: object) -> None:
        self.net = SimNet(1, 0.01)
        self.server = SimServer(self.net, settings=settings)
        self.machines: list[Machine] = []
        self._numbers = count(1)
        self.agenda = Agenda(lambda: self.net.time)
        self.agenda.on_earlier = self._appoint
        self.relay = Relay(schema.Relay(), schema.Limits(), self.agenda, Metrics(), QueueBudget(2**30), self)
        rooms = self.server.rig.relay
        rooms.addresses = lambda reached_at: (FIRST,)  # type: ignore[method-assign]
        self._open_in_rig = rooms.open_room
        rooms.open_room = self._open  # type: ignore[method-assign]
        self._listener = self.server.host.listen(Family.V4, self._accepted, port=RELAY_PORT)

    def until(self, what: Callable[[], object], limit: float = 30.0) -> float:
        return self.net.run_until(what, limit)

    def machine(self, name: str, kind: str = "port-restricted", **options: Any) -> Machine:
        number = next(self._numbers)
        public = f"198.51.100.{number}"
        nat = router(kind, public)
        host = self.net.host(name, [public if nat is None else f"192.168.{number}.10"], nat)
        party = PartyOptions(gather=GatherOptions(mappings=False), join_timeout=30.0)
        made = replace(AgentOptions(lobby=LobbyAddress(FIRST, LOBBY_PORT), party=party), **options)
        machine = Machine(self, name, host, made)
        self.machines.append(machine)
        self.until(lambda: machine.said(LobbyKnown))
        return machine

    def plain_guest(self, game: str) -> RelayLine:
        """A guest without an agent; the lobby is none of our business here."""
        host = self.net.host(f"plain {next(self._numbers)}", [f"198.51.101.{next(self._numbers)}"])
        line = RelayLine.__new__(RelayLine)
        line.data, line.end, line.is_ended = b"", None, False
        line.stream = host.connect(Endpoint(FIRST, RELAY_PORT), line)
        line.say(wire.hello(1, game.encode(), b"client"))
        self.until(lambda: line.frames)
        return line

    def close(self) -> None:
        """Everybody leaves; nothing may be left open."""
        for machine in self.machines:
            machine.close()
        self.until(lambda: all(one.closed for one in self.machines), 6)
        self.net.advance(20)
        for machine in self.machines:
            assert machine.closed == 1
            assert machine.host.open == 0, f"{machine.name} left sockets open"

    # -- the public relay ------------------------------------------------------------------------

    def relay_dies(self) -> None:
        """Its process is killed: connections are reset, rooms gone."""
        for peer in list(self.relay.peers):
            self.relay.abort(peer)
        self.relay.outgoing.flush()

    def _open(self, room_id: str, password: str, card: RoomCard, answer: Callable[[bool], None]) -> None:
        assert self.relay.open_room(room_id, card.game, password, "")
        self._open_in_rig(room_id, password, card, answer)

    def room_hosted(self, room_id: str) -> None:
        events = self.server.rig.relay.events
        assert events is not None
        events.room_hosted(room_id)
        self.server.sync()

    def room_closed(self, room_id: str) -> None:
        self.server.rig.relay.end(room_id)
        self.server.sync()

    def _accepted(self, stream: Stream) -> StreamHandler:
        return LocalSeat(self.relay, f"public {next(self._numbers)}", lambda seat: None, stream)

    def _appoint(self) -> None:
        deadline = self.agenda.next_deadline()
        if deadline is not None:
            self.net.call_later(deadline - self.net.time, self._due)

    def _due(self) -> None:
        self.agenda.run_due()
        self.relay.outgoing.flush()
        self._appoint()
