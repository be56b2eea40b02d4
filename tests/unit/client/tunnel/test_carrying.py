"""Streams in order and datagrams once, over paths of all kinds."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.client.tunnel.pair import Pair
from wlnet.client.tunnel.events import CloseReason, Ready, StreamOpened, StreamWasReset
from wlnet.client.tunnel.limits import PACKET_SIZE
from wlnet.client.tunnel.tunnel import TunnelError


def test_ready_once_on_both_sides() -> None:
    pair = Pair().settle()
    for end in pair.ends:
        assert end.events == [Ready()]
        assert end.tunnel.ready


def test_ready_before_anything_else_and_nothing_to_send_before() -> None:
    pair = Pair()
    with pytest.raises(TunnelError):
        pair.guest.tunnel.open_stream()
    with pytest.raises(TunnelError):
        pair.guest.tunnel.send_datagram(b"x")


def test_stream_both_ways_with_its_purpose_and_end() -> None:
    pair = Pair().settle()
    stream = pair.guest.tunnel.open_stream(7)
    pair.pump()
    pair.run(0.1)
    assert StreamOpened(stream, 7) in pair.host.events
    pair.host.tunnel.send_stream(stream, b"welcome", end=True)
    pair.guest.tunnel.send_stream(stream, b"hello")
    pair.guest.tunnel.send_stream(stream, b" host", end=True)
    pair.pump()
    pair.run(0.5)
    assert pair.host.received[stream] == b"hello host"
    assert pair.guest.received[stream] == b"welcome"
    assert pair.host.ended == pair.guest.ended == {stream}
    with pytest.raises(TunnelError):
        pair.guest.tunnel.send_stream(stream, b"more")


def test_host_opens_streams_too() -> None:
    pair = Pair().settle()
    stream = pair.host.tunnel.open_stream(3)
    pair.host.tunnel.send_stream(stream, b"news", end=True)
    pair.pump()
    pair.run(0.5)
    assert StreamOpened(stream, 3) in pair.guest.events
    assert pair.guest.received[stream] == b"news"


def test_reset_breaks_both_directions_off_and_is_told_once() -> None:
    pair = Pair().settle()
    stream = pair.guest.tunnel.open_stream()
    pair.guest.tunnel.send_stream(stream, b"begin")
    pair.pump()
    pair.run(0.2)
    pair.guest.tunnel.reset_stream(stream)
    pair.pump()
    pair.run(0.5)
    assert pair.host.saw(StreamWasReset) == [StreamWasReset(stream)]
    assert pair.guest.saw(StreamWasReset) == []
    with pytest.raises(TunnelError):
        pair.host.tunnel.send_stream(stream, b"late")


@pytest.mark.parametrize("size", [0, 1, 1149, 1150, 1151, 1200, 2300, 10000, 65507, 65536])
def test_datagrams_of_all_sizes_come_whole_in_small_packets(size: int) -> None:
    pair = Pair(loss=0.05).settle()
    data = bytes(i % 251 for i in range(size))
    pair.guest.tunnel.send_datagram(data)
    pair.host.tunnel.send_datagram(data[::-1])
    pair.pump()
    pair.run(5)
    assert pair.host.datagrams == [data]
    assert pair.guest.datagrams == [data[::-1]]
    assert pair.largest <= PACKET_SIZE


def test_too_long_a_datagram_is_refused_here() -> None:
    pair = Pair().settle()
    with pytest.raises(ValueError, match="too long"):
        pair.guest.tunnel.send_datagram(bytes(65537))


class Match:
    """A game that goes on: both send a line of a stream and a datagram 20 times a second."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.stream = pair.guest.tunnel.open_stream()
        pair.pump()
        pair.run(1)
        self.lines = [b"", b""]
        self.datagrams: list[list[bytes]] = [[], []]
        self.number = 0

    def play(self, seconds: float) -> None:
        for _ in range(int(seconds * 20)):
            self.number += 1
            for index, end in enumerate(self.pair.ends):
                line = f"line {self.number} of {index}\n".encode()
                end.tunnel.send_stream(self.stream, line)
                self.lines[index] += line
                datagram = f"datagram {self.number} of {index} ".encode() * (1 + self.number % 90)
                end.tunnel.send_datagram(datagram)
                self.datagrams[index].append(datagram)
            self.pair.pump()
            self.pair.run(0.05)

    def check(self) -> None:
        for index, there in ((0, self.pair.host), (1, self.pair.guest)):
            assert bytes(there.received[self.stream]) == self.lines[index]
            assert Counter(there.datagrams) == Counter(self.datagrams[index])
            assert there.tunnel.datagrams_dropped == 0


def test_loss_reordering_and_duplicates() -> None:
    pair = Pair(loss=0.1, jitter=0.05, duplicates=0.1).settle()
    match = Match(pair)
    match.play(20)
    pair.run(5)
    assert pair.lost > 50
    match.check()


@pytest.mark.parametrize("resend", [True, False])
@pytest.mark.parametrize("drop", [True, False])
def test_moves_are_invisible(drop: bool, resend: bool) -> None:
    pair = Pair(delay=0.1, jitter=0.02, loss=0.01).settle()
    match = Match(pair)
    for number in range(10):
        match.play(1)
        pair.move(drop=drop, delay=0.02 if number % 2 else 0.15, resend=resend)
    match.play(1)
    pair.run(5)
    match.check()


