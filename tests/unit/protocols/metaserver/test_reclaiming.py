"""Names and reclaiming: who gets the seat of a connection that was lost, or does not answer."""

from __future__ import annotations

import pytest

from tests.support.lobby import Client, Rig, words
from wlnet.lobby.ports import Permission
from wlnet.moderation.sanctions import Kind, Target
from wlnet.protocols.metaserver.digest import sha1_hex


def test_a_lost_seat_goes_back_to_the_same_secret_at_once_with_its_game() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    alice.cut()
    again = rig.connect()
    assert again.login("alice")[0] == ("LOGIN", "alice", "UNREGISTERED")
    assert ("alice", "1.1", "game", "UNREGISTERED") in bob.clients()
    assert bob.games() == {"game": "SETUP"}


def test_it_keeps_its_name_even_if_another_one_is_wanted() -> None:
    rig = Rig()
    rig.player("alice", nonce="n").cut()
    assert rig.connect().login("somebody", nonce="n")[0][1] == "alice"


def test_another_secret_does_not_get_a_lost_seat() -> None:
    rig = Rig()
    rig.player("alice").cut()
    assert rig.connect().login("alice", nonce="other")[0][1] == "alice1"


def test_a_live_connection_that_answers_keeps_its_seat() -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n")
    second = rig.connect()
    assert second.login("alice", nonce="n") == []
    assert first.got() == [("PING",)]
    rig.wait(2.9)
    first.say("PONG")
    assert second.got()[0] == ("LOGIN", "alice1", "UNREGISTERED")
    assert not first.closed


@pytest.mark.parametrize("packet", [("PONG",), ("CLIENTS",), ("GAMES",), ("CHAT", "hi", "")])
def test_any_packet_is_an_answer(packet: tuple[str, ...]) -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n")
    second = rig.connect()
    second.login("alice", nonce="n")
    first.say(*packet)
    assert second.got()[0][:2] == ("LOGIN", "alice1")


def test_a_silent_connection_loses_its_seat_after_three_seconds() -> None:
    rig = Rig()
    first, bob = rig.player("alice", nonce="n"), rig.player("bob")
    rig.host(first, "game")
    second = rig.connect()
    second.login("alice", nonce="n")
    first.got()
    rig.wait(2.9)
    assert second.got() == []
    rig.wait(0.2)
    assert second.got()[0] == ("LOGIN", "alice", "UNREGISTERED")
    assert first.got()[-1] == ("DISCONNECT", "CLIENT_TIMEOUT")
    assert first.closed
    first.session.connection_lost()
    assert ("alice", "1.1", "game", "UNREGISTERED") in bob.clients()


def test_an_answer_that_comes_at_once_is_heard() -> None:
    """Released servers armed the check after asking, and threw out whoever answered too quickly."""
    rig = Rig()
    first = rig.player("alice", nonce="n")
    send = first.send

    def answers_at_once(packet: bytes) -> None:
        send(packet)
        if packet.endswith(b"PING\0"):
            first.session.receive(b"\0\x07PONG\0")

    first.send = answers_at_once  # type: ignore[method-assign]
    second = rig.connect()
    assert second.login("alice", nonce="n")[0] == ("LOGIN", "alice1", "UNREGISTERED")
    rig.wait(10)
    assert not first.closed


def test_candidates_are_tried_in_order_wanted_name_lost_live() -> None:
    rig = Rig()
    live = rig.player("live", nonce="n")
    _second(rig, live, "lost", "n").cut()
    wanted = _second_taking(rig, [live], "wanted", "n")
    # The one of the wanted name is asked first although another one is lost.
    newcomer = rig.connect()
    newcomer.login("wanted", nonce="n")
    assert words(wanted.got()) == ["PING"]
    assert words(live.got()) == []
    wanted.say("PONG")
    # It answers, so the lost one is next, and needs no question.
    assert newcomer.got()[0][1] == "lost"


def test_after_all_candidates_answered_a_number_is_given() -> None:
    rig = Rig()
    one = rig.player("one", nonce="n")
    two = _second(rig, one, "two", "n")
    newcomer = rig.connect()
    newcomer.login("two", nonce="n")
    assert words(two.got()) == ["PING"]
    two.say("PONG")
    assert words(one.got()) == ["PING"]
    assert newcomer.got() == []
    one.say("PONG")
    assert newcomer.got()[0][1] == "two1"


def test_only_so_many_candidates_are_tried_for_a_client_waits_ten_seconds() -> None:
    rig = Rig({"reclaim_candidates": 2})
    players = [rig.player("p0", nonce="n")]
    for number in range(1, 4):
        players.append(_second_taking(rig, players, f"p{number}", "n"))
    newcomer = rig.connect()
    newcomer.login("p0", nonce="n")
    asked = _answer_all(players)
    assert asked == 2
    assert newcomer.got()[0][1] == "p01"


def test_two_newcomers_do_not_ask_the_same_connection() -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n")
    second, third = rig.connect(), rig.connect()
    second.login("alice", nonce="n")
    assert third.login("alice", nonce="n")[0][1] == "alice1"
    assert words(first.got()) == ["PING"]
    rig.wait(3.1)
    assert second.got()[0][1] == "alice"


def test_an_account_that_gets_another_seat_is_unregistered_with_the_secret_of_that_name() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    key = sha1_hex("otto" + sha1_hex("secret"))
    rig.player("emma", nonce=key).cut()
    newcomer = rig.connect()
    assert newcomer.login_account("otto", "secret")[0] == ("LOGIN", "emma", "UNREGISTERED")
    newcomer.cut()
    new_key = sha1_hex("emma" + sha1_hex("secret"))
    assert rig.connect().login("x", nonce=key)[0][1] == "x"
    assert rig.connect().login("y", nonce=new_key)[0][1] == "emma"


