"""Logging in: versions, names, accounts, challenges, refusals."""

from __future__ import annotations

import pytest

from tests.support.lobby import Rig, words
from wlnet.lobby.ports import Permission
from wlnet.metrics import Limit
from wlnet.moderation.sanctions import Kind, Target
from wlnet.protocols.metaserver.digest import sha1_hex
from wlnet.protocols.metaserver.wire import encode


@pytest.mark.parametrize("version", [5, 6])
def test_unregistered_login_is_answered_by_login_and_time(version: int) -> None:
    client = Rig().connect()
    assert client.login("alice", version=version) == [
        ("LOGIN", "alice", "UNREGISTERED"),
        ("TIME", "1700000000"),
    ]


def test_build_19_gets_the_old_welcome() -> None:
    client = Rig({"motd": "Tournament on Sunday"}).connect()
    assert client.login("alice", version=0, build="build-19") == [
        ("LOGIN", "alice", "UNREGISTERED"),
        ("CHAT", "", "Welcome on the Widelands Metaserver!", "system"),
        ("TIME", "1700000000"),
        ("CHAT", "", "Our forums can be found at:", "system"),
        ("CHAT", "", "https://www.widelands.org/forum/", "system"),
        ("CHAT", "", "For reporting bugs, visit:", "system"),
        ("CHAT", "", "https://www.widelands.org/wiki/ReportingBugs/", "system"),
        ("CHAT", "", "Tournament on Sunday", "system"),
    ]


def test_motd_comes_after_time() -> None:
    client = Rig({"motd": "hello"}).connect()
    assert client.login("alice")[1:] == [("TIME", "1700000000"), ("CHAT", "", "hello", "system")]


@pytest.mark.parametrize("version", [1, 4, 7, -1])
def test_other_versions_are_refused(version: int) -> None:
    client = Rig().connect()
    reply = client.say("LOGIN", str(version), "alice", "1.1", "false", "n")
    assert reply == [("ERROR", "LOGIN", "UNSUPPORTED_PROTOCOL")]
    assert client.closed


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([], "No more RawData in the packet."),
        (["6", "alice"], "No more RawData in the packet."),
        (["six", "alice", "1.1", "false", "n"], "Invalid integer: 'six'"),
        (["6", "alice", "1.1", "maybe", "n"], "Invalid bool: 'maybe'"),
        (["6", "alice", "1.1", "false"], "No more RawData in the packet."),
        (["0", "alice", "build-19", "true"], "No more RawData in the packet."),
    ],
)
def test_bad_arguments_end_the_connection(fields: list[str], text: str) -> None:
    client = Rig().connect()
    assert client.say("LOGIN", *fields) == [("ERROR", "LOGIN", text)]
    assert client.closed


def test_digits_are_booleans_too() -> None:
    client = Rig().connect()
    assert words(client.say("LOGIN", "6", "alice", "1.1", "0", "n")) == ["LOGIN", "TIME"]


@pytest.mark.parametrize("name", ["", "team", "Team", "a b", "a\nb", "ä", "x" * 41, "<b>"])
def test_names_outside_the_clients_alphabet_are_refused(name: str) -> None:
    rig = Rig()
    client = rig.connect()
    assert client.login(name) == [("ERROR", "LOGIN", "INVALID_NAME")]
    assert client.closed
    assert rig.limited(Limit.NAME) == 1


def test_second_login_on_a_connection_is_an_error() -> None:
    client = Rig().player("alice")
    assert client.login("alice") == [("ERROR", "LOGIN", "ALREADY_LOGGED_IN")]
    assert client.closed


@pytest.mark.parametrize(
    "command", ["CLIENTS", "GAMES", "CHAT", "GAME_OPEN", "MOTD", "CMD", "PING", "", "login"]
)
def test_nothing_but_logging_in_is_understood_before_login(command: str) -> None:
    client = Rig().connect()
    assert client.say(command, "a", "b") == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]
    assert client.closed


def test_nothing_is_carried_out_after_a_fatal_error() -> None:
    rig = Rig()
    bob = rig.player("bob")
    eve = rig.connect()
    reply = eve.raw(encode("NOPE") + encode("LOGIN", "6", "eve", "1.1", "false", "nonce"))
    assert words(reply) == ["ERROR"]
    rig.wait(10)
    assert [entry[0] for entry in bob.clients()] == ["bob"]


