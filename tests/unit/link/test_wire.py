"""Frames: what arrives is what was sent by the other end, in order, or the link ends."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.link.wire import MAX_PAYLOAD, TAG_SIZE, FrameError, FrameReader, FrameWriter, Role

KEY = b"k" * 32
payloads = st.lists(st.binary(min_size=1, max_size=300), max_size=6)


def frames(role: Role, *contents: bytes) -> list[bytes]:
    writer = FrameWriter(role, KEY)
    return [writer.frame(content) for content in contents]


def test_a_frame_byte_by_byte() -> None:
    tag = hmac.digest(KEY, b"R" + b"\0" * 8 + b"{}", sha256)[:16]
    assert frames(Role.RELAY, b"{}") == [b"\0\0\0\x12" + b"{}" + tag]
    second = hmac.digest(KEY, b"R" + b"\0" * 7 + b"\1" + b"{}", sha256)[:16]
    assert frames(Role.RELAY, b"{}", b"{}")[1] == b"\0\0\0\x12" + b"{}" + second


@given(payloads, st.lists(st.integers(1, 50), max_size=20))
def test_any_payloads_in_any_pieces(contents: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frames(Role.LOBBY, *contents))
    reader = FrameReader(Role.LOBBY, KEY)
    received: list[bytes] = []
    for cut in cuts:
        received += reader.receive(stream[:cut])
        stream = stream[cut:]
    received += reader.receive(stream)
    assert received == contents


@given(st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=4), st.data())
def test_a_changed_bit_never_gets_through(contents: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(b"".join(frames(Role.LOBBY, *contents)))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    reader = FrameReader(Role.LOBBY, KEY)
    try:
        received = reader.receive(bytes(stream))
    except FrameError:
        return
    assert len(received) < len(contents)  # a length that grew: it waits for more
    assert received == contents[: len(received)]


def test_a_repeated_frame_is_refused() -> None:
    (frame,) = frames(Role.LOBBY, b"once")
    reader = FrameReader(Role.LOBBY, KEY)
    assert reader.receive(frame) == [b"once"]
    with pytest.raises(FrameError):
        reader.receive(frame)


def test_exchanged_frames_are_refused() -> None:
    first, second = frames(Role.LOBBY, b"first", b"other")
    with pytest.raises(FrameError):
        FrameReader(Role.LOBBY, KEY).receive(second + first)


def test_a_frame_left_out_is_noticed() -> None:
    first, _, third = frames(Role.LOBBY, b"1", b"2", b"3")
    reader = FrameReader(Role.LOBBY, KEY)
    assert reader.receive(first) == [b"1"]
    with pytest.raises(FrameError):
        reader.receive(third)


def test_a_frame_sent_back_is_refused() -> None:
    (frame,) = frames(Role.RELAY, b"mine")
    with pytest.raises(FrameError):
        FrameReader(Role.LOBBY, KEY).receive(frame)


def test_another_key_is_refused() -> None:
    (frame,) = frames(Role.LOBBY, b"x")
    with pytest.raises(FrameError):
        FrameReader(Role.LOBBY, b"K" * 32).receive(frame)


@pytest.mark.parametrize("length", [0, 1, TAG_SIZE, MAX_PAYLOAD + TAG_SIZE + 1, 2**32 - 1])
def test_impossible_lengths_are_refused_before_the_rest_arrives(length: int) -> None:
    with pytest.raises(FrameError):
        FrameReader(Role.LOBBY, KEY).receive(length.to_bytes(4, "big"))


def test_the_longest_payload_fits_and_one_byte_more_does_not() -> None:
    writer = FrameWriter(Role.LOBBY, KEY)
    with pytest.raises(ValueError, match="fit"):
        writer.frame(b"x" * (MAX_PAYLOAD + 1))
    with pytest.raises(ValueError, match="fit"):
        writer.frame(b"")
    frame = writer.frame(b"x" * MAX_PAYLOAD)  # the refused ones have used up no number
    assert FrameReader(Role.LOBBY, KEY).receive(frame) == [b"x" * MAX_PAYLOAD]


def test_nothing_is_read_after_an_error() -> None:
    (frame,) = frames(Role.LOBBY, b"good")
    reader = FrameReader(Role.LOBBY, KEY)
    with pytest.raises(FrameError):
        reader.receive(b"\0\0\0\0")
    with pytest.raises(FrameError):
        reader.receive(frame)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_waits(noise: bytes) -> None:
    try:
        assert FrameReader(Role.LOBBY, KEY).receive(noise) == []
    except FrameError:
        pass