def test_an_account_gets_its_own_seat_back_registered() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret", Permission.SUPERUSER)
    first = rig.connect()
    first.login_account("otto", "secret")
    first.cut()
    second = rig.connect()
    assert second.login_account("otto", "secret")[0] == ("LOGIN", "otto", "SUPERUSER")


@pytest.mark.parametrize("version", [0, 6])
def test_the_empty_secret_reclaims_nothing(version: int) -> None:
    rig = Rig()
    rig.player("alice", nonce="", version=version).cut()
    assert rig.connect().login("alice", nonce="", version=version)[0][1] == "alice1"


def test_two_build_19_accounts_with_one_password_are_two_people() -> None:
    rig = Rig()
    rig.accounts.add("otto", "123456")
    rig.accounts.add("emma", "123456")
    otto = rig.connect()
    otto.say("LOGIN", "0", "otto", "build-19", "true", "123456")
    otto.cut()
    emma = rig.connect()
    assert emma.say("LOGIN", "0", "emma", "build-19", "true", "123456")[0] == ("LOGIN", "emma", "REGISTERED")


def test_the_newcomer_gives_up_while_the_old_connection_is_asked() -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n")
    newcomer = rig.connect()
    newcomer.login("alice", nonce="n")
    newcomer.cut()
    rig.wait(10)
    assert not first.closed
    # Nobody asks any more: the next one can.
    third = rig.connect()
    third.login("alice", nonce="n")
    rig.wait(3.1)
    assert third.got()[0][1] == "alice"


def test_the_old_connection_breaks_while_it_is_asked() -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n")
    newcomer = rig.connect()
    newcomer.login("alice", nonce="n")
    first.cut()
    assert newcomer.got()[0][1] == "alice"


def test_the_old_one_leaves_while_it_is_asked() -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n")
    newcomer = rig.connect()
    newcomer.login("alice", nonce="n")
    first.say("DISCONNECT", "CONNECTION_CLOSED")
    assert newcomer.got()[0][1] == "alice"


def test_packets_of_the_newcomer_wait_while_the_old_connection_is_asked() -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n")
    newcomer = rig.connect()
    newcomer.login("alice", nonce="n")
    assert newcomer.paused
    assert newcomer.say("CLIENTS") == []
    first.say("PONG")
    assert words(newcomer.got()) == ["LOGIN", "TIME", "CLIENTS"]


def test_a_seat_moves_to_the_end_of_the_list() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.player("bob")
    alice.cut()
    again = rig.connect()
    again.login("alice")
    rig.wait(4)
    again.got()
    assert [entry[0] for entry in again.clients()] == ["bob", "alice"]


def test_whoever_is_banned_while_a_seat_is_looked_for_gets_none() -> None:
    rig = Rig()
    first = rig.player("alice", nonce="n", address="203.0.113.7")
    newcomer = rig.connect("203.0.113.7")
    newcomer.login("alice", nonce="n")
    rig.sanctions.impose(Kind.BAN, Target.ADDRESS, "203.0.113.7", reason="", by="op", duration=60)
    assert first.closed
    assert newcomer.got() == [("ERROR", "LOGIN", "BANNED")]
    assert newcomer.closed
    assert rig.lobby.hall.live_players == 0
    assert len(rig.lobby.hall.roster) == 0


def test_a_name_can_be_given_however_many_numbers_are_taken_by_accounts() -> None:
    rig = Rig()
    for number in range(1000):
        rig.accounts.add(f"otto{number or ''}", "secret")
    assert rig.connect().login("otto")[0][1] == "otto1000"


def test_no_free_name() -> None:
    rig = Rig({"max_players": 3})
    for name in ("otto", "otto1", "otto2", "otto3"):
        rig.accounts.add(name, "secret")
    client = rig.connect()
    assert client.login("otto") == [("ERROR", "LOGIN", "NO_FREE_NAME")]
    assert client.closed


def test_the_last_seat_is_given_once_however_slow_the_accounts_are() -> None:
    rig = Rig({"max_players": 1})
    rig.accounts.hold = True
    clients = [rig.connect() for _ in range(3)]
    for number, client in enumerate(clients):
        client.login(f"p{number}")
    rig.accounts.release()
    assert [client.got()[0] for client in clients] == [
        ("LOGIN", "p0", "UNREGISTERED"),
        ("ERROR", "LOGIN", "SERVER_FULL"),
        ("ERROR", "LOGIN", "SERVER_FULL"),
    ]


def _second(rig: Rig, first: Client, name: str, nonce: str) -> Client:
    """One more player with the same secret: the first one answers for itself."""
    return _second_taking(rig, [first], name, nonce)


def _second_taking(rig: Rig, others: list[Client], name: str, nonce: str) -> Client:
    # A lost seat of that secret would be taken over, so those keep another one for the moment.
    lost = [p for p in rig.lobby.hall.roster if not p.live and p.key == nonce]
    for player in lost:
        rig.lobby.hall.roster.reseat(player, lambda p: setattr(p, "key", "put aside"))
    client = rig.connect()
    client.login(name, nonce=nonce)
    _answer_all(others)
    for player in lost:
        rig.lobby.hall.roster.reseat(player, lambda p: setattr(p, "key", nonce))
    assert client.got()[0][1] == name
    rig.wait(3.1)
    for other in (*others, client):
        other.got()
    return client


def _answer_all(players: list[Client]) -> int:
    """Everybody answers until nobody is asked; says how many were."""
    asked = 0
    while True:
        pinged = [player for player in players if ("PING",) in player.got()]
        if not pinged:
            return asked
        asked += len(pinged)
        for player in pinged:
            player.say("PONG")