# -- accounts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [5, 6])
@pytest.mark.parametrize("permission", [Permission.REGISTERED, Permission.SUPERUSER])
def test_account_login_by_challenge(version: int, permission: Permission) -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret", permission)
    client = rig.connect()
    assert client.login_account("otto", "secret", version=version) == [
        ("LOGIN", "otto", permission.value),
        ("TIME", "1700000000"),
    ]


def test_challenges_are_fresh() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    seen = {rig.connect().say("LOGIN", "6", "otto", "1.1", "true", "")[0][1] for _ in range(5)}
    assert len(seen) == 5
    assert all(len(challenge) == 32 for challenge in seen)


def test_wrong_response() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    client = rig.connect()
    assert client.login_account("otto", "guess") == [("ERROR", "PWD_CHALLENGE", "WRONG_PASSWORD")]
    assert client.closed


def test_upper_case_response_is_wrong() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    client = rig.connect()
    challenge = client.say("LOGIN", "6", "otto", "1.1", "true", "")[0][1]
    response = sha1_hex(challenge + sha1_hex("secret")).upper()
    assert client.say("PWD_CHALLENGE", response) == [("ERROR", "PWD_CHALLENGE", "WRONG_PASSWORD")]


def test_unknown_account_gets_no_challenge() -> None:
    client = Rig().connect()
    assert client.login_account("otto", "secret") == [("ERROR", "LOGIN", "WRONG_PASSWORD")]
    assert client.closed


def test_build_19_account_sends_the_password_itself() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    good, bad = rig.connect(), rig.connect()
    assert good.say("LOGIN", "0", "otto", "build-19", "true", "secret")[0] == ("LOGIN", "otto", "REGISTERED")
    assert bad.say("LOGIN", "0", "otto", "build-19", "true", "guess") == [
        ("ERROR", "LOGIN", "WRONG_PASSWORD")
    ]


def test_response_without_challenge_is_an_error() -> None:
    client = Rig().connect()
    assert client.say("PWD_CHALLENGE", "0" * 40) == [("ERROR", "PWD_CHALLENGE", "NO_CHALLENGE")]
    assert client.closed


def test_a_challenge_is_good_once_and_for_its_name_only() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    rig.accounts.add("anna", "other")
    client = rig.connect()
    challenge = client.say("CHECK_PWD", "6", "otto", "1.1")[0][1]
    response = sha1_hex(challenge + sha1_hex("secret"))
    assert client.say("PWD_CHALLENGE", response) == [("PWD_OK", "otto", "REGISTERED")]
    assert client.say("PWD_CHALLENGE", response) == [("ERROR", "PWD_CHALLENGE", "NO_CHALLENGE")]

    client = rig.connect()
    old = client.say("LOGIN", "6", "otto", "1.1", "true", "")[0][1]
    client.say("LOGIN", "6", "anna", "1.1", "true", "")
    reply = client.say("PWD_CHALLENGE", sha1_hex(old + sha1_hex("secret")))
    assert reply == [("ERROR", "PWD_CHALLENGE", "WRONG_PASSWORD")]


def test_check_pwd_any_number_of_times_then_login() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret", Permission.SUPERUSER)
    client = rig.connect()
    for _ in range(3):
        challenge = client.say("CHECK_PWD", "6", "otto", "1.1")[0][1]
        reply = client.say("PWD_CHALLENGE", sha1_hex(challenge + sha1_hex("secret")))
        assert reply == [("PWD_OK", "otto", "SUPERUSER")]
    assert client.login_account("otto", "secret")[0] == ("LOGIN", "otto", "SUPERUSER")


def test_check_pwd_gives_no_name_and_no_rights() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret", Permission.SUPERUSER)
    client = rig.connect()
    challenge = client.say("CHECK_PWD", "6", "otto", "1.1")[0][1]
    client.say("PWD_CHALLENGE", sha1_hex(challenge + sha1_hex("secret")))
    assert client.say("ANNOUNCEMENT", "boo") == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]


@pytest.mark.parametrize("version", ["0", "5"])
def test_check_pwd_is_for_version_6(version: str) -> None:
    client = Rig().connect()
    assert client.say("CHECK_PWD", version, "otto", "1.1") == [("ERROR", "CHECK_PWD", "UNSUPPORTED_PROTOCOL")]
    assert client.closed


