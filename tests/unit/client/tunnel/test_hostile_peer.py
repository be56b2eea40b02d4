"""A peer who is who he should be and sends nonsense within the encryption."""

from __future__ import annotations

from aioquic import tls
from aioquic.quic.packet import QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.client.tunnel.pair import Pair
from wlnet.client.tunnel.connection import Connection


def packet(quic: Connection, frames: bytes) -> bytes:
    """A packet of that connection with *frames* behind a PING."""
    assert quic._version is not None
    builder = QuicPacketBuilder(
        host_cid=quic.host_cid,
        is_client=quic._is_client,
        max_datagram_size=1200,
        packet_number=quic._packet_number,
        peer_cid=quic._peer_cid.cid,
        version=quic._version,
    )
    builder.start_packet(QuicPacketType.ONE_RTT, quic._cryptos[tls.Epoch.ONE_RTT])
    builder.start_frame(0x01, capacity=1 + len(frames)).push_bytes(frames)
    datagrams, _ = builder.flush()
    quic._packet_number = builder.packet_number
    return datagrams[0]


number = st.one_of(st.integers(0, 63), st.integers(0, 2**62 - 1)).map(
    lambda value: (value | 0b11 << 62).to_bytes(8, "big")
)
frame = st.builds(
    lambda kind, numbers, rest: bytes([kind]) + b"".join(numbers) + rest,
    st.integers(0, 0x31),
    st.lists(number, max_size=5),
    st.binary(max_size=40),
)


@settings(max_examples=150, deadline=None)
@given(packets=st.lists(st.lists(frame, min_size=1, max_size=5).map(b"".join), min_size=1, max_size=8))
def test_frames_of_all_kinds_with_any_numbers(packets: list[bytes]) -> None:
    pair = Pair().settle()
    stream = pair.guest.tunnel.open_stream()
    pair.guest.tunnel.send_stream(stream, b"x")
    pair.pump()
    pair.run(0.1)
    for here, there in ((pair.guest, pair.host), (pair.host, pair.guest)):
        for frames in packets:
            there.tunnel.receive(packet(here.tunnel._quic, frames), pair.now)
            there.take()
    pair.pump()
    pair.run(2)
    limits = pair.host.tunnel.limits
    for end in pair.ends:
        assert len(end.tunnel._quic._streams) <= 2 * limits.streams
        assert end.tunnel._inbox.held <= limits.datagram_window


def test_a_packet_made_like_this_arrives() -> None:
    pair = Pair().settle()
    pair.host.tunnel.receive(packet(pair.guest.tunnel._quic, b"\x31\x04\x00\x00\x01!"), pair.now)
    pair.host.take()
    assert pair.host.datagrams == [b"!"]
