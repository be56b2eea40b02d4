"""Games in the lobby: opening, addresses, states, and the order of packets a host sees."""

from __future__ import annotations

import socket
import time

import pytest

from tests.integration.server.conftest import PASSWORDS, People, Start
from tests.support.server_process import ServerProcess
from tests.support.wire_client import NOISE, read_addresses, sha1, wait_for


def test_the_life_of_a_game(server: ServerProcess, people: People) -> None:
    owner, watcher = people.player(server), people.player(server)
    owner.during(0.4)
    game = people.name("game")
    owner.send("GAME_OPEN", game)
    seen = [owner.take() for _ in range(2)]
    assert seen[0] == ("GAMES_UPDATE",)
    assert seen[1][0] == "GAME_OPEN"
    assert owner.take() == ("CLIENTS_UPDATE",)
    challenge = seen[1][1]
    assert owner.game_of(owner.name) == game
    assert watcher.state_of(game) == "CLOSED", "the host is not at the relay yet"
    watcher.during(0.3)
    host = people.peer(server).join(game, sha1(challenge + owner.secret))
    watcher.until("GAMES_UPDATE", 2)
    assert watcher.games()[-1] == (game, "1.2.1", "SETUP")

    guest = people.player(server)
    guest.send("GAME_CONNECT", game)
    assert guest.next()[0] == "GAME_CONNECT"
    wait_for(lambda: watcher.game_of(guest.name) == game)
    guest.send("GAME_START")
    assert guest.next() == ("ERROR", "GAME_START", "DEFICIENT_PERMISSION")

    watcher.during(0.3)
    owner.during(0.2)
    owner.send("GAME_START")
    assert [owner.take(), owner.take()] == [("GAME_START",), ("GAMES_UPDATE",)]
    watcher.until("GAMES_UPDATE", 2)
    assert watcher.state_of(game) == "RUNNING"

    guest.send("GAME_DISCONNECT")
    wait_for(lambda: watcher.game_of(guest.name) == "")
    owner.send("GAME_DISCONNECT")
    wait_for(lambda: watcher.game_of(owner.name) == "")
    assert watcher.state_of(game) == "RUNNING", "only the relay ends a game"
    watcher.during(0.3)
    host.close()
    watcher.until("GAMES_UPDATE", 2)
    assert watcher.state_of(game) is None


def test_members_keep_the_name_of_an_ended_game(server: ServerProcess, people: People) -> None:
    game, owner, host, _ = people.game(server)
    guest = people.player(server)
    guest.send("GAME_CONNECT", game)
    guest.next()
    host.close()
    wait_for(lambda: owner.state_of(game) is None)
    assert guest.game_of(guest.name) == game
    guest.send("GAME_DISCONNECT")
    assert guest.game_of(guest.name) == ""


@pytest.mark.parametrize(("host", "order"), [("127.0.0.1", (4, 6)), ("::1", (6, 4))])
def test_addresses_own_family_first(
    server: ServerProcess, people: People, host: str, order: tuple[int, int]
) -> None:
    owner, guest = people.player(server, host=host), people.player(server, host=host)
    game = people.name("game")
    password, addresses = owner.open_game(game)
    guest.send("GAME_CONNECT", game)
    answer = guest.next()
    assert answer[0] == "GAME_CONNECT"
    assert read_addresses(answer[1:]) == addresses
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    for family, address in zip(order, addresses, strict=False):
        socket.inet_pton(families[family], address)
    assert addresses[0] == host, "reached at this address, so told this address"
    people.peer(server, addresses[0]).join(game, password)
    people.peer(server, addresses[0]).join(game)


