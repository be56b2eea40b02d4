"""Logging in: versions, accounts, names, and what is said to those who do it wrong."""

from __future__ import annotations

import time

import pytest

from tests.integration.server.conftest import PASSWORDS, People
from tests.support.server_process import ServerProcess
from tests.support.wire_client import LobbyClient, pack, sha1


def prove(client: LobbyClient, password: str) -> None:
    """Answer the challenge that must come now."""
    challenge = client.take()
    assert challenge[0] == "PWD_CHALLENGE"
    assert len(challenge[1]) == 32
    int(challenge[1], 16)
    client.send("PWD_CHALLENGE", sha1(challenge[1] + sha1(password)))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("version", [5, 6])
def test_without_account(server: ServerProcess, people: People, host: str, version: int) -> None:
    name = people.name()
    player = people.player(server, name=name, host=host, version=version)
    assert (player.name, player.permission) == (name, "UNREGISTERED")


def test_build_19_is_welcomed_at_length(server: ServerProcess, people: People) -> None:
    name = people.name()
    guest = people.guest(server)
    guest.send("LOGIN", "0", name, "build-19", "false")
    assert guest.take() == ("LOGIN", name, "UNREGISTERED")
    assert guest.take() == ("CHAT", "", "Welcome on the Widelands Metaserver!", "system")
    assert guest.take()[0] == "TIME"
    for text in (
        "Our forums can be found at:",
        "https://www.widelands.org/forum/",
        "For reporting bugs, visit:",
        "https://www.widelands.org/wiki/ReportingBugs/",
    ):
        assert guest.take() == ("CHAT", "", text, "system")


def test_build_19_with_account_sends_the_password(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", "0", "erna", "build-19", "true", PASSWORDS["erna"])
    assert guest.take() == ("LOGIN", "erna", "REGISTERED")


@pytest.mark.parametrize(("name", "password"), [("erna", "wrong"), ("nobody-at-all", "x")])
def test_build_19_with_wrong_password_or_unknown_account(
    server: ServerProcess, people: People, name: str, password: str
) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", "0", name, "build-19", "true", password)
    assert guest.last_words() == [("ERROR", "LOGIN", "WRONG_PASSWORD")]


@pytest.mark.parametrize("version", ["1", "2", "3", "4", "7", "99", "-1"])
def test_other_versions_are_refused(server: ServerProcess, people: People, version: str) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", version, people.name(), "1.2.1", "false", "nonce")
    assert guest.last_words() == [("ERROR", "LOGIN", "UNSUPPORTED_PROTOCOL")]


def test_version_is_looked_at_before_the_missing_nonce(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", "4", people.name(), "1.2.1", "true")
    assert guest.last_words() == [("ERROR", "LOGIN", "UNSUPPORTED_PROTOCOL")]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (("LOGIN",), "No more RawData in the packet."),
        (("LOGIN", "6", "x", "1.2.1"), "No more RawData in the packet."),
        (("LOGIN", "6", "x", "1.2.1", "false"), "No more RawData in the packet."),
        (("LOGIN", "5", "x", "1.2.1", "true"), "No more RawData in the packet."),
        (("LOGIN", "0", "x", "build-19", "true"), "No more RawData in the packet."),
        (("LOGIN", "six", "x", "1.2.1", "false", "n"), "Invalid integer: 'six'"),
        (("LOGIN", "", "x", "1.2.1", "false", "n"), "Invalid integer: ''"),
        (("LOGIN", "6", "x", "1.2.1", "maybe", "n"), "Invalid bool: 'maybe'"),
        (("LOGIN", "6", "x", "1.2.1", "True", "n"), "Invalid bool: 'True'"),
        (("RELOGIN", "0", "x"), "No more RawData in the packet."),
        (("CHECK_PWD", "6"), "No more RawData in the packet."),
        (("CHECK_PWD", "y", "x", "1.2.1"), "Invalid integer: 'y'"),
        (("PWD_CHALLENGE",), "No more RawData in the packet."),
    ],
)
def test_bad_arguments_end_the_connection(
    server: ServerProcess, people: People, fields: tuple[str, ...], text: str
) -> None:
    guest = people.guest(server)
    guest.send(*fields)
    assert guest.last_words() == [("ERROR", fields[0], text)]


