"""Games on the relay as players see them: opened, hosted, joined, started, left."""

from __future__ import annotations

import pytest

from tests.support.lobby import Rig, words
from wlnet.metrics import Limit
from wlnet.protocols.metaserver.digest import sha1_hex


def test_open_is_answered_by_a_challenge_and_the_relays_addresses() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.wait(2)
    reply = alice.say("GAME_OPEN", "game")
    assert words(reply) == ["GAMES_UPDATE", "GAME_OPEN", "CLIENTS_UPDATE"]
    challenge = reply[1][1]
    assert len(challenge) == 32
    assert reply[1] == ("GAME_OPEN", challenge, "127.0.0.1", "true", "::1")
    assert rig.relay.password("game") == sha1_hex(challenge + "nonce of alice")


def test_the_clients_family_comes_first() -> None:
    rig = Rig()
    client = rig.connect("::1", "::1")
    client.login("alice")
    assert client.say("GAME_OPEN", "game")[1][2:] == ("::1", "true", "127.0.0.1")


def test_one_family_only() -> None:
    rig = Rig()
    rig.relay.addresses = lambda reached_at: ("192.0.2.1",)  # type: ignore[method-assign]
    alice, bob = rig.player("alice"), rig.player("bob")
    reply = next(p for p in alice.say("GAME_OPEN", "game") if p[0] == "GAME_OPEN")
    assert reply[2:] == ("192.0.2.1", "false")
    assert ("GAME_CONNECT", "192.0.2.1", "false") in bob.say("GAME_CONNECT", "game")


def test_the_secret_of_an_account_is_its_password() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    otto = rig.connect()
    otto.login_account("otto", "secret")
    challenge = otto.say("GAME_OPEN", "game")[1][1]
    assert rig.relay.password("game") == sha1_hex(challenge + sha1_hex("secret"))


def test_the_secret_of_an_account_under_another_name_goes_with_that_name() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    first, second = rig.connect(), rig.connect()
    first.login_account("otto", "secret")
    second.login_account("otto", "secret")
    first.say("PONG")
    second.got()
    challenge = next(p for p in second.say("GAME_OPEN", "game") if p[0] == "GAME_OPEN")[1]
    assert rig.relay.password("game") == sha1_hex(challenge + sha1_hex("otto1" + sha1_hex("secret")))


def test_a_name_in_use() -> None:
    rig = Rig()
    rig.host(rig.player("alice"), "game")
    bob = rig.player("bob")
    assert bob.say("GAME_OPEN", "game") == [("ERROR", "GAME_OPEN", "GAME_EXISTS")]


def test_opening_again_before_anybody_connected_gives_a_new_challenge() -> None:
    rig = Rig()
    alice = rig.player("alice")
    first = next(p for p in alice.say("GAME_OPEN", "game") if p[0] == "GAME_OPEN")
    old_room = rig.relay.room_of("game")
    second = next(p for p in alice.say("GAME_OPEN", "game") if p[0] == "GAME_OPEN")
    assert first[1] != second[1]
    assert rig.relay.closed == [old_room]
    assert rig.relay.password("game") == sha1_hex(second[1] + "nonce of alice")
    assert alice.games() == {"game": "CLOSED"}


def test_the_host_may_open_it_again_after_a_reconnection() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.say("GAME_OPEN", "game")
    alice.cut()
    again = rig.connect()
    again.login("alice")
    assert "GAME_OPEN" in words(again.say("GAME_OPEN", "game"))


def test_somebody_else_may_not() -> None:
    rig = Rig()
    rig.player("alice").say("GAME_OPEN", "game")
    assert rig.player("bob").say("GAME_OPEN", "game") == [("ERROR", "GAME_OPEN", "GAME_EXISTS")]


def test_the_relay_refuses() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.relay.refuse = True
    assert alice.say("GAME_OPEN", "game") == [("ERROR", "GAME_OPEN", "RELAY_ERROR")]
    assert alice.games() == {}
    rig.relay.refuse = False
    assert "GAME_OPEN" in words(alice.say("GAME_OPEN", "game"))


def test_the_relay_is_away() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.relay.away = True
    assert alice.say("GAME_OPEN", "game") == [("ERROR", "GAME_OPEN", "RELAY_ERROR")]


def test_the_relay_goes_away_while_it_answers() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.relay.hold = True
    alice.say("GAME_OPEN", "game")
    rig.relay.away = True
    rig.relay.answer()
    assert alice.got()[-1] == ("ERROR", "GAME_OPEN", "RELAY_ERROR")
    assert alice.games() == {}