@pytest.mark.parametrize("family", ["0.0.0.0", "::"])
def test_a_server_of_one_family(start: Start, people: People, family: str) -> None:
    server = start({"lobby.listen": [family], "relay.listen": [family]})
    host = "127.0.0.1" if family == "0.0.0.0" else "::1"
    owner = people.player(server, host=host)
    game = people.name("game")
    password, addresses = owner.open_game(game)
    assert addresses == [host]
    people.peer(server, host).join(game, password)
    with pytest.raises(OSError, match="refused"):
        server.lobby("::1" if host == "127.0.0.1" else "127.0.0.1")


def test_public_addresses(start: Start, people: People) -> None:
    server = start({"relay.public_addresses": ["203.0.113.7", "2001:db8::7"]})
    _, four = people.player(server).open_game("four")
    _, six = people.player(server, host="::1").open_game("six")
    assert four == ["203.0.113.7", "2001:db8::7"]
    assert six == ["2001:db8::7", "203.0.113.7"]


def test_game_exists(server: ServerProcess, people: People) -> None:
    game, _, _, _ = people.game(server)
    other = people.player(server)
    other.send("GAME_OPEN", game)
    assert other.next() == ("ERROR", "GAME_OPEN", "GAME_EXISTS")
    assert other.game_of(other.name) == ""


def test_opening_again_before_the_host_is_there(server: ServerProcess, people: People) -> None:
    """Clients do so after waiting 10 s; the second answer must be good."""
    owner = people.player(server)
    game = people.name("game")
    first, _ = owner.open_game(game)
    second, _ = owner.open_game(game)
    assert first != second
    people.peer(server).join(game, second)
    wait_for(lambda: owner.state_of(game) == "SETUP")


def test_unknown_games(server: ServerProcess, people: People) -> None:
    player = people.player(server)
    player.send("GAME_CONNECT", "no such game")
    assert player.next() == ("ERROR", "GAME_CONNECT", "NO_SUCH_GAME")
    player.send("GAME_START")
    assert player.last_words() == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]


def test_host_with_account(server: ServerProcess, people: People) -> None:
    owner = people.player(server, name="otto", password=PASSWORDS["otto"])
    game = people.name("game")
    password, _ = owner.open_game(game)
    people.peer(server).join(game, password)
    wait_for(lambda: owner.state_of(game) == "SETUP")


@pytest.mark.parametrize(
    ("mine", "his", "state"),
    [
        ("1.2.1", "1.2.1", "SETUP"),
        ("build-21", "build-21", "SETUP"),
        ("build-20", "build-21", "CLOSED"),
        ("1.2.1", "build-21", "CLOSED"),
        ("build-21", "1.3.1", "CLOSED"),
        ("1.1", "1.2.1", "CLOSED"),
        ("1.4~git25000", "1.4~git26000", "SETUP"),
    ],
)
def test_builds(server: ServerProcess, people: People, mine: str, his: str, state: str) -> None:
    owner, watcher = people.player(server, build=his), people.player(server, build=mine)
    game, _, _, _ = people.game(server, owner=owner)
    wait_for(lambda: owner.state_of(game) == "SETUP")
    assert watcher.state_of(game) == state


def test_a_game_whose_host_never_comes_is_removed(start: Start, people: People) -> None:
    """And the timer of the first does not remove a younger game of that name."""
    server = start({"lobby.host_timeout": 0.7, "lobby.update_interval": 0.1})
    first, watcher = people.player(server), people.player(server)
    first.open_game("slow")
    time.sleep(0.4)
    first.send("DISCONNECT", "CONNECTION_CLOSED")
    wait_for(lambda: watcher.state_of("slow") in (None, "CLOSED"))
    wait_for(lambda: watcher.state_of("slow") is None, 2)
    second = people.player(server)
    password, _ = second.open_game("slow")
    time.sleep(0.4)
    assert watcher.state_of("slow") == "CLOSED"
    people.peer(server).join("slow", password)
    time.sleep(0.4)
    assert watcher.state_of("slow") == "SETUP"
    third = people.player(server)
    third.open_game("never")
    watcher.during(0.2)
    watcher.games()
    watcher.until("GAMES_UPDATE", 2)
    assert watcher.state_of("never") is None


