"""Messages: round trips, what is refused, long lists in parts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.link.fakes import sanctions
from wlnet.link.messages import (
    PART_SIZE,
    CloseRoom,
    Hello,
    MessageError,
    Opened,
    OpenRoom,
    PairPorts,
    RevokePairs,
    RoomHosted,
    UnsendableError,
    UpdateCard,
    decode_from_lobby,
    decode_from_relay,
    encode,
    fits_a_room,
    room_parts,
    sanction_parts,
)
from wlnet.link.wire import MAX_PAYLOAD
from wlnet.moderation.sanctions import Kind, Target
from wlnet.relay.control import RoomInfo

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
numbers = st.integers(0, 2**53)


@given(
    st.builds(OpenRoom, request=numbers, room_id=ids, game=text, password=text, card=text)
    | st.builds(UpdateCard, room_id=ids, card=text)
    | st.builds(CloseRoom, room_id=ids)
)
def test_from_the_lobby(message: OpenRoom | UpdateCard | CloseRoom) -> None:
    assert decode_from_lobby(encode(message)) == message


@given(st.builds(Opened, request=numbers, ok=st.booleans()) | st.builds(RoomHosted, room_id=ids))
def test_from_the_relay(message: Opened | RoomHosted) -> None:
    assert decode_from_relay(encode(message)) == message


def test_as_documented() -> None:
    assert json.loads(encode(RoomHosted(room_id="r"))) == {"type": "room_hosted", "room_id": "r"}
    hello = Hello(
        name="n", instance="i" * 16, public=("203.0.113.1",), listen=("0.0.0.0",), own=(), port=1, capacity=2
    )
    assert json.loads(encode(hello)) == {
        "type": "hello", "name": "n", "instance": "i" * 16, "public": ["203.0.113.1"], "listen": ["0.0.0.0"],
        "own": [], "port": 1, "capacity": 2, "pairs": None, "stun": None,
    }  # fmt: skip
    ports = PairPorts(listen=("::",), udp=3479, tcp=3479, tls=443, capacity=9)
    assert json.loads(encode(replace(hello, pairs=ports)))["pairs"] == {
        "listen": ["::"], "udp": 3479, "tcp": 3479, "tls": 443, "capacity": 9,
    }  # fmt: skip
    revoke = RevokePairs(pairs=("0123456789abcdef" * 2,))
    assert json.loads(encode(revoke)) == {"type": "revoke_pairs", "pairs": ["0123456789abcdef" * 2]}


def test_fields_of_later_versions_are_skipped() -> None:
    decoded = decode_from_lobby(b'{"type":"close_room","room_id":"r","later":[1]}')
    assert decoded == CloseRoom(room_id="r")


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\xff", b"null", b"[]", b"{}", b'{"type":"opened"}', b'{"type":"nonsense"}',
        b'{"type":"close_room","room_id":""}', b'{"type":"close_room","room_id":5}',
        b'{"type":"close_room","room_id":"' + b"x" * 129 + b'"}', b"[" * 100_000,
        b'{"type":"close_room","room_id":"\xff"}', b'{"type":"revoke_pairs","pairs":["short"]}',
        b'{"type":"revoke_pairs","pairs":[' + b",".join([b'"' + b"0" * 32 + b'"'] * 1001) + b"]}",
    ],
)  # fmt: skip
def test_what_is_no_message(payload: bytes) -> None:
    with pytest.raises(MessageError):
        decode_from_lobby(payload)


def test_the_directions_have_their_own_messages() -> None:
    with pytest.raises(MessageError):
        decode_from_lobby(encode(Opened(request=1, ok=True)))
    with pytest.raises(MessageError):
        decode_from_relay(encode(CloseRoom(room_id="r")))


@given(st.binary(max_size=300))
def test_noise(noise: bytes) -> None:
    for decode in (decode_from_lobby, decode_from_relay):
        with pytest.raises(MessageError):
            decode(noise)


def test_what_cannot_be_sent() -> None:
    with pytest.raises(UnsendableError):
        encode(UpdateCard(room_id="r", card="\udcff"))
    with pytest.raises(UnsendableError):
        encode(UpdateCard(room_id="r", card="x" * MAX_PAYLOAD))
    assert fits_a_room(UpdateCard(room_id="r", card="x" * 1000))
    assert not fits_a_room(UpdateCard(room_id="r", card="x" * 40_000))
    assert not fits_a_room(UpdateCard(room_id="r", card="\udcff"))


@given(st.lists(st.integers(0, 30_000), max_size=30))
def test_rooms_in_parts(sizes: list[int]) -> None:
    rooms = [
        RoomInfo(room_id=f"r{number}", game="g", hosted=False, card="x" * size)
        for number, size in enumerate(sizes)
    ]
    parts = list(room_parts(rooms))
    assert [room for part in parts for room in part.rooms] == rooms
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(len(encode(part)) < PART_SIZE + 40_000 for part in parts)


def test_sanctions_in_parts() -> None:
    bans = sanctions()
    for number in range(1000):
        bans.impose(Kind.BAN, Target.NAME, f"player{number}", reason="r" * 500, by="root", duration=None)
    parts = list(sanction_parts(bans.active()))
    assert len(parts) > 1
    assert [sanction for part in parts for sanction in part.sanctions] == bans.active()
    for part in parts:
        assert decode_from_lobby(encode(part)) == part
