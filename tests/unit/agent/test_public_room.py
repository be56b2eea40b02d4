"""What the public relay says, in whatever pieces, and whatever it is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wlnet.agent.public_room import (
    Event,
    GuestCame,
    GuestLeft,
    GuestSaid,
    Over,
    Pinged,
    PublicRoom,
    Welcomed,
)
from wlnet.protocols.widelands_relay import wire

HELLO = wire.hello(1, b"duel", b"password")

frames = st.one_of(
    st.just((wire.welcome(1, b"duel"), Welcomed())),
    st.integers(0, 255).map(lambda one: (wire.ping(one), Pinged())),
    st.integers(2, 255).map(lambda one: (wire.connect_client(one), GuestCame(guest=one))),
    st.integers(2, 255).map(lambda one: (wire.disconnect_client(one), GuestLeft(guest=one))),
    st.tuples(st.integers(2, 255), st.binary(max_size=300)).map(
        lambda one: (wire.from_client(*one), GuestSaid(guest=one[0], packet=wire.packet(one[1])))
    ),
    st.just((wire.from_host(b"not for us"), None)),
    st.just((wire.round_trip_time_response([(1, 2, 3)]), None)),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[one:other] for one, other in pairwise(at)]


@given(st.lists(frames, max_size=20), st.lists(st.integers(0, 10_000), max_size=10))
def test_every_frame_is_told_once_in_order_however_it_is_cut(
    said: list[tuple[bytes, Event | None]], cuts: list[int]
) -> None:
    room = PublicRoom(HELLO)
    assert room.transmits() == HELLO
    told: list[Event] = []
    for piece in pieces(b"".join(frame for frame, _ in said), cuts):
        room.receive(piece)
        told += room.events()
    assert told == [event for _, event in said if event is not None]
    pongs = [frame[1] for frame, _ in said if frame[0] == wire.PING]
    assert room.transmits() == b"".join(map(wire.pong, pongs))


@given(st.binary(max_size=3000), st.lists(st.integers(0, 10_000), max_size=10))
def test_anything_is_survived_and_ends_once(said: bytes, cuts: list[int]) -> None:
    whole = PublicRoom(HELLO)
    whole.receive(said)
    expected = whole.events()
    room = PublicRoom(HELLO)
    told: list[Event] = []
    for piece in pieces(said, cuts):
        room.receive(piece)
        told += room.events()
    assert told == expected
    ends = [event for event in told if isinstance(event, Over)]
    assert len(ends) <= 1
    assert not ends or told[-1] == ends[0]


def test_a_text_without_end() -> None:
    room = PublicRoom(HELLO)
    for _ in range(100):
        room.receive(bytes((wire.DISCONNECT,)) + b"x" * 1000 if _ == 0 else b"x" * 1000)
    assert room.events() == [Over(reason="PROTOCOL_VIOLATION")]


def test_the_last_word() -> None:
    room = PublicRoom(HELLO)
    room.receive(wire.disconnect(b"NO_HOST") + wire.ping(1))
    assert room.events() == [Over(reason="NO_HOST")]
    room.receive(wire.ping(1))
    assert room.events() == []
    assert room.transmits() == HELLO


def test_what_we_say() -> None:
    room = PublicRoom(HELLO)
    room.transmits()
    room.say(7, wire.packet(b"hello"))
    room.dismiss(7)
    assert room.transmits() == wire.to_clients([7], b"hello") + wire.disconnect_client(7)
    assert room.transmits() == b""
