from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.client.lobby.address import LobbyAddress, parse_lobby


@pytest.mark.parametrize(
    ("text", "lobby"),
    [
        ("tcp://lobby.example.org", LobbyAddress("lobby.example.org", 7395)),
        ("tcp://lobby.example.org:7000", LobbyAddress("lobby.example.org", 7000)),
        ("tls://lobby.example.org/", LobbyAddress("lobby.example.org", 7394, tls=True)),
        ("tls://lobby.example.org:443", LobbyAddress("lobby.example.org", 443, tls=True)),
        ("lobby.example.org", LobbyAddress("lobby.example.org", 7395)),
        ("localhost:7395", LobbyAddress("localhost", 7395)),
        ("tcp://192.0.2.1:1", LobbyAddress("192.0.2.1", 1)),
        ("tcp://[2001:db8::1]:7395", LobbyAddress("2001:db8::1", 7395)),
        ("tls://[2001:db8::1]", LobbyAddress("2001:db8::1", 7394, tls=True)),
        ("2001:db8::1", LobbyAddress("2001:db8::1", 7395)),
    ],
)
def test_what_names_a_lobby(text: str, lobby: LobbyAddress) -> None:
    assert parse_lobby(text) == lobby
    assert parse_lobby(str(lobby)) == lobby


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no host"),
        ("tcp://", "no host"),
        ("udp://lobby", "begins with tcp:// or tls://"),
        ("tcp://lobby:0", "a port is a number"),
        ("tcp://lobby:65536", "a port is a number"),
        ("tcp://lobby:", "a port is a number"),
        ("tcp://lobby:٣", "a port is a number"),
        ("tcp://user@lobby", "no host"),
        ("tcp://a..b", "no host"),
        ("tcp://[lobby]:1", "no host"),
        ("tcp://[::1", "no host"),
        ("tcp://[::1]1", "no host"),
        ("tcp://" + "a" * 64, "no host"),
        ("tcp://" + "a." * 130 + "a", "no host"),
    ],
)
def test_what_does_not(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_lobby(text)


@given(st.text(max_size=60))
def test_anything_else_is_told_in_a_sentence(text: str) -> None:
    complaint, lobby = "", None
    try:
        lobby = parse_lobby(text)
    except ValueError as error:
        complaint = str(error)
    assert complaint.endswith(".") if lobby is None else parse_lobby(str(lobby)) == lobby
