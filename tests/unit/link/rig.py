"""The lobby's end and the relay's end against each other, without sockets."""

from __future__ import annotations

from twisted.internet.task import Clock

from tests.unit.link.fakes import (
    SECRET,
    Answers,
    FakeJournal,
    FakeLobby,
    FakePipe,
    FakeRelay,
    card,
    linked_pairs,
    relays,
    sanctions,
)
from wlnet.agenda import Agenda
from wlnet.config.schema import Link
from wlnet.link.channel import Channel, Ending
from wlnet.link.messages import (
    FromLobby,
    FromRelay,
    Hello,
    PairPorts,
    RefusalReason,
    StunPorts,
    decode_from_lobby,
    decode_from_relay,
)
from wlnet.link.pair_end import PairEnd
from wlnet.link.relay_end import LobbyLink, RelayEnd
from wlnet.link.relay_link import RelayLink
from wlnet.link.wire import Role
from wlnet.metrics import Metrics

SETTINGS = Link(max_relays=2, max_pending=3, open_timeout=5.0, handshake_timeout=5.0)


class Lobby:
    """A lobby process."""

    def __init__(self, settings: Link = SETTINGS) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.settings = settings
        self.metrics = Metrics()
        self.journal = FakeJournal()
        self.bans = sanctions()
        self.lobby = FakeLobby()
        self.pairs = linked_pairs()
        self.relays = relays(
            self.agenda,
            settings,
            bans=self.bans,
            metrics=self.metrics,
            journal=self.journal,
            grace=30.0,
            pairs=self.pairs,
        )
        self.relays.start(self.lobby)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.agenda.run_due()

    def open(self, room_id: str, game: str | None = None) -> Answers:
        answers = Answers()
        self.relays.open_room(room_id, "pw", card(game or room_id), answers)
        return answers


class Wire:
    """One connection between a relay's end and the lobby; nothing moves until :meth:`carry`."""

    def __init__(self, lobby: Lobby, end: RelayEnd, peer: str = "127.0.0.1") -> None:
        self.up, self.down = FakePipe(), FakePipe()
        self.lobby_channel: Channel[FromRelay] = Channel(
            Role.LOBBY, SECRET, b"l" * 32, lobby.agenda, lobby.settings, self.down, decode_from_relay
        )
        self.relay_channel: Channel[FromLobby] = Channel(
            Role.RELAY, SECRET, b"r" * 32, lobby.agenda, lobby.settings, self.up, decode_from_lobby
        )
        self.introduced = 0
        self.over: list[tuple[Ending, RefusalReason | None]] = []
        self.lobby_channel.start(
            RelayLink(lobby.relays, self.lobby_channel, peer, "127.0.0.1", self._introduce)
        )
        self.relay_channel.start(
            LobbyLink(end, self.relay_channel, lambda: None, lambda *over: self.over.append(over))
        )

    def _introduce(self) -> None:
        self.introduced += 1

    def carry(self) -> None:
        while self.up.sent or self.down.sent:
            self.lobby_channel.receive(self.up.take())
            self.relay_channel.receive(self.down.take())

    def cut(self) -> None:
        self.lobby_channel.end(Ending.CONNECTION)
        self.relay_channel.end(Ending.CONNECTION)


class Relay:
    """A relay process.

    :param pairs: where it carries pairs; *stun*: where it answers STUN.
    :param pair_end: what it does about them.
    """

    def __init__(
        self,
        name: str = "r1",
        instance: str = "1",
        capacity: int = 10,
        pairs: PairPorts | None = None,
        pair_end: PairEnd | None = None,
        stun: StunPorts | None = None,
    ) -> None:
        hello = Hello(
            name=name, instance=instance * 16, public=(), listen=("0.0.0.0", "::"), own=("192.0.2.50",),
            port=7397, capacity=capacity, pairs=pairs, stun=stun,
        )  # fmt: skip
        self.bans = sanctions()
        self.journal = FakeJournal()
        self.end = RelayEnd(lambda: hello, self.bans, self.journal, pair_end)
        self.relay = FakeRelay(self.end)
        self.end.start(self.relay)

    def link(self, lobby: Lobby, peer: str = "127.0.0.1") -> Wire:
        wire = Wire(lobby, self.end, peer)
        wire.carry()
        return wire