@pytest.mark.parametrize("resend", [True, False])
def test_a_move_is_tried_out_at_once_even_if_nothing_is_under_way(resend: bool) -> None:
    pair = Pair().settle()
    for end in pair.ends:
        assert end.tunnel.transmits(pair.now) == []
        end.tunnel.path_changed(pair.now, resend=resend)
        assert len(end.tunnel.transmits(pair.now)) == 1


def test_a_move_during_a_long_transfer_starts_slowly_and_loses_nothing() -> None:
    pair = Pair(delay=0.01).settle()
    stream = pair.guest.tunnel.open_stream()
    sent = b""
    for number in range(60):
        piece = bytes([number]) * pair.guest.tunnel.room(stream)
        pair.guest.tunnel.send_stream(stream, piece)
        sent += piece
        pair.pump()
        pair.run(0.1)
        if number % 10 == 9:
            window = pair.guest.tunnel._quic.congestion_window
            pair.move(drop=True, delay=0.05 if number % 20 == 9 else 0.01)
            assert pair.guest.tunnel._quic.congestion_window < window
    pair.run(20)
    assert len(sent) > 1_000_000
    assert pair.host.received[stream] == sent


def test_move_of_a_dropped_path_loses_little_time() -> None:
    pair = Pair(delay=0.2).settle()
    stream = pair.guest.tunnel.open_stream()
    pair.pump()
    pair.run(2)
    pair.up = False
    pair.guest.tunnel.send_stream(stream, b"under way")
    pair.guest.tunnel.send_datagram(b"under way too")
    pair.pump()
    pair.run(15)
    pair.up = True
    pair.move(drop=True, delay=0.01)
    pair.run(0.02)
    assert pair.host.received[stream] == b"under way"
    assert pair.host.datagrams == [b"under way too"]


@pytest.mark.parametrize("silence", [20, 30])
def test_an_outage_without_a_move_is_survived(silence: int) -> None:
    pair = Pair(loss=0.02).settle()
    match = Match(pair)
    match.play(3)
    pair.up = False
    match.play(silence)
    assert pair.guest.closed is None
    pair.up = True
    match.play(1)
    pair.run(10)
    match.check()


def test_after_an_outage_without_a_move_it_goes_on_within_two_seconds() -> None:
    pair = Pair().settle()
    stream = pair.guest.tunnel.open_stream()
    pair.pump()
    pair.run(1)
    pair.up = False
    pair.guest.tunnel.send_stream(stream, b"patience")
    pair.pump()
    pair.run(30)
    pair.up = True
    pair.run(2)
    assert pair.host.received[stream] == b"patience"


def test_silence_for_too_long_ends_it_with_a_reason() -> None:
    pair = Pair().settle()
    pair.up = False
    pair.run(50)
    assert pair.guest.closed is None
    assert pair.host.closed is None
    pair.run(35)
    for end in pair.ends:
        assert end.closed is not None
        assert end.closed.reason is CloseReason.SILENCE
        assert "60 seconds" in end.closed.text
        assert end.tunnel.next_deadline() is None


def test_an_idle_tunnel_lives_on_and_says_little() -> None:
    pair = Pair().settle()
    before = pair.sent
    pair.run(600)
    assert pair.guest.tunnel.ready
    assert pair.host.tunnel.ready
    assert pair.sent - before < 600


def test_close_is_told_with_its_words() -> None:
    pair = Pair().settle()
    pair.guest.tunnel.close("the game is over\n", pair.now)
    pair.pump()
    pair.run(1)
    assert pair.guest.closed is not None
    assert pair.guest.closed.reason is CloseReason.HERE
    assert pair.host.closed is not None
    assert pair.host.closed.reason is CloseReason.THERE
    assert pair.host.closed.text == "the game is over "


def test_news_of_the_end_is_repeated_to_who_missed_it() -> None:
    pair = Pair().settle()
    stream = pair.host.tunnel.open_stream()
    pair.pump()
    pair.run(1)
    pair.guest.tunnel.close("bye", pair.now)
    pair.up = False
    pair.pump()
    pair.run(1)
    pair.up = True
    pair.host.tunnel.send_stream(stream, b"still there?")
    pair.pump()
    pair.run(1)
    assert pair.host.closed is not None
    assert pair.host.closed.reason is CloseReason.THERE


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    loss=st.floats(0, 0.2),
    jitter=st.floats(0, 0.1),
    duplicates=st.floats(0, 0.3),
    steps=st.lists(
        st.tuples(st.sampled_from(["play", "move", "lost move", "upgrade", "outage"]), st.floats(0.05, 2)),
        max_size=8,
    ),
)
def test_whatever_the_path_does(
    seed: int, loss: float, jitter: float, duplicates: float, steps: list[tuple[str, float]]
) -> None:
    pair = Pair(seed=seed, loss=loss, jitter=jitter, duplicates=duplicates)
    pair.run(15)
    match = Match(pair)
    for what, amount in steps:
        match.play(0.5)
        if what == "play":
            match.play(amount)
        elif what == "outage":
            pair.up = False
            match.play(amount)
            pair.up = True
        else:
            pair.move(drop=what == "lost move", delay=amount / 10, resend=what != "upgrade")
    pair.loss = 0
    pair.run(20)
    match.check()
