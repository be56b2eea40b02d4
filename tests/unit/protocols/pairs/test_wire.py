"""The codec: round trips, the test vectors of docs/protocols/pairs.md, and never anything but WireError."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.protocols.pairs import wire
from wlnet.protocols.pairs.cookies import Cookies
from wlnet.protocols.stun.wire import Endpoint

EIGHT = st.binary(min_size=8, max_size=8)
U32 = st.integers(0, 2**32 - 1)
DOCUMENT = Path(__file__).parents[4] / "docs" / "protocols" / "pairs.md"

BIND = wire.Bind(1, bytes.fromhex("0102030405060708"), wire.NO_COOKIE, b"ticket")
COOKIE = bytes(range(0x10, 0x20))
HANDLE = bytes.fromhex("a1a2a3a4a5a6a7a8")
VECTORS = {
    "BIND": wire.encode_bind(BIND),
    "CHALLENGE": wire.encode_challenge(BIND.transaction, COOKIE),
    "BIND with cookie": wire.encode_bind(wire.Bind(1, BIND.transaction, COOKIE, b"ticket")),
    "BOUND": wire.encode_bound(
        wire.Bound(
            BIND.transaction, HANDLE, True, 262144, 524288, 1073741824, 60, 43200, "203.0.113.5", 40000
        )
    ),
    "BOUND, IPv6": wire.encode_bound(
        wire.Bound(BIND.transaction, HANDLE, False, 262144, 524288, 1024, 60, 43200, "2001:db8::5", 40000)
    ),
    "DATA": wire.data_head(HANDLE) + b"hello",
    "KEEPALIVE": wire.encode_keepalive(HANDLE, b"12345678"),
    "ALIVE": wire.encode_alive(HANDLE, b"12345678", True),
    "CLOSE": wire.encode_close(HANDLE, "IDLE"),
    "ERROR": wire.encode_error(BIND.transaction, "EXPIRED"),
    "TCP": wire.PREAMBLE + wire.frame(wire.data_head(HANDLE) + b"hello"),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_document_has_the_bytes(name: str) -> None:
    text = DOCUMENT.read_text()
    found = re.search(rf"^{re.escape(name)}:\n((?:    [0-9a-f ]+\n)+)", text, re.MULTILINE)
    assert found is not None
    assert bytes.fromhex(found[1]) == VECTORS[name]


@given(st.integers(0, 255), EIGHT, st.binary(min_size=16, max_size=16), st.binary(max_size=399))
def test_bind(version: int, transaction: bytes, cookie: bytes, ticket: bytes) -> None:
    bind = wire.Bind(version, transaction, cookie, ticket)
    data = wire.encode_bind(bind)
    assert wire.decode_bind(data) == bind
    assert len(data) >= wire.MIN_BIND


@given(
    EIGHT, EIGHT, st.booleans(), U32, U32, st.integers(0, 2**64 - 1), U32, U32,
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6, network="2000::/3")),
    st.integers(0, 65535),
)  # fmt: skip
def test_bound(
    transaction: bytes, handle: bytes, peer: bool, rate: int, burst: int, transfer: int, idle: int,
    lifetime: int, address: object, port: int,
) -> None:  # fmt: skip
    bound = wire.Bound(transaction, handle, peer, rate, burst, transfer, idle, lifetime, str(address), port)
    data = wire.encode_bound(bound)
    assert wire.decode_bound(data) == bound
    assert len(data) < wire.MIN_BIND


def test_addresses_as_sockets_write_them() -> None:
    def seen(address: str) -> str:
        bound = wire.Bound(bytes(8), bytes(8), False, 2**40, 2**40, 0, 0, 0, address, 1)
        decoded = wire.decode_bound(wire.encode_bound(bound))
        assert decoded.rate == decoded.burst == 2**32 - 1
        return decoded.address

    assert seen("::ffff:192.0.2.1") == "192.0.2.1"
    assert seen("fe80::1%3") == "fe80::1"


@given(EIGHT, EIGHT, st.booleans(), st.from_regex(r"\A[A-Z_]{0,16}\Z"))
def test_the_rest(handle: bytes, echo: bytes, peer: bool, word: str) -> None:
    assert wire.decode_keepalive(wire.encode_keepalive(handle, echo)) == (handle, echo)
    assert wire.decode_alive(wire.encode_alive(handle, echo, peer)) == (handle, echo, peer)
    assert wire.decode_challenge(wire.encode_challenge(handle, echo + echo)) == (handle, echo + echo)
    assert wire.decode_worded(wire.CLOSE, wire.encode_close(handle, word)) == (handle, word)
    assert wire.decode_worded(wire.ERROR, wire.encode_error(handle, word)) == (handle, word)


DECODERS: list[Callable[[bytes], object]] = [
    wire.decode_bind,
    wire.decode_challenge,
    wire.decode_bound,
    wire.decode_keepalive,
    wire.decode_alive,
    lambda data: wire.decode_worded(wire.CLOSE, data),
    lambda data: wire.decode_worded(wire.ERROR, data),
]


@given(st.sampled_from(DECODERS), st.integers(0x28, 0x2F), st.binary(max_size=200), st.booleans())
def test_anything_else_is_a_wire_error(
    decode: Callable[[bytes], object], first: int, rest: bytes, empty: bool
) -> None:
    try:
        decode(b"" if empty else bytes([first]) + rest)
    except wire.WireError:
        pass


def test_tickets_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="too long"):
        wire.encode_bind(wire.Bind(1, bytes(8), bytes(16), bytes(1400)))
    with pytest.raises(ValueError, match="8 bytes"):
        wire.encode_bind(wire.Bind(1, bytes(7), bytes(16), b""))


def test_cookies_are_of_one_place_and_time() -> None:
    now = 100.0
    cookies = Cookies(b"s" * 32, lambda: now)
    here = Endpoint("192.0.2.1", 5)
    cookie = cookies.make(here)
    assert cookies.check(here, cookie)
    assert not cookies.check(Endpoint("192.0.2.1", 6), cookie)
    assert not cookies.check(Endpoint("192.0.2.2", 5), cookie)
    assert not Cookies(b"t" * 32, lambda: now).check(here, cookie)
    assert not cookies.check(here, bytes(16))
    now = 149.0
    assert cookies.check(here, cookie)
    now = 151.0
    assert not cookies.check(here, cookie)
