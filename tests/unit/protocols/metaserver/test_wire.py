"""Packets as bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.protocols.metaserver.dialect import builds_fit, is_release
from wlnet.protocols.metaserver.digest import same, sha1_hex
from wlnet.protocols.metaserver.wire import (
    MAX_PACKET,
    FieldError,
    Fields,
    PacketBuffer,
    PacketTooLongError,
    WireError,
    encode,
    frame,
)

texts = st.binary(max_size=60).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape"))
packets = st.lists(texts, min_size=1, max_size=8)


def _all(buffer: PacketBuffer) -> list[list[str]]:
    found = []
    while (fields := buffer.next()) is not None:
        found.append(_texts(fields))
    return found


def _texts(fields: Fields) -> list[str]:
    found = []
    while True:
        try:
            found.append(fields.text())
        except FieldError:
            return found


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_a_packet_is_a_length_that_counts_itself_and_fields_that_end_in_nul() -> None:
    assert encode("CHAT", "hi", "") == b"\x00\x0bCHAT\0hi\0\0"


@given(st.lists(packets, max_size=10), st.lists(st.integers(0), max_size=20))
def test_what_goes_in_comes_out_however_it_is_cut(written: list[list[str]], places: list[int]) -> None:
    buffer = PacketBuffer(MAX_PACKET)
    read = []
    for piece in _cut(b"".join(encode(*fields) for fields in written), places):
        buffer.feed(piece)
        read += _all(buffer)
    assert read == written
    assert len(buffer) == 0


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(3, 300))
def test_any_bytes_give_packets_or_an_end_and_are_not_hoarded(pieces: list[bytes], limit: int) -> None:
    buffer = PacketBuffer(limit)
    for piece in pieces:
        buffer.feed(piece)
        try:
            _all(buffer)
        except WireError:
            return
        assert len(buffer) < limit


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=5))
def test_a_nul_inside_a_field_makes_no_field_of_it(fields: list[bytes]) -> None:
    buffer = PacketBuffer(MAX_PACKET)
    buffer.feed(encode(*(field.decode("latin-1") for field in fields)))
    packet = buffer.next()
    assert packet is not None
    assert len(_texts(packet)) == len(fields)


def test_the_longest_packet() -> None:
    assert len(encode("x" * 65532)) == MAX_PACKET
    with pytest.raises(PacketTooLongError):
        encode("x" * 65533)
    with pytest.raises(PacketTooLongError):
        frame(b"x" * 65534)


@pytest.mark.parametrize("text", ["0", "5", "-1", "+6", "007", "9" * 18])
def test_integers(text: str) -> None:
    assert Fields([text.encode()]).integer() == int(text)


@pytest.mark.parametrize("text", ["", "-", "x", "1.0", "1_0", " 1", "٣", "9" * 19, "--1", "1e3", "\udcff"])
def test_no_integers(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        Fields([text.encode("utf-8", "surrogateescape")]).integer()
    assert str(caught.value) == f"Invalid integer: '{text}'"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_booleans(text: str, value: bool) -> None:
    assert Fields([text.encode()]).boolean() is value


@pytest.mark.parametrize("text", ["", "True", "yes", "2"])
def test_no_booleans(text: str) -> None:
    with pytest.raises(FieldError, match=f"Invalid bool: '{text}'"):
        Fields([text.encode()]).boolean()


def test_a_field_that_is_not_there() -> None:
    fields = Fields([b"one"])
    fields.text()
    with pytest.raises(FieldError, match="No more RawData in the packet"):
        fields.text()


def test_secrets() -> None:
    assert sha1_hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    assert same("ä\udcff", "ä\udcff")
    assert not same("a", "b")


@pytest.mark.parametrize("build", ["build-19", "build-21", "1.0", "1.2.1", "10.20.30"])
def test_releases(build: str) -> None:
    assert is_release(build)
    assert builds_fit(build, build)
    assert not builds_fit(build, "1.4~git1")


@pytest.mark.parametrize("build", ["", "1", "1.4~git26-abc", "1.0-rc1", "v1.0", "1.2.3.4", "bzr1234[trunk]"])
def test_development_versions(build: str) -> None:
    assert not is_release(build)
    assert builds_fit(build, "1.4~git1")
