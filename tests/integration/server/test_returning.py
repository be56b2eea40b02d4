"""Coming back after a cut: name and game wait for their owner and for nobody else."""

from __future__ import annotations

import time

from tests.integration.server.conftest import PASSWORDS, People
from tests.support.server_process import ServerProcess
from tests.support.wire_client import sha1, wait_for


def test_cut_and_back(server: ServerProcess, people: People) -> None:
    watcher = people.player(server)
    game, owner, host, (guest,) = people.game(server, guests=1)
    owner.reset()
    wait_for(lambda: owner.name not in watcher.names())
    back = people.player(server, name="a wish.".replace(" ", "-"), nonce=owner.secret)
    assert back.name == owner.name, "the name he had, not the one he asks for"
    assert back.game_of(back.name) == game
    assert host.during(0.2) == []
    guest.send_raw(b"\x15\x00\x03x")
    assert host.next() == ("FromClient", 2, b"x")
    back.send("GAME_START")
    assert back.next() == ("GAME_START",), "still the host"
    assert watcher.state_of(game) == "RUNNING"


def test_an_end_of_file_is_a_cut(server: ServerProcess, people: People) -> None:
    player = people.player(server)
    player.shut_down_sending()
    player.last_words()
    thief = people.player(server, name=player.name, nonce="another")
    assert thief.name == player.name + "1"
    assert people.player(server, name=player.name, nonce=player.secret).name == player.name


def test_account_cut_and_back(server: ServerProcess, people: People) -> None:
    watcher = people.player(server)
    otto = people.player(server, name="otto", password=PASSWORDS["otto"])
    game, _, _, _ = people.game(server, owner=otto)
    otto.reset()
    wait_for(lambda: "otto" not in watcher.names())
    back = people.player(server, name="otto", password=PASSWORDS["otto"])
    assert (back.name, back.permission) == ("otto", "REGISTERED")
    assert back.game_of("otto") == game
    back.leave()


def test_a_silent_connection_is_replaced_after_three_seconds(
    unchanged_server: ServerProcess, people: People
) -> None:
    game, frozen, _, _ = people.game(unchanged_server)
    frozen.answers_pings = False
    began = time.monotonic()
    back = people.player(unchanged_server, name=frozen.name, nonce=frozen.secret, build="1.2.1")
    assert 2.8 <= time.monotonic() - began <= 4.5
    assert back.name == frozen.name
    assert back.game_of(back.name) == game
    words = frozen.last_words()
    assert words == [("DISCONNECT", "CLIENT_TIMEOUT")]


def test_a_live_connection_stays(unchanged_server: ServerProcess, people: People) -> None:
    """Its PONG may come at once: 20 times within microseconds (and the newcomer is somebody else)."""
    live = people.player(unchanged_server)
    for number in range(1, 21):
        double = people.guest(unchanged_server)
        double.send("LOGIN", "6", live.name, "1.2.1", "false", live.secret)
        assert live.next(skipping=("CLIENTS_UPDATE", "GAMES_UPDATE")) == ("PING",)
        answer = double.take()
        assert answer[0] == "LOGIN"
        assert answer[1] != live.name
        double.leave()
        assert number
    assert live.name in live.names()


def test_build_19_guests_do_not_inherit_each_other(server: ServerProcess, people: People) -> None:
    """They all have the empty nonce."""
    first = people.guest(server)
    name = people.name()
    first.send("LOGIN", "0", name, "build-19", "false")
    first.until("LOGIN")
    first.during(0.1)
    first.reset()
    second, other = people.guest(server), people.name()
    second.send("LOGIN", "0", other, "build-19", "false")
    assert second.take() == ("LOGIN", other, "UNREGISTERED")
    empty = people.guest(server)
    third = people.name()
    empty.send("LOGIN", "6", third, "1.2.1", "false", "")
    assert empty.take() == ("LOGIN", third, "UNREGISTERED")


def test_relogin(server: ServerProcess, people: People) -> None:
    """Build 19 with an account: wrong information, still alive, and back."""
    first = people.guest(server)
    first.send("LOGIN", "0", "erna", "build-19", "true", PASSWORDS["erna"])
    assert first.until("LOGIN")[-1] == ("LOGIN", "erna", "REGISTERED")
    for fields in (
        ("0", "erna", "build-19", "true", "wrong"),
        ("0", "erna", "build-18", "true", PASSWORDS["erna"]),
        ("6", "erna", "build-19", "true", PASSWORDS["erna"]),
    ):
        liar = people.guest(server)
        liar.send("RELOGIN", *fields)
        assert liar.last_words() == [("ERROR", "RELOGIN", "WRONG_INFORMATION")]
    second = people.guest(server)
    second.send("RELOGIN", "0", "erna", "build-19", "true", PASSWORDS["erna"])
    first.during(0.3)
    assert second.last_words() == [("ERROR", "RELOGIN", "CONNECTION_STILL_ALIVE")]
    first.reset()
    time.sleep(0.1)
    third = people.guest(server)
    third.send("RELOGIN", "0", "erna", "build-19", "true", PASSWORDS["erna"])
    assert third.next() == ("RELOGIN",)
    third.send("CLIENTS")
    packet = third.next()
    assert packet[0] == "CLIENTS"
    at = packet.index("erna")
    assert packet[at : at + 5] == ("erna", "build-19", "", "REGISTERED", "")
    third.leave()


def test_the_secret_of_a_degraded_account_login(server: ServerProcess, people: People) -> None:
    """The second login of an account is name1; cut, it comes back as such, not as the first."""
    first = people.player(server, name="otto", password=PASSWORDS["otto"])
    second = people.guest(server)
    second.send("LOGIN", "6", "otto", "1.2.1", "true", "")
    second.send("PWD_CHALLENGE", sha1(second.take()[1] + sha1(PASSWORDS["otto"])))
    first.during(0.2)
    given = second.until("LOGIN")[-1]
    assert given == ("LOGIN", "otto1", "UNREGISTERED")
    second.reset()
    first.during(0.2)
    secret = sha1("otto1" + sha1(PASSWORDS["otto"]))
    back = people.player(server, name="otto1", nonce=secret)
    assert (back.name, back.permission) == ("otto1", "UNREGISTERED")
    first.leave()