@pytest.mark.parametrize("registered", ["false", "0"])
def test_zero_is_false(server: ServerProcess, people: People, registered: str) -> None:
    guest, name = people.guest(server), people.name()
    guest.send("LOGIN", "6", name, "1.2.1", registered, "nonce" + name, "surplus", "fields")
    assert guest.take() == ("LOGIN", name, "UNREGISTERED")


@pytest.mark.parametrize("registered", ["true", "1"])
@pytest.mark.parametrize("version", ["5", "6"])
def test_account(server: ServerProcess, people: People, version: str, registered: str) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", version, "otto", "1.2.1", registered, "")
    prove(guest, PASSWORDS["otto"])
    assert guest.take() == ("LOGIN", "otto", "REGISTERED")
    assert guest.take()[0] == "TIME"
    guest.leave()


def test_superuser(server: ServerProcess, people: People) -> None:
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    assert (boss.name, boss.permission) == ("boss", "SUPERUSER")


def test_wrong_password(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", "6", "otto", "1.2.1", "true", "")
    prove(guest, "guessed")
    assert guest.last_words() == [("ERROR", "PWD_CHALLENGE", "WRONG_PASSWORD")]
    assert "otto" not in people.player(server).names()


def test_unknown_account_gets_no_challenge(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", "6", "Otto", "1.2.1", "true", "")
    assert guest.last_words() == [("ERROR", "LOGIN", "WRONG_PASSWORD")]


def test_every_challenge_is_fresh_and_good_once(server: ServerProcess, people: People) -> None:
    challenges = set()
    for _ in range(5):
        guest = people.guest(server)
        guest.send("CHECK_PWD", "6", "otto", "1.2.1")
        challenges.add(guest.take()[1])
    assert len(challenges) == 5

    guest = people.guest(server)
    guest.send("CHECK_PWD", "6", "otto", "1.2.1")
    challenge = guest.take()[1]
    answer = sha1(challenge + sha1(PASSWORDS["otto"]))
    guest.send("PWD_CHALLENGE", answer)
    assert guest.take() == ("PWD_OK", "otto", "REGISTERED")
    guest.send("PWD_CHALLENGE", answer)
    words = guest.last_words()
    assert len(words) == 1
    assert words[0][0] == "ERROR"


def test_an_answer_without_question_logs_nobody_in(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send("PWD_CHALLENGE", sha1(sha1(PASSWORDS["otto"])))
    words = guest.last_words()
    assert [word[0] for word in words] == ["ERROR"]


def test_the_challenge_of_one_name_does_not_open_another(server: ServerProcess, people: People) -> None:
    """CHECK_PWD for oneself, then LOGIN as somebody else while the question is open."""
    guest = people.guest(server)
    guest.send("CHECK_PWD", "6", "otto", "1.2.1")
    challenge = guest.take()[1]
    guest.send("LOGIN", "6", "boss", "1.2.1", "true", "")
    guest.send("PWD_CHALLENGE", sha1(challenge + sha1(PASSWORDS["otto"])))
    words = guest.last_words()
    assert not any(word[0] in ("LOGIN", "PWD_OK") for word in words), words
    assert "boss" not in people.player(server).names()


def test_after_an_unregistered_login_a_challenge_cannot_raise_the_permission(
    server: ServerProcess, people: People
) -> None:
    guest = people.guest(server)
    guest.send("LOGIN", "6", "boss", "1.2.1", "true", "")
    guest.take()
    guest.send("LOGIN", "6", people.name(), "1.2.1", "false", "n")
    guest.send("MOTD", "owned")
    words = guest.during(0.4)
    assert not any("SUPERUSER" in word or "owned" in word for word in words), words


def test_the_second_login_of_an_account_is_somebody_else(server: ServerProcess, people: People) -> None:
    first = people.player(server, name="erna", password=PASSWORDS["erna"])
    assert (first.name, first.permission) == ("erna", "REGISTERED")
    second = people.guest(server)
    second.send("LOGIN", "6", "erna", "1.2.1", "true", "")
    prove(second, PASSWORDS["erna"])
    answer = first.next(skipping=("CLIENTS_UPDATE",), timeout=1)
    assert answer == ("PING",), "the first is asked whether he is alive"
    assert second.take() == ("LOGIN", "erna1", "UNREGISTERED")
    second.secret = sha1("erna1" + sha1(PASSWORDS["erna"]))
    assert second.take()[0] == "TIME"
    game = people.name("game")
    password, _ = second.open_game(game)
    people.peer(server).join(game, password)


def test_taken_names_get_numbers(server: ServerProcess, people: People) -> None:
    name = people.name()
    assert people.player(server, name=name, nonce=name + "a").name == name
    assert people.player(server, name=name, nonce=name + "b").name == name + "1"
    assert people.player(server, name=name, nonce=name + "c").name == name + "2"
    assert people.player(server, name=name.upper(), nonce=name + "d").name == name.upper()


def test_the_name_of_an_account_is_not_given_away(server: ServerProcess, people: People) -> None:
    stranger = people.player(server, name="chief", nonce="I am not the chief")
    assert (stranger.name, stranger.permission) == ("chief1", "UNREGISTERED")


def test_check_pwd(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    for name, permission in (("chief", "SUPERUSER"), ("erna", "REGISTERED"), ("chief", "SUPERUSER")):
        guest.send("CHECK_PWD", "6", name, "1.2.1")
        prove(guest, PASSWORDS[name])
        assert guest.take() == ("PWD_OK", name, permission)
    guest.send("CLIENTS")
    assert not any(packet[0] == "CLIENTS" for packet in guest.during(0.2)), "checking is no login"


def test_login_may_follow_check_pwd(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send("CHECK_PWD", "7", "chief", "1.2.1")
    prove(guest, PASSWORDS["chief"])
    assert guest.take() == ("PWD_OK", "chief", "SUPERUSER")
    name = people.name()
    guest.log_in(name)
    assert (guest.name, guest.permission) == (name, "UNREGISTERED")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (("CHECK_PWD", "5", "otto", "build-20"), "UNSUPPORTED_PROTOCOL"),
        (("CHECK_PWD", "0", "otto", "build-19"), "UNSUPPORTED_PROTOCOL"),
        (("CHECK_PWD", "6", "nobody-here", "1.2.1"), "WRONG_PASSWORD"),
        (("RELOGIN", "0", "nobody-here", "build-19", "false"), "NOT_LOGGED_IN"),
    ],
)
def test_refusals(server: ServerProcess, people: People, fields: tuple[str, ...], reason: str) -> None:
    guest = people.guest(server)
    guest.send(*fields)
    assert guest.last_words() == [("ERROR", fields[0], reason)]


@pytest.mark.parametrize(
    "fields",
    [
        ("LOGIN", "6", "x", "1.2.1", "false", "n"),
        ("RELOGIN", "6", "x", "1.2.1", "false", "n"),
        ("CHECK_PWD", "6", "otto", "1.2.1"),
    ],
)
def test_once_is_enough(server: ServerProcess, people: People, fields: tuple[str, ...]) -> None:
    player = people.player(server)
    player.send(*fields)
    assert player.last_words() == [("ERROR", fields[0], "ALREADY_LOGGED_IN")]


@pytest.mark.parametrize("command", ["", "NONSENSE", "login", "PING", "TIME", "TELL_IP", "CLIENTS_UPDATE"])
@pytest.mark.parametrize("logged_in", [False, True])
def test_unknown_commands(server: ServerProcess, people: People, command: str, logged_in: bool) -> None:
    guest = people.player(server) if logged_in else people.guest(server)
    guest.send(command, "more")
    assert guest.last_words() == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]


def test_nothing_is_carried_out_after_a_fatal_error(server: ServerProcess, people: People) -> None:
    name = people.name()
    watcher = people.player(server)
    guest = people.guest(server)
    guest.send_raw(
        pack("NONSENSE") + pack("LOGIN", "6", name, "1.2.1", "false", "n" + name) + pack("CHAT", "hello", "")
    )
    assert guest.last_words() == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]
    assert not any(packet[0] == "CHAT" for packet in watcher.during(0.3))
    assert name not in watcher.names()


def test_before_login_nothing_but_logging_in_does_anything(server: ServerProcess, people: People) -> None:
    watcher = people.player(server)
    for fields in (
        ("CHAT", "not from me", ""),
        ("MOTD", "not from me"),
        ("ANNOUNCEMENT", "not from me"),
        ("CMD", "kick", watcher.name),
        ("GAME_OPEN", "not mine"),
        ("GAME_CONNECT", "not mine"),
        ("GAME_START",),
        ("CLIENTS",),
        ("GAMES",),
    ):
        guest = people.guest(server)
        guest.send(*fields)
        guest.send("PONG")
        answers = guest.during(0.05)
        assert all(answer[0] in ("ERROR", "DISCONNECT") for answer in answers), answers
    assert watcher.games() == [] or all(game[0] != "not mine" for game in watcher.games())
    assert not any(packet[0] in ("CHAT", "DISCONNECT") for packet in watcher.during(0.2))


def test_a_name_waiting_for_its_password_is_nobody(server: ServerProcess, people: People) -> None:
    """Between challenge and answer the connection has neither name nor rights."""
    guest = people.guest(server)
    guest.send("LOGIN", "6", "chief", "1.2.1", "true", "")
    assert guest.take()[0] == "PWD_CHALLENGE"
    watcher = people.player(server)
    assert "chief" not in watcher.names()
    guest.send("ANNOUNCEMENT", "I am not in")
    assert not any(packet[0] == "CHAT" for packet in watcher.during(0.2))


def test_disconnect_before_login_closes(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send("DISCONNECT", "CONNECTION_CLOSED")
    assert guest.last_words() == []


def test_packets_in_pieces_and_in_heaps(server: ServerProcess, people: People) -> None:
    name = people.name()
    guest = people.guest(server)
    for byte in pack("LOGIN", "6", name, "1.2.1", "false", "n" + name):
        guest.send_raw(bytes([byte]))
        time.sleep(0.001)
    assert guest.take() == ("LOGIN", name, "UNREGISTERED")
    guest.send_raw(pack("PONG") * 30 + pack("CLIENTS") + pack("GAMES") + pack("CLIENTS"))
    assert [guest.next(skipping=("TIME", "CLIENTS_UPDATE", "GAMES_UPDATE"))[0] for _ in range(3)] == [
        "CLIENTS",
        "GAMES",
        "CLIENTS",
    ]


def test_bytes_after_the_last_nul_are_dropped(server: ServerProcess, people: People) -> None:
    name = people.name()
    guest = people.guest(server)
    body = b"\0".join(
        [b"LOGIN", b"6", name.encode(), b"1.2.1", b"false", b"nonce" + name.encode(), b"rest without end"]
    )
    guest.send_raw((len(body) + 2).to_bytes(2, "big") + body)
    assert guest.take() == ("LOGIN", name, "UNREGISTERED")


def test_a_body_without_nul_ends_the_connection(server: ServerProcess, people: People) -> None:
    guest = people.guest(server)
    guest.send_raw(b"\x00\x08PONGPO")
    words = guest.last_words()
    assert not words or words[0][0] in ("ERROR", "DISCONNECT")


@pytest.mark.parametrize("length", [0, 1, 2])
def test_impossible_lengths_end_the_connection(server: ServerProcess, people: People, length: int) -> None:
    player = people.player(server)
    player.send_raw(length.to_bytes(2, "big") + pack("CHAT", "after the end", ""))
    words = player.last_words()
    assert not any(word[0] == "CHAT" for word in words), words


def test_nothing_but_the_login_before_login(server: ServerProcess, people: People) -> None:
    """Released clients log out at anything else, so broadcasts must not come early."""
    talker = people.player(server)
    guest = people.guest(server)
    guest.send("LOGIN", "6", "otto", "1.2.1", "true", "")
    challenge = guest.take()
    talker.send("CHAT", "loud", "")
    assert talker.next()[0] == "CHAT"
    newcomer = people.player(server)
    newcomer.send("CHAT", "announced", "")
    assert newcomer.next()[0] == "CHAT"
    guest.send("PWD_CHALLENGE", sha1(challenge[1] + sha1(PASSWORDS["otto"])))
    assert guest.take() == ("LOGIN", "otto", "REGISTERED")
    assert guest.take()[0] == "TIME"
    guest.leave()