def test_one_player_cannot_host_many(server: ServerProcess, people: People) -> None:
    owner = people.player(server)
    people.game(server, owner=owner)
    owner.send("GAME_OPEN", people.name("game"))
    answer = owner.next()
    assert answer[:2] == ("ERROR", "GAME_OPEN")


def test_logout_of_the_host_does_not_end_the_game(server: ServerProcess, people: People) -> None:
    game, owner, host, (guest,) = people.game(server, guests=1)
    watcher = people.player(server)
    owner.leave()
    assert host.during(0.4) == []
    assert watcher.state_of(game) == "SETUP"
    guest.send_raw(b"\x15\x00\x03x")
    assert host.next() == ("FromClient", 2, b"x")


def test_somebody_with_the_name_of_the_host_is_not_the_host(server: ServerProcess, people: People) -> None:
    owner = people.player(server)
    game, _, _, _ = people.game(server, owner=owner)
    owner.leave()
    thief = people.player(server, name=owner.name, nonce="somebody else")
    assert thief.name == owner.name
    thief.send("GAME_CONNECT", game)
    thief.next()
    thief.send("GAME_START")
    assert thief.next() == ("ERROR", "GAME_START", "DEFICIENT_PERMISSION")


# -- build 19, which hosts on its own machine ----------------------------------------------------------


class Build19:
    """A listener as build 19's hosts have one; it gives back the bytes of the test, or not."""

    def __init__(self, echo: bool) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(5)
        self.port = self.listener.getsockname()[1]
        self.echo = echo

    def serve(self) -> bytes:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(5)
            data = connection.recv(10)
            if self.echo:
                connection.sendall(data)
                connection.recv(1)
            return data


@pytest.mark.parametrize("echo", [True, False])
def test_build_19_host_is_tested(start: Start, people: People, echo: bool) -> None:
    game = Build19(echo)
    server = start(
        {"lobby.probe_port": game.port, "lobby.probe_first_timeout": 0.5, "lobby.update_interval": 0.1}
    )
    owner, other, new = people.guest(server), people.guest(server), people.player(server)
    owner.send("LOGIN", "0", "host19", "build-19", "false")
    other.send("LOGIN", "0", "guest19", "build-19", "false")
    owner.during(0.1)
    other.during(0.1)
    owner.send("GAME_OPEN", "old", "4")
    assert game.serve() == b"\x00\x03\x40"
    expected = ("GAME_OPEN",) if echo else ("ERROR", "GAME_OPEN", "GAME_TIMEOUT")
    assert owner.next(skipping=NOISE) == expected
    assert other.games() == [("old", "build-19", "true" if echo else "false")]
    other.send("GAME_CONNECT", "old")
    assert other.next() == ("GAME_CONNECT", "127.0.0.1")
    assert new.state_of("old") == "CLOSED", "it is not on the relay"

    relayed, _, _, _ = people.game(server, owner=new)
    wait_for(lambda: new.state_of(relayed) == "SETUP")
    assert (relayed, "1.2.1", "false") in other.games()
    other.send("GAME_CONNECT", relayed)
    assert other.next() == ("ERROR", "GAME_CONNECT", "NO_SUCH_GAME")
    owner.send("GAME_DISCONNECT")
    wait_for(lambda: new.state_of("old") is None)


def test_build_19_logout_removes_its_game(start: Start, people: People) -> None:
    game = Build19(True)
    server = start({"lobby.probe_port": game.port})
    owner, new = people.guest(server), people.player(server)
    owner.send("LOGIN", "0", "host19", "build-19", "false")
    owner.send("GAME_OPEN", "old", "4")
    game.serve()
    owner.until("GAME_OPEN")
    owner.send("DISCONNECT", "CONNECTION_CLOSED")
    wait_for(lambda: new.state_of("old") is None)
