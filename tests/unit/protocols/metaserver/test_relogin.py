"""RELOGIN: a build 19 client back on its seat."""

from __future__ import annotations

import pytest

from tests.support.lobby import Client, Packet, Rig, words
from wlnet.metrics import Limit


def _relogin(client: Client, name: str, *, version: str = "0", build: str = "build-19") -> list[Packet]:
    return client.say("RELOGIN", version, name, build, "false")


def _old(rig: Rig, name: str, address: str = "203.0.113.7") -> Client:
    return rig.player(name, version=0, build="build-19", address=address)


def test_back_on_a_lost_seat_at_once() -> None:
    rig = Rig()
    bob = rig.player("bob")
    _old(rig, "alice").cut()
    rig.wait(10)
    bob.got()
    again = rig.connect("203.0.113.7")
    assert _relogin(again, "alice")[0] == ("RELOGIN",)
    assert ("CLIENTS_UPDATE",) in bob.got()
    rig.wait(3.1)
    assert [entry[0] for entry in bob.clients()] == ["bob", "alice"]


def test_neither_time_nor_message_of_the_day_is_sent() -> None:
    rig = Rig({"motd": "hello"})
    _old(rig, "alice").cut()
    assert words(_relogin(rig.connect("203.0.113.7"), "alice")) == ["RELOGIN", "CLIENTS_UPDATE"]


def test_nobody_of_that_name() -> None:
    client = Rig().connect()
    assert _relogin(client, "alice") == [("ERROR", "RELOGIN", "NOT_LOGGED_IN")]
    assert client.closed


@pytest.mark.parametrize(
    ("version", "build", "address"),
    [("6", "build-19", "203.0.113.7"), ("0", "build-18", "203.0.113.7"), ("0", "build-19", "203.0.113.8")],
)
def test_somebody_else_is_not_let_in(version: str, build: str, address: str) -> None:
    """Another version or build; and without a secret, another address."""
    rig = Rig()
    _old(rig, "alice").cut()
    client = rig.connect(address)
    fields = ["RELOGIN", version, "alice", build, "false", *([""] if version != "0" else [])]
    assert client.say(*fields) == [("ERROR", "RELOGIN", "WRONG_INFORMATION")]
    assert client.closed


def test_the_secret_must_be_right() -> None:
    rig = Rig()
    rig.player("alice", nonce="n").cut()
    wrong, right = rig.connect(), rig.connect()
    assert wrong.say("RELOGIN", "6", "alice", "1.1", "false", "m") == [
        ("ERROR", "RELOGIN", "WRONG_INFORMATION")
    ]
    assert right.say("RELOGIN", "6", "alice", "1.1", "false", "n")[0] == ("RELOGIN",)


def test_a_build_19_account_comes_back_by_its_password() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    first = rig.connect()
    first.say("LOGIN", "0", "otto", "build-19", "true", "secret")
    first.cut()
    assert rig.connect().say("RELOGIN", "0", "otto", "build-19", "true", "guess") == [
        ("ERROR", "RELOGIN", "WRONG_INFORMATION")
    ]
    again = rig.connect()
    assert again.say("RELOGIN", "0", "otto", "build-19", "true", "secret")[0] == ("RELOGIN",)
    assert again.clients5()[0][3] == "REGISTERED"


def test_passwords_cannot_be_guessed_by_it_for_ever() -> None:
    rig = Rig(limits={"failed_login_burst": 2})
    _old(rig, "alice").cut()
    for _ in range(2):
        assert rig.connect("203.0.113.8").say("RELOGIN", "0", "alice", "build-19", "true", "x")[0][2] == (
            "WRONG_INFORMATION"
        )
    assert rig.connect("203.0.113.8").say("RELOGIN", "0", "alice", "build-19", "true", "x") == [
        ("ERROR", "RELOGIN", "TOO_MANY_WRONG_PASSWORDS")
    ]
    assert rig.limited(Limit.FAILED_LOGINS) == 1


def test_a_live_connection_that_answers_within_five_seconds_stays() -> None:
    rig = Rig()
    first = _old(rig, "alice")
    second = rig.connect("203.0.113.7")
    assert _relogin(second, "alice") == []
    assert first.got() == [("PING",)]
    rig.wait(4.9)
    first.say("PONG")
    assert second.got() == [("ERROR", "RELOGIN", "CONNECTION_STILL_ALIVE")]
    assert second.closed
    assert not first.closed


def test_a_silent_one_is_replaced_after_five_seconds() -> None:
    rig = Rig()
    first = _old(rig, "alice")
    second = rig.connect("203.0.113.7")
    _relogin(second, "alice")
    first.got()
    rig.wait(5.1)
    assert ("DISCONNECT", "CLIENT_TIMEOUT") in first.got()
    assert second.got()[0] == ("RELOGIN",)


def test_while_somebody_asks_nobody_else_may() -> None:
    rig = Rig()
    _old(rig, "alice")
    _relogin(rig.connect("203.0.113.7"), "alice")
    third = rig.connect("203.0.113.7")
    assert _relogin(third, "alice") == [("ERROR", "RELOGIN", "CONNECTION_STILL_ALIVE")]


def test_the_old_one_leaves_meanwhile() -> None:
    rig = Rig()
    first = _old(rig, "alice")
    second = rig.connect("203.0.113.7")
    _relogin(second, "alice")
    first.say("DISCONNECT", "CONNECTION_CLOSED")
    assert second.got() == [("ERROR", "RELOGIN", "NOT_LOGGED_IN")]


def test_the_old_one_breaks_meanwhile() -> None:
    rig = Rig()
    first = _old(rig, "alice")
    second = rig.connect("203.0.113.7")
    _relogin(second, "alice")
    first.cut()
    assert second.got()[0] == ("RELOGIN",)


def test_the_newcomer_breaks_meanwhile() -> None:
    rig = Rig()
    first = _old(rig, "alice")
    second = rig.connect("203.0.113.7")
    _relogin(second, "alice")
    second.cut()
    rig.wait(10)
    assert not first.closed


def test_the_game_is_kept() -> None:
    rig = Rig()
    alice = _old(rig, "alice")
    alice.say("GAME_OPEN", "old game", "4")
    rig.prober.answer(True)
    alice.cut()
    again = rig.connect("203.0.113.7")
    _relogin(again, "alice")
    assert again.clients5()[0] == ("alice", "build-19", "old game", "UNREGISTERED", "")


def test_when_logged_in_it_is_an_error() -> None:
    alice = _old(Rig(), "alice")
    assert _relogin(alice, "alice") == [("ERROR", "RELOGIN", "ALREADY_LOGGED_IN")]
    assert alice.closed


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (["0", "alice", "build-19"], "No more RawData in the packet."),
        (["x", "alice", "build-19", "false"], "Invalid integer: 'x'"),
        (["3", "alice", "build-19", "false"], "UNSUPPORTED_PROTOCOL"),
        (["0", "a b", "build-19", "false"], "INVALID_NAME"),
    ],
)
def test_bad_fields(fields: list[str], text: str) -> None:
    client = Rig().connect()
    assert client.say("RELOGIN", *fields) == [("ERROR", "RELOGIN", text)]
    assert client.closed
