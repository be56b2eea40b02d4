"""Who may be at the other end: everybody else is refused, by either side, with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.client.tunnel.pair import SECRET, End, Pair, identity
from wlnet.client.tunnel.events import CloseReason, Ready
from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.tunnel import Tunnel
from wlnet.steering.model import Side


def guest(mine: Identity | None = None, expects: str = "host", secret: bytes = SECRET) -> Tunnel:
    return Tunnel(Side.GUEST, mine or identity("guest"), identity(expects).fingerprint, secret, 100.0)


def host(mine: Identity | None = None, expects: str = "guest") -> Tunnel:
    return Tunnel(Side.HOST, mine or identity("host"), identity(expects).fingerprint, SECRET, 100.0)


def assert_refused(by: End, other: End | None) -> None:
    assert by.closed is not None
    assert by.closed.reason is CloseReason.WRONG_PEER
    assert by.saw(Ready) == []
    if other is not None:
        assert other.closed is not None
        assert other.closed.reason is CloseReason.REFUSED_BY_PEER
        assert other.saw(Ready) == []


def test_fingerprints_are_as_the_exchange_wants_them() -> None:
    fingerprint = identity("guest").fingerprint
    assert len(fingerprint) == 64
    assert set(fingerprint) <= set("0123456789abcdef")
    assert fingerprint != identity("host").fingerprint


def test_guest_refuses_a_host_with_another_certificate() -> None:
    pair = Pair(host=host(identity("stranger")))
    pair.run(2)
    assert_refused(pair.guest, pair.host)


def test_host_refuses_a_guest_with_another_certificate() -> None:
    pair = Pair(guest=guest(identity("stranger")))
    pair.run(2)
    assert_refused(pair.host, pair.guest)
    assert pair.host.closed is not None
    assert "certificate" in pair.host.closed.text


def test_host_refuses_a_guest_without_a_certificate() -> None:
    naked = guest()
    naked._quic.tls.certificate = None
    pair = Pair(guest=naked)
    pair.run(2)
    assert_refused(pair.host, pair.guest)


def test_a_stolen_certificate_is_no_use_to_a_guest() -> None:
    pair = Pair(guest=guest(Identity(identity("guest").certificate, identity("thief").key)))
    pair.run(2)
    assert_refused(pair.host, pair.guest)


def test_a_stolen_certificate_is_no_use_to_a_host() -> None:
    pair = Pair(host=host(Identity(identity("host").certificate, identity("thief").key)))
    pair.run(2)
    assert_refused(pair.guest, pair.host)


@pytest.mark.parametrize("shows", ["own", "copied"])
def test_man_in_the_middle_who_even_knows_the_secret(shows: str) -> None:
    """He speaks with both, as the other, with his own key."""
    thief = identity("thief")
    as_host = thief if shows == "own" else Identity(identity("host").certificate, thief.key)
    as_guest = thief if shows == "own" else Identity(identity("guest").certificate, thief.key)
    left = Pair(host=host(as_host))
    right = Pair(guest=guest(as_guest))
    left.run(2)
    right.run(2)
    assert_refused(left.guest, None)
    assert_refused(right.host, None)


def test_who_does_not_know_the_secret_cannot_even_begin_nor_disturb() -> None:
    pair = Pair()
    pair.flying.clear()
    stranger = guest(identity("stranger"), secret=b"?" * 32)
    for packet in stranger.transmits(pair.now):
        pair.host.tunnel.receive(packet, pair.now)
    assert pair.host.tunnel.transmits(pair.now) == []
    pair.settle()


def test_nobody_answers() -> None:
    pair = Pair()
    pair.up = False
    pair.flying.clear()
    pair.run(29)
    assert pair.guest.closed is None
    pair.run(2)
    for end in pair.ends:
        assert end.closed is not None
        assert end.closed.reason is CloseReason.HANDSHAKE_TIME


def test_the_handshake_survives_a_bad_path_and_a_move() -> None:
    for seed in range(20):
        pair = Pair(seed=seed, loss=0.3, jitter=0.05, duplicates=0.2)
        pair.run(0.03)
        pair.move(drop=True)
        pair.run(20)
        assert pair.guest.tunnel.ready, seed
        assert pair.host.tunnel.ready, seed


def test_a_host_who_starts_late_is_reached_within_two_seconds() -> None:
    pair = Pair()
    pair.up = False
    pair.flying.clear()
    pair.run(20)
    pair.up = True
    pair.run(2)
    assert pair.guest.tunnel.ready
    assert pair.host.tunnel.ready


def test_what_passes_by_is_not_readable() -> None:
    pair = Pair().settle()
    pair.guest.tunnel.send_datagram(b"attack at dawn" * 10)
    packets = pair.guest.tunnel.transmits(pair.now)
    assert packets
    assert not any(b"attack" in packet for packet in packets)


@settings(max_examples=60, deadline=None)
@given(
    junk=st.lists(st.binary(max_size=1300), max_size=5),
    flips=st.lists(st.tuples(st.integers(0, 1199), st.integers(1, 255)), min_size=1, max_size=5),
    after=st.integers(0, 12),
)
def test_junk_and_changed_packets_never_raise_nor_hurt(
    junk: list[bytes], flips: list[tuple[int, int]], after: int
) -> None:
    pair = Pair()
    for _ in range(after):
        pair.run(0.011)
    for end in pair.ends:
        for data in junk:
            end.tunnel.receive(data, pair.now)
        for _, _, to, packet in list(pair.flying):
            changed = bytearray(packet)
            for place, value in flips:
                # What is past the connection IDs is authenticated; a changed beginning is another's packet.
                changed[(30 + place) % len(changed)] ^= value
            to.tunnel.receive(bytes(changed), pair.now)
    pair.pump()
    pair.run(5)
    if after:
        assert pair.guest.tunnel.ready
        assert pair.host.tunnel.ready
