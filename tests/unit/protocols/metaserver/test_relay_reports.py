"""Games and what their relay reports: hosts lost and back, links broken, a lobby that starts anew."""

from __future__ import annotations

from tests.support.lobby import Client, Rig
from wlnet.lobby.game import owner_key
from wlnet.lobby.ports import RoomCard, RoomReport
from wlnet.protocols.metaserver.digest import sha1_hex


def _report(room: str, game: str = "game", host: str = "alice", **how: object) -> RoomReport:
    """A room as a relay reports it; its host's secret is the one the rig's clients use."""
    card = RoomCard(
        game=game,
        host=host,
        build="1.1",
        owner_key=str(how.pop("owner_key", owner_key(f"nonce of {host}"))),
        running=bool(how.pop("running", False)),
    )
    return RoomReport(room_id=room, hosted=bool(how.pop("hosted", True)), card=card)


def _can_start(client: Client, game: str) -> bool:
    client.say("GAME_CONNECT", game)
    return ("GAME_START",) in client.say("GAME_START")


def test_a_host_cut_off_and_back_keeps_his_game() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    alice.cut()
    rig.wait(25)
    bob.say("PONG")
    assert bob.games() == {"game": "SETUP"}
    again = rig.connect()
    again.login("alice")
    assert ("GAME_START",) in again.say("GAME_START")


def test_a_host_forgotten_owns_his_game_again_when_he_is_back() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    alice.cut()
    for _ in range(32):
        rig.wait(10)
        bob.say("PONG")
    assert rig.lobby.hall.roster.get("alice") is None
    assert bob.games() == {"game": "SETUP"}
    again = rig.connect()
    again.login("alice")
    again.got()
    assert again.clients()[-1] == ("alice", "1.1", "game", "UNREGISTERED")
    assert ("GAME_START",) in again.say("GAME_START")
    assert bob.games() == {"game": "RUNNING"}


def test_under_another_name_too() -> None:
    rig = Rig()
    alice = rig.player("alice")
    room = rig.host(alice, "game")
    alice.say("DISCONNECT", "x")
    again = rig.connect()
    again.login("alicia", nonce="nonce of alice")
    assert ("GAME_START",) in again.say("GAME_START")
    assert rig.relay.rooms[room][1].host == "alicia"


def test_all_games_of_a_forgotten_host_are_his_again() -> None:
    rig = Rig(limits={"games_per_player": 2})
    alice = rig.player("alice")
    for game in ("one", "two"):
        rig.host(alice, game)
    alice.say("DISCONNECT", "x")
    again = rig.connect()
    again.login("alice")
    assert again.say("GAME_OPEN", "three")[-1] == ("ERROR", "GAME_OPEN", "TOO_MANY_GAMES")
    assert _can_start(again, "one")
    assert _can_start(again, "two")


def test_a_game_over_while_its_host_is_away_is_over() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    room = rig.host(alice, "game")
    alice.say("DISCONNECT", "x")
    rig.relay.end(room)
    assert bob.games() == {}
    again = rig.connect()
    again.login("alice")
    again.got()
    assert again.clients()[-1][2] == ""
    assert not rig.lobby.hosting._ownerless


def test_rooms_nobody_knows_are_closed() -> None:
    rig = Rig()
    rig.lobby.hosting.room_hosted("unknown")
    assert rig.relay.closed == ["unknown"]
    rig.lobby.hosting.room_closed("unknown")


# -- the link ------------------------------------------------------------------------------------


def test_games_survive_a_short_break_of_the_link() -> None:
    rig = Rig()
    alice = rig.player("alice")
    room = rig.host(alice, "game")
    rig.lobby.hosting.relay_lost("relay")
    rig.wait(20)
    assert alice.games() == {"game": "SETUP"}
    rig.lobby.hosting.relay_found("relay", [_report(room)])
    rig.wait(20)
    assert alice.games() == {"game": "SETUP"}


def test_a_relay_that_stays_away_takes_its_games_with_it() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.host(alice, "game")
    rig.lobby.hosting.relay_lost("relay")
    rig.lobby.hosting.relay_lost("relay")
    rig.wait(28)
    alice.say("PONG")
    rig.wait(2.1)
    assert alice.games() == {}