def test_a_slow_relay_holds_up_its_asker_only() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.wait(2)
    alice.got(), bob.got()
    rig.relay.hold = True
    assert alice.say("GAME_OPEN", "game") == []
    assert alice.say("CHAT", "hello?", "") == []
    assert bob.say("CHAT", "hi", "") == [("CHAT", "bob", "hi", "public")]
    assert bob.say("GAME_OPEN", "game") == [("ERROR", "GAME_OPEN", "GAME_EXISTS")]
    alice.got()
    rig.relay.answer()
    assert words(alice.got()) == ["GAMES_UPDATE", "GAME_OPEN", "CLIENTS_UPDATE", "CHAT"]


def test_what_was_said_meanwhile_happens_after_the_game_was_entered() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.relay.hold = True
    alice.say("GAME_OPEN", "game")
    alice.say("GAME_DISCONNECT")
    rig.relay.answer()
    assert alice.clients()[0][2] == ""


def test_the_host_is_gone_when_the_relay_answers() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.relay.hold = True
    alice.say("GAME_OPEN", "game")
    rig.lobby.discipline.remove("alice", "op", "", 60, "KICKED")
    rig.relay.answer()
    assert rig.relay.rooms == {}
    assert bob.games() == {}


def test_the_hosts_connection_breaks_and_comes_back_while_the_relay_answers() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.relay.hold = True
    alice.say("GAME_OPEN", "game")
    alice.cut()
    again = rig.connect()
    again.login("alice")
    rig.relay.answer()
    rig.relay.hold = False
    # The challenge went to the broken connection: asking again gives another one.
    assert "GAME_OPEN" in words(again.say("GAME_OPEN", "game"))
    assert len(rig.relay.rooms) == 1


def test_two_connections_of_one_player_open_no_two_games() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.relay.hold = True
    alice.say("GAME_OPEN", "one")
    alice.cut()
    again = rig.connect()
    again.login("alice")
    again.say("GAME_OPEN", "two")
    rig.relay.answer()
    assert again.games() == {"two": "CLOSED"}
    assert [card.game for _, card in rig.relay.rooms.values()] == ["two"]


def test_a_host_that_does_not_come_within_30_seconds() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.say("GAME_OPEN", "game")
    room = rig.relay.room_of("game")
    rig.wait(20)
    alice.say("PONG")
    rig.wait(9.9)
    assert alice.games() == {"game": "CLOSED"}
    rig.wait(0.2)
    assert alice.games() == {}
    assert rig.relay.closed == [room]


def test_the_timer_of_an_old_game_does_not_remove_a_younger_one_of_that_name() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.say("GAME_OPEN", "game")
    rig.wait(25)
    alice.say("GAME_OPEN", "game")
    rig.wait(10)
    assert alice.games() == {"game": "CLOSED"}


def test_a_hosted_game_is_not_timed() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.host(alice, "game")
    for _ in range(10):
        rig.wait(10)
        alice.say("PONG")
    assert alice.games() == {"game": "SETUP"}


def test_one_game_at_a_time() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.host(alice, "one")
    assert alice.say("GAME_OPEN", "two") == [("ERROR", "GAME_OPEN", "TOO_MANY_GAMES")]
    assert rig.limited(Limit.GAMES_PER_PLAYER) == 1


def test_a_game_the_host_has_left_makes_room_for_the_next() -> None:
    rig = Rig()
    alice = rig.player("alice")
    first = rig.host(alice, "one")
    alice.say("GAME_DISCONNECT")
    assert alice.games() == {"one": "SETUP"}
    rig.host(alice, "two")
    assert alice.games() == {"two": "SETUP"}
    assert rig.relay.closed == [first]


def test_hosting_and_leaving_in_turn_leaves_no_games_behind() -> None:
    rig = Rig()
    alice = rig.player("alice")
    for number in range(20):
        rig.host(alice, f"game {number}")
        alice.say("GAME_DISCONNECT")
    assert len(alice.games()) == 1


def test_so_many_games_on_the_server() -> None:
    rig = Rig({"max_games": 2})
    for name in ("alice", "bob"):
        rig.host(rig.player(name), f"game of {name}")
    carl = rig.player("carl")
    assert carl.say("GAME_OPEN", "third") == [("ERROR", "GAME_OPEN", "SERVER_FULL")]
    assert rig.limited(Limit.GAMES) == 1