def test_check_pwd_of_nobody() -> None:
    client = Rig().connect()
    assert client.say("CHECK_PWD", "6", "otto", "1.1") == [("ERROR", "CHECK_PWD", "WRONG_PASSWORD")]


def test_too_many_wrong_passwords_from_one_address() -> None:
    rig = Rig(limits={"failed_login_burst": 3, "failed_login_rate": 0.1})
    rig.accounts.add("otto", "secret")
    for _ in range(3):
        assert rig.connect("203.0.113.7").login_account("otto", "guess")[0][2] == "WRONG_PASSWORD"
    assert rig.connect("203.0.113.7").login_account("otto", "secret") == [
        ("ERROR", "LOGIN", "TOO_MANY_WRONG_PASSWORDS")
    ]
    assert rig.limited(Limit.FAILED_LOGINS) == 1
    # Others, players without account and loopback are not concerned; later it works again.
    rig.accounts.add("emma", "secret")
    assert rig.connect("203.0.113.8").login_account("emma", "secret")[0][0] == "LOGIN"
    assert rig.connect("203.0.113.7").login("anna")[0][0] == "LOGIN"
    rig.wait(11)
    assert rig.connect("203.0.113.7").login_account("otto", "secret")[0][0] == "LOGIN"


# -- accounts away -------------------------------------------------------------------------------


def test_unregistered_players_come_in_while_the_accounts_are_away() -> None:
    rig = Rig()
    rig.accounts.down = True
    assert rig.connect().login("bob")[0] == ("LOGIN", "bob", "UNREGISTERED")
    assert rig.connect().login_account("otto", "secret") == [("ERROR", "LOGIN", "ACCOUNTS_UNAVAILABLE")]
    assert rig.limited(Limit.ACCOUNTS_UNAVAILABLE) == 1


def test_a_name_known_to_be_an_accounts_is_not_given_away_meanwhile() -> None:
    rig = Rig()
    rig.accounts.down = True
    rig.accounts.remembered.add("otto")
    assert rig.connect().login("otto")[0] == ("LOGIN", "otto1", "UNREGISTERED")


def test_packets_wait_while_the_accounts_are_slow_and_others_do_not() -> None:
    rig = Rig()
    bob = rig.player("bob")
    rig.accounts.hold = True
    slow = rig.connect()
    assert slow.login("anna") == []
    assert slow.paused
    assert slow.say("CLIENTS") == []
    assert [entry[0] for entry in bob.clients()] == ["bob"]
    rig.accounts.release()
    assert words(slow.got()) == ["LOGIN", "TIME", "CLIENTS"]
    assert not slow.paused


def test_connection_lost_while_the_accounts_are_slow_takes_no_name() -> None:
    rig = Rig()
    rig.accounts.hold = True
    slow = rig.connect()
    slow.login("anna")
    slow.cut()
    rig.accounts.release()
    rig.accounts.hold = False
    assert rig.connect().login("anna", nonce="other")[0] == ("LOGIN", "anna", "UNREGISTERED")


# -- names ---------------------------------------------------------------------------------------


def test_a_taken_name_gets_a_number() -> None:
    rig = Rig()
    rig.player("bob")
    assert rig.connect().login("bob", nonce="2")[0][1] == "bob1"
    assert rig.connect().login("bob", nonce="3")[0][1] == "bob2"


def test_names_are_compared_byte_for_byte() -> None:
    rig = Rig()
    rig.player("bob")
    assert rig.connect().login("Bob", nonce="2")[0][1] == "Bob"


def test_an_accounts_name_is_not_given_to_others() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    rig.accounts.add("otto1", "secret")
    assert rig.connect().login("otto")[0] == ("LOGIN", "otto2", "UNREGISTERED")


def test_second_login_of_an_account_while_the_first_is_alive() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    first = rig.connect()
    first.login_account("otto", "secret")
    second = rig.connect()
    assert second.login_account("otto", "secret") == []
    assert words(first.got()) == ["PING"]
    first.say("PONG")
    assert second.got()[0] == ("LOGIN", "otto1", "UNREGISTERED")
    # Its secret is now the one that belongs to the name it got: it gets that seat back by it.
    second.cut()
    assert rig.connect().login("otto1", nonce=sha1_hex("otto1" + sha1_hex("secret")))[0][1] == "otto1"


