from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.relay import decode
from wlnet.protocols.widelands_relay import wire

u8 = st.integers(0, 255)
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
payload = st.binary(max_size=300)
from_relay = st.one_of(
    st.builds(wire.welcome, u8, text.map(str.encode)),
    st.builds(wire.disconnect, text.map(str.encode)),
    st.builds(wire.ping, u8),
    st.builds(wire.connect_client, u8),
    st.builds(wire.disconnect_client, u8),
    st.builds(wire.round_trip_time_response, st.lists(st.tuples(u8, u8, u8), max_size=255)),
    st.builds(wire.from_client, u8, payload),
    st.builds(wire.from_host, payload),
)


@given(u8, text, payload, st.lists(st.tuples(u8, u8, u8), max_size=255))
def test_what_the_relay_says_reads_back(
    number: int, words: str, load: bytes, table: list[tuple[int, int, int]]
) -> None:
    said = b"".join([
        wire.welcome(number, words.encode()), wire.disconnect(words.encode()), wire.ping(number),
        wire.connect_client(number), wire.disconnect_client(number), wire.round_trip_time_response(table),
        wire.from_client(number, load), wire.from_host(load),
    ])  # fmt: skip
    assert decode(said) == (
        [
            ("Welcome", number, words), ("Disconnect", words), ("Ping", number), ("ConnectClient", number),
            ("DisconnectClient", number), ("RoundTripTimes", *table), ("FromClient", number, load),
            ("FromHost", load),
        ],
        b"",
    )  # fmt: skip


@given(st.lists(from_relay, min_size=1, max_size=12), st.data())
def test_the_end_of_a_frame_is_found_from_any_byte_of_it(frames: list[bytes], data: st.DataObject) -> None:
    chunk = b"".join(frames)
    offset = data.draw(st.integers(0, len(chunk)))
    ends = [0]
    for frame in frames:
        ends.append(ends[-1] + len(frame))
    assert wire.end_of_frame(chunk, offset) == min(end for end in ends if end >= offset)


@given(from_relay, st.data())
def test_a_length_is_never_told_too_short(frame: bytes, data: st.DataObject) -> None:
    assert wire.length_from_relay(frame) == len(frame)
    part = frame[: data.draw(st.integers(0, len(frame) - 1))]
    assert wire.length_from_relay(part) in (0, len(frame))


def test_what_peers_say_is_written_as_documented() -> None:
    assert wire.hello(1, b"g", b"pw") == b"\x01\x01g\0pw\0"
    assert wire.hello(1, b"g", b"pw", doubled=True) == b"\x01\x01g\0pw\0pw\0"
    assert wire.pong(7) == b"\x05\x07"
    assert wire.round_trip_time_request() == b"\x06"
    assert wire.to_clients((2, 5), b"abc") == b"\x0d\x02\x05\0\x00\x05abc"
    assert wire.to_clients((), b"") == b"\x0d\0\x00\x02"
    assert wire.to_host(b"abc") == b"\x15\x00\x05abc"
    assert wire.packet(bytes(65533))[:2] == b"\xff\xff"


def test_what_does_not_fit_the_wire_is_refused() -> None:
    with pytest.raises(ValueError, match="payload"):
        wire.packet(bytes(65534))
    with pytest.raises(ValueError, match="NUL"):
        wire.hello(1, b"a\0b", b"")
    with pytest.raises(ValueError, match="NUL"):
        wire.to_clients((2, 0), b"")
    with pytest.raises(ValueError, match="ids"):
        wire.to_clients([2] * 256, b"")
    with pytest.raises(ValueError, match="unknown command"):
        wire.length_from_relay(b"\x15\x00\x02")
