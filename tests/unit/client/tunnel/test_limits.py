"""Every limit bites, and what a peer can cause has a bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.client.tunnel.pair import Pair
from wlnet.client.tunnel.datagrams import DatagramError, Inbox, Outbox
from wlnet.client.tunnel.events import CloseReason, DatagramReceived, StreamWritable
from wlnet.client.tunnel.limits import LARGEST_MESSAGE, TunnelLimits
from wlnet.client.tunnel.tunnel import TunnelError

SMALL = TunnelLimits(
    streams=4, stream_window=16384, window=32768, send_buffer=16384, datagrams_waiting=20, datagrams_untaken=5
)


def push(pair: Pair, streams: list[int], seconds: float, total: int | None = None) -> int:
    """The guest sends all there is room for, up to *total* a stream; gives how much in all."""
    sent = dict.fromkeys(streams, 0)
    for _ in range(int(seconds * 20)):
        for stream in streams:
            room = pair.guest.tunnel.room(stream)
            size = room if total is None else min(room, total - sent[stream])
            pair.guest.tunnel.send_stream(stream, bytes(size))
            sent[stream] += size
        pair.pump()
        pair.run(0.05)
    return sum(sent.values())


def opened(pair: Pair, count: int) -> list[int]:
    streams = [pair.guest.tunnel.open_stream() for _ in range(count)]
    pair.pump()
    pair.run(0.2)
    return streams


def test_who_does_not_read_stops_the_sender_of_a_stream_and_reading_starts_him() -> None:
    pair = Pair(limits=SMALL).settle()
    pair.host.consumes = False
    (stream,) = opened(pair, 1)
    push(pair, [stream], 5)
    held = len(pair.host.received[stream])
    assert SMALL.stream_window * 3 // 4 <= held <= SMALL.stream_window
    assert pair.guest.tunnel.room(stream) == 0
    pair.host.tunnel.consumed(stream, held)
    pair.host.consumes = True
    pair.pump()
    push(pair, [stream], 5)
    assert len(pair.host.received[stream]) > 10 * SMALL.stream_window


def test_the_window_of_all_streams() -> None:
    pair = Pair(limits=SMALL).settle()
    pair.host.consumes = False
    streams = opened(pair, 4)
    push(pair, streams, 5)
    held = sum(len(data) for data in pair.host.received.values())
    assert SMALL.window * 3 // 4 <= held <= SMALL.window


def test_windows_do_not_grow_with_what_was_sent() -> None:
    pair = Pair(limits=SMALL).settle()
    (stream,) = opened(pair, 1)
    push(pair, [stream], 20)
    before = len(pair.host.received[stream])
    assert before > 20 * SMALL.window
    pair.host.consumes = False
    push(pair, [stream], 5)
    assert len(pair.host.received[stream]) - before <= SMALL.stream_window


def test_one_stream_that_nobody_reads_does_not_stop_another() -> None:
    pair = Pair(limits=SMALL).settle()
    stuck, lively = opened(pair, 2)
    pair.host.consumes = False
    push(pair, [stuck], 2)
    pair.host.consumes = True
    push(pair, [lively], 5)
    assert len(pair.host.received[lively]) > 5 * SMALL.window


def test_a_broken_off_stream_gives_its_credit_back() -> None:
    pair = Pair(limits=SMALL).settle()
    for _ in range(20):
        pair.host.consumes = False
        (stream,) = opened(pair, 1)
        push(pair, [stream], 1)
        pair.host.tunnel.reset_stream(stream)
        pair.pump()
        pair.run(0.5)
    pair.host.consumes = True
    (stream,) = opened(pair, 1)
    push(pair, [stream], 3)
    assert len(pair.host.received[stream]) > 2 * SMALL.window


@pytest.mark.parametrize("what", ["stream", "connection", "streams", "one-way"])
def test_a_peer_who_ignores_his_limits_is_thrown_out(what: str) -> None:
    pair = Pair(limits=SMALL).settle()
    pair.host.consumes = False
    streams = opened(pair, 3)
    quic = pair.guest.tunnel._quic
    if what == "stream":
        quic._streams[streams[0]].max_stream_data_remote = 10**9
        quic.send_stream_data(streams[0], bytes(17000))
    elif what == "connection":
        quic._remote_max_data = 10**9
        for stream in streams:
            quic.send_stream_data(stream, bytes(16000))
    else:
        quic._remote_max_streams_bidi = quic._remote_max_streams_uni = 10**9
        quic._remote_max_stream_data_uni = 100
        for _ in range(2):
            number = quic.get_next_available_stream_id(is_unidirectional=what == "one-way")
            quic.send_stream_data(number, b"x")
    pair.pump()
    pair.run(2)
    assert pair.host.closed is not None
    assert pair.host.closed.reason is CloseReason.BROKEN_PEER
    assert pair.host.closed.text


def test_streams_open_at_once() -> None:
    pair = Pair(limits=SMALL).settle()
    opened(pair, 4)
    with pytest.raises(TunnelError, match="too many"):
        pair.guest.tunnel.open_stream()
    pair.host.tunnel.open_stream()


def test_many_streams_one_after_another() -> None:
    pair = Pair(limits=SMALL, loss=0.05).settle()
    for number in range(100):
        (stream,) = opened(pair, 1)
        pair.guest.tunnel.send_stream(stream, b"question %d" % number, end=True)
        pair.pump()
        pair.run(1)
        pair.host.tunnel.send_stream(stream, b"answer", end=True)
        pair.pump()
        pair.run(1.5)
        assert pair.host.received[stream] == b"question %d" % number
        assert pair.guest.received[stream] == b"answer"
    assert len(pair.host.tunnel._streams.all()) <= 1
    assert len(pair.guest.tunnel._quic._streams) <= 1


def test_streams_whose_bytes_nobody_is_done_with_still_count() -> None:
    pair = Pair(limits=SMALL).settle()
    pair.host.consumes = False
    for stream in opened(pair, 4):
        pair.guest.tunnel.send_stream(stream, b"x", end=True)
        pair.host.tunnel.send_stream(stream, b"", end=True)
    pair.pump()
    pair.run(2)
    (waiting,) = opened(pair, 1)
    pair.run(2)
    assert waiting not in pair.host.opened
    for stream in list(pair.host.received):
        pair.host.tunnel.consumed(stream, 1)
    pair.pump()
    pair.run(2)
    assert waiting in pair.host.opened


def test_more_consumed_than_received_is_a_mistake() -> None:
    pair = Pair().settle()
    (stream,) = opened(pair, 1)
    with pytest.raises(ValueError, match="consumed"):
        pair.host.tunnel.consumed(stream, 1)


def test_send_buffer_and_the_news_of_room() -> None:
    pair = Pair(limits=SMALL).settle()
    (stream,) = opened(pair, 1)
    pair.up = False
    room = pair.guest.tunnel.room(stream)
    assert 0 < room <= SMALL.send_buffer
    with pytest.raises(TunnelError, match="room"):
        pair.guest.tunnel.send_stream(stream, bytes(room + 1))
    pair.guest.tunnel.send_stream(stream, bytes(room))
    pair.pump()
    assert pair.guest.tunnel.room(stream) == 0
    pair.run(5)
    writable = len(pair.guest.saw(StreamWritable))
    pair.up = True
    pair.run(5)
    assert len(pair.guest.saw(StreamWritable)) == writable + 1
    assert pair.guest.tunnel.room(stream) == SMALL.send_buffer


def test_too_many_datagrams_the_oldest_of_those_that_wait_go() -> None:
    pair = Pair(limits=replace(SMALL, datagrams_untaken=1000)).settle()
    pair.up = False
    for number in range(1000):
        pair.guest.tunnel.send_datagram(number.to_bytes(2, "big"))
        pair.pump()
    dropped = pair.guest.tunnel.datagrams_dropped
    assert dropped == 1000 - SMALL.datagrams_waiting - SMALL.datagram_window
    pair.up = True
    pair.run(10)
    numbers = {int.from_bytes(data, "big") for data in pair.host.datagrams}
    assert len(pair.host.datagrams) == len(numbers) == 1000 - dropped
    assert 999 in numbers


def test_too_many_bytes_of_datagrams() -> None:
    limits = TunnelLimits(datagram_bytes_waiting=100_000)
    pair = Pair(limits=limits).settle()
    pair.up = False
    for _ in range(50):
        pair.guest.tunnel.send_datagram(bytes(20_000))
        pair.pump()
    assert 10 < pair.guest.tunnel.datagrams_dropped < 50


def test_datagrams_nobody_takes() -> None:
    pair = Pair(limits=SMALL).settle()
    for number in range(20):
        pair.guest.tunnel.send_datagram(bytes([number]))
    for packet in pair.guest.tunnel.transmits(pair.now):
        pair.host.tunnel.receive(packet, pair.now)
    assert pair.host.tunnel.datagrams_untaken_dropped == 15
    assert pair.host.tunnel.events() == [DatagramReceived(bytes([number])) for number in range(5)]


def test_a_datagram_that_makes_no_sense_ends_it() -> None:
    pair = Pair().settle()
    pair.guest.tunnel._quic.send_datagram_frame(b"\x00\x05\x02")
    pair.pump()
    pair.run(1)
    assert pair.host.closed is not None
    assert pair.host.closed.reason is CloseReason.BROKEN_PEER
    assert pair.guest.closed is not None


def test_news_of_the_end_is_repeated_a_bounded_number_of_times() -> None:
    pair = Pair().settle()
    pair.guest.tunnel.close("bye", pair.now)
    assert len(pair.guest.tunnel.transmits(pair.now)) == 1
    answers = 0
    for _ in range(100):
        pair.guest.tunnel.receive(b"\x40" + bytes(50), pair.now)
        answers += len(pair.guest.tunnel.transmits(pair.now))
    assert answers == pair.guest.tunnel.limits.close_repeats


@pytest.mark.parametrize(
    "changes",
    [
        {"datagram_window": 60},
        {"streams": 0},
        {"stream_window": 100},
        {"stream_window": 10**7},
        {"silence": 5.0},
        {"probe_interval": 0.0},
    ],
)
def test_limits_that_would_stop_a_tunnel_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  several texts
        TunnelLimits(**changes)  # type: ignore[arg-type]


@given(
    sizes=st.lists(st.integers(0, 5000), max_size=60),
    seed=st.randoms(use_true_random=False),
    repeats=st.integers(1, 3),
)
def test_inbox_gives_each_datagram_once_in_whatever_order(
    sizes: list[int], seed: object, repeats: int
) -> None:
    outbox, inbox = Outbox(TunnelLimits()), Inbox(TunnelLimits())
    datagrams = [bytes([number]) * size for number, size in enumerate(sizes)]
    for datagram in datagrams:
        outbox.put(datagram)
    frames = outbox.take() * repeats
    seed.shuffle(frames)  # type: ignore[attr-defined]
    given_out = [whole for frame in frames if (whole := inbox.receive(frame)) is not None]
    assert sorted(given_out) == sorted(datagrams)
    assert inbox.held == 0


def test_outbox_keeps_within_its_window_until_acknowledged() -> None:
    outbox = Outbox(TunnelLimits(datagram_window=200))
    for _ in range(300):
        outbox.put(b"x")
    assert len(outbox.take()) == 200
    assert outbox.take() == []
    outbox.acknowledged(5)
    assert outbox.take() == []
    outbox.acknowledged(0)
    assert len(outbox.take()) == 1
    assert len(outbox) == 99


@given(st.lists(st.binary(max_size=20), max_size=200))
def test_inbox_takes_any_bytes_and_holds_little(frames: list[bytes]) -> None:
    inbox = Inbox(TunnelLimits(datagram_window=200))
    for frame in frames:
        try:
            inbox.receive(frame)
        except DatagramError:
            pass
    assert inbox.held <= 200 + LARGEST_MESSAGE


def test_inbox_holds_a_window_of_fragments_of_a_peer_who_never_completes_any() -> None:
    inbox = Inbox(TunnelLimits(datagram_window=200))
    for number in range(0, 20000, 2):
        header = (number | 0x80000000).to_bytes(4, "big")
        inbox.receive(header + b"\x01\x03" + bytes(1150) if number else header + b"\x00\x02" + bytes(1150))
        assert inbox.held <= 200 + LARGEST_MESSAGE
        assert len(inbox._taken) <= 2 * 200 + 1
    with pytest.raises(DatagramError):
        inbox.receive(b"\x40")
