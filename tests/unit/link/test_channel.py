"""A channel: signs of life, deadlines, bounded sending."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from tests.unit.link.fakes import SECRET, FakePipe
from wlnet.agenda import Agenda
from wlnet.config.schema import Link
from wlnet.link.channel import Channel, Ending
from wlnet.link.messages import (
    Alive,
    FromLobby,
    FromRelay,
    MessageError,
    RoomClosed,
    RoomHosted,
    decode_from_lobby,
    decode_from_relay,
)
from wlnet.link.wire import FrameWriter, Role

SETTINGS = Link(keepalive=5.0, dead_after=15.0, handshake_timeout=5.0, queue_limit=1000)


class User:
    def __init__(self) -> None:
        self.is_ready = False
        self.messages: list[object] = []
        self.endings: list[Ending] = []
        self.dislikes = False

    def ready(self) -> None:
        self.is_ready = True

    def received(self, message: object) -> None:
        if self.dislikes:
            raise MessageError("not now")
        self.messages.append(message)

    def ended(self, ending: Ending) -> None:
        self.endings.append(ending)


class Pair:
    """Both ends of one connection, bytes carried by hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.relay_pipe, self.lobby_pipe = FakePipe(), FakePipe()
        self.relay_user, self.lobby_user = User(), User()
        self.relay: Channel[FromLobby] = Channel(
            Role.RELAY, SECRET, b"r" * 32, self.agenda, SETTINGS, self.relay_pipe, decode_from_lobby
        )
        self.lobby: Channel[FromRelay] = Channel(
            Role.LOBBY, SECRET, b"l" * 32, self.agenda, SETTINGS, self.lobby_pipe, decode_from_relay
        )
        self.lobby.start(self.lobby_user)
        self.relay.start(self.relay_user)

    def carry(self) -> None:
        while self.relay_pipe.sent or self.lobby_pipe.sent:
            self.lobby.receive(self.relay_pipe.take())
            self.relay.receive(self.lobby_pipe.take())

    def advance(self, seconds: float, step: float = 0.5, *, carrying: bool = True) -> None:
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            self.agenda.run_due()
            if carrying:
                self.carry()


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.carry()
    assert made.relay_user.is_ready
    assert made.lobby_user.is_ready
    return made


def test_messages_go_across(pair: Pair) -> None:
    pair.relay.send(RoomHosted(room_id="r"))
    pair.carry()
    assert pair.lobby_user.messages == [RoomHosted(room_id="r")]


def test_an_idle_link_stays(pair: Pair) -> None:
    pair.advance(600)
    assert pair.relay_user.endings == pair.lobby_user.endings == []
    assert pair.lobby_user.messages == []  # signs of life are nobody's business


def test_silence_ends_it_after_its_time(pair: Pair) -> None:
    pair.advance(14.5, carrying=False)
    assert pair.lobby_user.endings == []
    pair.advance(1, carrying=False)
    assert pair.lobby_user.endings == pair.relay_user.endings == [Ending.SILENCE]
    assert pair.lobby_pipe.aborted
    assert len(pair.agenda) == 0


def test_bytes_that_make_no_frame_are_no_sign_of_life(pair: Pair) -> None:
    frame = FrameWriter(Role.RELAY, b"?" * 32).frame(b"x" * 200)
    for byte in frame[:100]:
        pair.lobby.receive(bytes([byte]))
        pair.clock.advance(0.2)
        pair.agenda.run_due()
    assert pair.lobby_user.endings == [Ending.SILENCE]


def test_who_proves_nothing_is_closed_in_time() -> None:
    pair = Pair()
    pair.advance(4.5, carrying=False)
    assert pair.lobby_user.endings == []
    pair.advance(1, carrying=False)
    assert pair.lobby_user.endings == [Ending.HANDSHAKE_TIME]
    assert pair.lobby_pipe.aborted


def test_nothing_is_sent_before_the_handshake_or_after_the_end(pair: Pair) -> None:
    early = Pair()
    before = bytes(early.relay_pipe.sent)
    early.relay.send(RoomHosted(room_id="r"))
    assert bytes(early.relay_pipe.sent) == before
    pair.relay.end(Ending.STOPPED)
    pair.relay.send(RoomHosted(room_id="r"))
    pair.relay.receive(b"more")
    pair.relay.end(Ending.SILENCE)
    assert pair.relay_pipe.sent == b""
    assert pair.relay_user.endings == [Ending.STOPPED]


def test_a_foreign_frame_ends_it(pair: Pair) -> None:
    pair.lobby.receive(FrameWriter(Role.RELAY, b"?" * 32).frame(b'{"type":"alive"}'))
    assert pair.lobby_user.endings == [Ending.MALFORMED]


def test_a_message_at_the_wrong_time_ends_it_and_the_rest_is_not_read(pair: Pair) -> None:
    pair.lobby_user.dislikes = True
    pair.relay.send(RoomHosted(room_id="r"))
    pair.relay.send(RoomClosed(room_id="r"))
    pair.lobby.receive(pair.relay_pipe.take())
    assert pair.lobby_user.endings == [Ending.MALFORMED]
    assert pair.lobby_user.messages == []


def test_a_stuck_peer_is_dropped_at_the_limit(pair: Pair) -> None:
    pair.relay_pipe.blocked = True
    while not pair.relay_user.endings:
        assert pair.relay_pipe.stuck <= SETTINGS.queue_limit
        pair.relay.send(RoomHosted(room_id="r" * 100))
    assert pair.relay_user.endings == [Ending.QUEUE]
    assert pair.relay_pipe.aborted


def test_a_long_list_waits_for_the_pipe_and_lets_others_pass(pair: Pair) -> None:
    pair.relay_pipe.blocked = True
    pair.relay.send_stream(iter([RoomHosted(room_id=f"{number:0>100}") for number in range(100)]))
    assert pair.relay_user.endings == []  # far more than the limit, but it is not queued
    pair.relay.send(RoomClosed(room_id="urgent"))
    pair.carry()
    assert pair.lobby_user.messages == [RoomHosted(room_id="0" * 100), RoomClosed(room_id="urgent")]

    pair.relay_pipe.blocked, pair.relay_pipe.stuck = False, 0
    pair.relay.drained()
    pair.carry()
    assert len(pair.lobby_user.messages) == 101


def test_an_ended_channel_forgets_its_list(pair: Pair) -> None:
    pair.relay_pipe.stuck = 1
    pair.relay.send_stream(iter([Alive()] * 3))
    pair.relay.end(Ending.CONNECTION)
    pair.relay_pipe.stuck = 0
    pair.relay.drained()
    assert pair.relay_pipe.sent == b""
