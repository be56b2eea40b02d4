"""The handshake: only who has the secret gets in, and everybody learns why not."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.link.fakes import SECRET
from wlnet.link.handshake import Handshake, HandshakeError, HandshakeProblem
from wlnet.link.wire import Role

R, L = b"r" * 32, b"l" * 32


def both(relay_secret: bytes = SECRET, lobby_secret: bytes = SECRET) -> tuple[Handshake, Handshake]:
    return Handshake(Role.RELAY, relay_secret, R), Handshake(Role.LOBBY, lobby_secret, L)


def failure(end: Handshake, data: bytes) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        end.receive(data)
    assert end.session_key is None
    with pytest.raises(HandshakeError):  # and it stays so
        end.receive(b"")
    return caught.value


def test_every_byte_of_it() -> None:
    relay, lobby = both()
    relay_greeting, lobby_greeting = b"wlnet link\x01" + R, b"wlnet link\x01" + L
    assert lobby.start() == b""
    assert relay.start() == relay_greeting
    assert lobby.receive(relay_greeting) == (lobby_greeting, b"")
    proof = hmac.digest(SECRET, b"relay proof" + relay_greeting + lobby_greeting, sha256)
    assert relay.receive(lobby_greeting) == (proof, b"")
    assert relay.session_key is None
    answer = b"\0" + hmac.digest(SECRET, b"lobby proof" + relay_greeting + lobby_greeting, sha256)
    assert lobby.receive(proof) == (answer, b"")
    assert relay.receive(answer + b"frames") == (b"", b"frames")
    key = hmac.digest(SECRET, b"session key" + relay_greeting + lobby_greeting, sha256)
    assert relay.session_key == lobby.session_key == key


@given(st.data())
def test_pieces_of_any_size(data: st.DataObject) -> None:
    relay, lobby = both()
    to_lobby, to_relay = relay.start(), b""
    while relay.session_key is None:
        if to_lobby:
            cut = data.draw(st.integers(1, len(to_lobby)))
            to_relay += lobby.receive(to_lobby[:cut])[0]
            to_lobby = to_lobby[cut:]
        else:
            cut = data.draw(st.integers(1, len(to_relay)))
            to_lobby += relay.receive(to_relay[:cut])[0]
            to_relay = to_relay[cut:]
    assert relay.session_key == lobby.session_key
    assert to_lobby == to_relay == b""


def test_wrong_secret_is_known_at_both_ends() -> None:
    relay, lobby = both(relay_secret=b"w" * 40)
    hello, _ = lobby.receive(relay.start())
    proof, _ = relay.receive(hello)
    refused = failure(lobby, proof)
    assert refused.problem is HandshakeProblem.WRONG_SECRET
    assert failure(relay, refused.reply).problem is HandshakeProblem.WRONG_SECRET


def test_a_lobby_that_only_says_welcome_is_not_believed() -> None:
    relay, lobby = both()
    relay.receive(lobby.receive(relay.start())[0])
    assert failure(relay, b"\0" + b"p" * 32).problem is HandshakeProblem.WRONG_SECRET


def test_a_recorded_proof_is_useless_in_another_session() -> None:
    relay, lobby = both()
    proof, _ = relay.receive(lobby.receive(relay.start())[0])
    later = Handshake(Role.LOBBY, SECRET, b"m" * 32)
    later.receive(b"wlnet link\x01" + R)
    assert failure(later, proof).problem is HandshakeProblem.WRONG_SECRET


def test_reflection_helps_nobody() -> None:
    """Somebody without the secret sends a relay its own words."""
    relay, _ = both()
    assert failure(relay, relay.start()).problem is HandshakeProblem.REFLECTED

    relay, _ = both()
    proof, _ = relay.receive(b"wlnet link\x01" + L)
    assert failure(relay, b"\0" + proof).problem is HandshakeProblem.WRONG_SECRET


def test_another_relay_is_no_lobby() -> None:
    """Two relays that got hold of each other, both with the secret."""
    one, two = Handshake(Role.RELAY, SECRET, R), Handshake(Role.RELAY, SECRET, L)
    proof_one, _ = one.receive(two.start())
    two.receive(one.start())
    failure(two, proof_one)


def test_another_version_is_named_at_both_ends() -> None:
    lobby = Handshake(Role.LOBBY, SECRET, L)
    refused = failure(lobby, b"wlnet link\x02" + R)
    assert refused.problem is HandshakeProblem.VERSION
    assert refused.reply == b"wlnet link\x01" + L  # from which a relay of version 2 learns it as well
    relay = Handshake(Role.RELAY, SECRET, R)
    assert failure(relay, b"wlnet link\x02" + L).problem is HandshakeProblem.VERSION


def test_nobody_may_hurry() -> None:
    relay, lobby = both()
    assert failure(lobby, relay.start() + b"x").problem is HandshakeProblem.IMPATIENT
    relay, lobby = both()
    proof, _ = relay.receive(lobby.receive(relay.start())[0])
    assert failure(lobby, proof + b"x").problem is HandshakeProblem.IMPATIENT


@pytest.mark.parametrize("text", [b"GET / HTTP/1.1", b"\x00", b"wlnet linc", b"\x16\x03\x01"])
def test_other_protocols_are_refused_at_their_first_wrong_byte(text: bytes) -> None:
    assert failure(Handshake(Role.LOBBY, SECRET, L), text).problem is HandshakeProblem.NOT_A_LINK


@given(st.binary(max_size=200), st.sampled_from(Role))
def test_noise_gets_nowhere(noise: bytes, role: Role) -> None:
    end = Handshake(role, SECRET, L)
    try:
        end.receive(b"wlnet link\x01" + R)
        end.receive(noise)
    except HandshakeError:
        pass
    assert end.session_key is None


def test_a_nonce_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        Handshake(Role.RELAY, SECRET, b"short")