def test_only_the_games_of_that_relay() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "one")
    rig.relay.relay_of = lambda room_id: "another"  # type: ignore[method-assign]
    rig.host(bob, "two")
    rig.lobby.hosting.relay_lost("relay")
    rig.wait(28)
    alice.say("PONG")
    rig.wait(2.1)
    assert alice.games() == {"two": "SETUP"}


def test_what_a_relay_does_not_report_is_over() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.host(alice, "game")
    rig.lobby.hosting.relay_lost("relay")
    rig.lobby.hosting.relay_found("relay", [])
    assert alice.games() == {}


def test_a_host_that_came_during_the_break_is_learnt_of() -> None:
    rig = Rig()
    alice = rig.player("alice")
    alice.say("GAME_OPEN", "game")
    room = rig.relay.room_of("game")
    rig.lobby.hosting.relay_lost("relay")
    rig.lobby.hosting.relay_found("relay", [_report(room)])
    assert alice.games() == {"game": "SETUP"}


def test_a_game_whose_relay_was_not_known_is_found_by_its_room() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.relay.relay_of = lambda room_id: None  # type: ignore[method-assign]
    room = rig.host(alice, "game")
    rig.lobby.hosting.relay_found("relay", [_report(room)])
    assert rig.relay.closed == []
    assert alice.games() == {"game": "SETUP"}
    rig.lobby.hosting.relay_lost("relay")
    rig.wait(28)
    alice.say("PONG")
    rig.wait(2.1)
    assert alice.games() == {}


# -- the lobby starts anew -----------------------------------------------------------------------


def test_a_new_lobby_takes_over_the_games_of_a_relay() -> None:
    rig = Rig()
    bob = rig.player("bob")
    rig.lobby.hosting.relay_found("relay", [_report("r1"), _report("r2", "other", "carl", running=True)])
    assert bob.games() == {"game": "SETUP", "other": "RUNNING"}
    rig.lobby.hosting.room_closed("r1")
    assert bob.games() == {"other": "RUNNING"}


def test_the_host_is_known_again_when_he_logs_in() -> None:
    rig = Rig()
    rig.lobby.hosting.relay_found("relay", [_report("r1")])
    alice = rig.player("alice")
    assert alice.clients()[0][2] == "game"
    assert ("GAME_START",) in alice.say("GAME_START")
    assert alice.games() == {"game": "RUNNING"}


def test_the_host_may_be_there_before_the_relay() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.lobby.hosting.relay_found("relay", [_report("r1")])
    assert alice.clients()[0][2] == "game"
    assert ("GAME_START",) in alice.say("GAME_START")


def test_an_account_is_known_by_its_password() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    key = owner_key(sha1_hex("otto" + sha1_hex("secret")))
    rig.lobby.hosting.relay_found("relay", [_report("r1", host="otto", owner_key=key)])
    otto = rig.connect()
    otto.login_account("otto", "secret")
    assert otto.clients()[0][2] == "game"


def test_the_name_alone_makes_nobody_host() -> None:
    rig = Rig()
    rig.lobby.hosting.relay_found("relay", [_report("r1")])
    thief = rig.connect()
    thief.login("alice", nonce="guess")
    thief.got()
    assert thief.clients()[0][2] == ""
    assert not _can_start(thief, "game")


def test_rooms_that_cannot_be_listed_are_closed() -> None:
    rig = Rig({"max_games": 2})
    alice = rig.player("alice")
    rig.host(alice, "taken")
    rig.lobby.hosting.relay_found(
        "elsewhere",
        [
            _report("r1", "taken"),
            _report("r2", "no host", hosted=False),
            _report("r3", "bad\nname"),
            _report("r4", "fine"),
            _report("r5", "one too many"),
        ],
    )
    assert rig.relay.closed == ["r1", "r2", "r3", "r5"]
    assert alice.games() == {"taken": "SETUP", "fine": "SETUP"}


def test_a_host_without_secret_is_not_known_again_but_his_game_goes_on() -> None:
    rig = Rig()
    rig.lobby.hosting.relay_found("relay", [_report("r1", owner_key="")])
    alice = rig.player("alice", nonce="")
    assert alice.clients()[0][2] == ""
    assert alice.games() == {"game": "SETUP"}