@pytest.mark.parametrize("name", ["", "x" * 81, "a\nb", "\udcff", "ä" * 41])
def test_names_that_cannot_be_shown_or_are_too_long(name: str) -> None:
    rig = Rig()
    alice = rig.player("alice")
    assert alice.say("GAME_OPEN", name) == [("ERROR", "GAME_OPEN", "INVALID_NAME")]
    assert rig.limited(Limit.NAME) == 1


@pytest.mark.parametrize("name", ["x" * 80, "Grüße an alle", "我的游戏", "a b <c>"])
def test_all_others_are_fine(name: str) -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.host(alice, name)
    assert alice.games() == {name: "SETUP"}


def test_connect_tells_the_relay_and_shows_the_player_in_the_game() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    rig.wait(2)
    bob.got()
    assert bob.say("GAME_CONNECT", "game") == [
        ("GAME_CONNECT", "127.0.0.1", "true", "::1"),
        ("CLIENTS_UPDATE",),
    ]
    assert ("bob", "1.1", "game", "UNREGISTERED") in alice.clients()
    bob.say("GAME_DISCONNECT")
    assert ("bob", "1.1", "", "UNREGISTERED") in alice.clients()


def test_connect_to_an_unknown_game() -> None:
    alice = Rig().player("alice")
    assert alice.say("GAME_CONNECT", "game") == [("ERROR", "GAME_CONNECT", "NO_SUCH_GAME")]


def test_neither_state_nor_build_keeps_anybody_from_connecting() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob", build="1.2")
    alice.say("GAME_OPEN", "game")
    assert "GAME_CONNECT" in words(bob.say("GAME_CONNECT", "game"))
    rig.lobby.hosting.room_hosted(rig.relay.room_of("game"))
    alice.say("GAME_START")
    assert "GAME_CONNECT" in words(bob.say("GAME_CONNECT", "game"))


def test_start_is_the_hosts() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    bob.say("GAME_CONNECT", "game")
    rig.wait(3)
    alice.got(), bob.got()
    assert bob.say("GAME_START") == [("ERROR", "GAME_START", "DEFICIENT_PERMISSION")]
    assert alice.say("GAME_START") == [("GAME_START",), ("GAMES_UPDATE",)]
    assert bob.got() == [("GAMES_UPDATE",)]
    assert rig.relay.rooms[rig.relay.room_of("game")][1].running


def test_whoever_has_the_hosts_name_later_is_not_the_host() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.host(alice, "game")
    alice.say("DISCONNECT", "CONNECTION_CLOSED")
    thief = rig.connect()
    thief.login("alice", nonce="other")
    thief.say("GAME_CONNECT", "game")
    assert thief.say("GAME_START")[-1] == ("ERROR", "GAME_START", "DEFICIENT_PERMISSION")


def test_start_in_no_game_ends_the_connection() -> None:
    alice = Rig().player("alice")
    assert alice.say("GAME_START") == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]
    assert alice.closed


def test_a_start_that_overtakes_the_relays_report() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.say("GAME_OPEN", "game")
    assert ("GAME_START",) in alice.say("GAME_START")
    assert alice.games() == {"game": "CLOSED"}
    rig.lobby.hosting.room_hosted(rig.relay.room_of("game"))
    assert alice.games() == {"game": "RUNNING"}


def test_started_but_never_hosted_is_removed_as_well() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.say("GAME_OPEN", "game")
    alice.say("GAME_START")
    rig.wait(25)
    alice.say("PONG")
    rig.wait(5.1)
    assert alice.games() == {}


def test_members_keep_the_name_of_an_ended_game_until_they_leave_it() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    bob.say("GAME_CONNECT", "game")
    rig.relay.end(rig.relay.room_of("game"))
    assert alice.games() == {}
    assert [entry[2] for entry in alice.clients()] == ["game", "game"]
    bob.say("GAME_DISCONNECT")
    assert [entry[2] for entry in alice.clients()] == ["game", ""]


def test_neither_leaving_nor_logging_out_ends_a_game_on_the_relay() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    alice.say("GAME_DISCONNECT")
    alice.say("DISCONNECT", "CONNECTION_CLOSED")
    assert bob.games() == {"game": "SETUP"}
    rig.relay.end(rig.relay.room_of("game"))
    assert bob.games() == {}