def test_numbered_names_stay_within_the_limit() -> None:
    rig = Rig(limits={"name_length": 5})
    rig.player("abcde")
    assert rig.connect().login("abcde", nonce="2")[0][1] == "abcd1"


def test_server_full() -> None:
    rig = Rig({"max_players": 2})
    rig.player("a")
    rig.player("b")
    client = rig.connect()
    assert client.login("c") == [("ERROR", "LOGIN", "SERVER_FULL")]
    assert client.closed
    assert rig.limited(Limit.PLAYERS) == 1


# -- bans ----------------------------------------------------------------------------------------


def test_ban_of_an_address_keeps_every_door_shut() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    rig.sanctions.impose(Kind.BAN, Target.ADDRESS, "203.0.113.7", reason="", by="op", duration=60)
    address = "203.0.113.7"
    assert rig.connect(address).login("bob") == [("ERROR", "LOGIN", "BANNED")]
    assert rig.connect(address).login("bob", version=5) == [("ERROR", "LOGIN", "WRONG_PASSWORD")]
    assert rig.connect(address).login("bob", version=0) == [("ERROR", "LOGIN", "WRONG_PASSWORD")]
    assert rig.connect(address).login_account("otto", "secret") == [("ERROR", "LOGIN", "BANNED")]
    assert rig.connect(address).say("CHECK_PWD", "6", "otto", "1.1") == [("ERROR", "CHECK_PWD", "BANNED")]
    assert rig.connect(address).say("RELOGIN", "0", "bob", "build-19", "false") == [
        ("ERROR", "RELOGIN", "WRONG_PASSWORD")
    ]
    assert rig.limited(Limit.BANNED) == 6
    assert rig.connect("203.0.113.8").login("bob")[0][0] == "LOGIN"
    rig.wait(61)
    assert rig.connect(address).login("anna")[0][0] == "LOGIN"


def test_ban_of_an_ipv6_address_covers_its_64() -> None:
    rig = Rig()
    rig.sanctions.impose(Kind.BAN, Target.ADDRESS, "2001:db8:1:2::3", reason="", by="op", duration=60)
    assert rig.connect("2001:db8:1:2:ffff::9").login("bob") == [("ERROR", "LOGIN", "BANNED")]
    assert rig.connect("2001:db8:1:3::3").login("bob")[0][0] == "LOGIN"


def test_ban_of_an_account_works_from_every_address() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret")
    rig.sanctions.impose(Kind.BAN, Target.ACCOUNT, "otto", reason="", by="op", duration=None)
    assert rig.connect("203.0.113.7").login_account("otto", "secret") == [("ERROR", "LOGIN", "BANNED")]


# -- time ----------------------------------------------------------------------------------------


def test_a_silent_connection_is_closed_after_two_minutes() -> None:
    rig = Rig()
    client = rig.connect()
    rig.wait(119)
    assert client.got() == []
    rig.wait(1.1)
    assert client.got() == [("DISCONNECT", "CLIENT_TIMEOUT")]
    assert client.closed
    assert rig.limited(Limit.HANDSHAKE_TIME) == 1


def test_a_connection_that_talks_but_never_logs_in_is_closed_too() -> None:
    rig = Rig()
    client = rig.connect()
    for _ in range(6):
        rig.wait(99)
        assert client.say("PONG") == []
    rig.wait(10)
    assert client.got() == [("DISCONNECT", "CLIENT_TIMEOUT")]


def test_disconnect_before_login() -> None:
    client = Rig().connect()
    assert client.say("DISCONNECT", "CONNECTION_CLOSED") == []
    assert client.closed


def test_secrets_have_a_longest_length() -> None:
    rig = Rig(limits={"nonce_length": 40})
    assert rig.connect().login("alice", nonce="n" * 40)[0] == ("LOGIN", "alice", "UNREGISTERED")
    client = rig.connect()
    reply = client.say("LOGIN", "6", "bob", "1.1", "false", "n" * 41)
    assert reply == [("ERROR", "LOGIN", "INVALID_FIELD")]
    assert client.closed
    assert rig.limited(Limit.STRING_SIZE) == 1
