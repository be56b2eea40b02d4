"""Lobby and relay in one process."""

from __future__ import annotations

from tests.unit.link.fakes import Answers, FakeLobby, FakeRelay, card
from wlnet.link.addresses import RelayPlace
from wlnet.link.local import LocalRelay


def joined() -> tuple[LocalRelay, FakeRelay, FakeLobby]:
    local = LocalRelay("here", RelayPlace(), {4: "198.51.100.4", 6: "2001:db8::4"}.get)
    relay, lobby = FakeRelay(local), FakeLobby()
    local.start(relay, lobby)
    return local, relay, lobby


def test_a_game_from_opening_to_its_end() -> None:
    local, relay, lobby = joined()
    assert lobby.told == [("found", "here")]
    answers = Answers()
    local.open_room("r", "pw", card("g"), answers)
    assert answers.given == [True]
    assert local.relay_of("r") == "here"
    assert local.addresses("127.0.0.1") == local.addresses_of_room("r", "127.0.0.1") == ("127.0.0.1", "::1")
    relay.host_arrives("r")
    local.update_card("r", card("g", running=True))
    assert '"running":true' in relay.by_id["r"].card
    local.drop_from_room("g", "203.0.113.1")
    assert relay.dropped == [("g", "203.0.113.1")]
    local.close_room("r")
    assert lobby.told == [("found", "here"), ("hosted", "r"), ("closed", "r")]
    assert local.relay_of("r") is None
    assert local.addresses_of_room("r", "127.0.0.1") == ()


def test_refusals() -> None:
    local, relay, _ = joined()
    answers = Answers()
    relay.refuses = True
    local.open_room("r", "pw", card("g"), answers)
    relay.refuses = False
    local.open_room("r", "pw", card("\udcff"), answers)
    assert answers.given == [False, False]
    assert local.relay_of("r") is None


def test_before_the_start_nothing_is_there() -> None:
    local = LocalRelay("here", RelayPlace(), {4: "198.51.100.4"}.get)
    answers = Answers()
    local.open_room("r", "pw", card("g"), answers)
    assert answers.given == [False]
    assert local.addresses("127.0.0.1") == ()
