"""Lobby and relay as processes of their own: each may die and come back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.server.conftest import PASSWORDS, People, Start
from tests.support.server_process import ServerProcess, wlnet
from tests.support.wire_client import Closed, LobbyClient, hello, to_clients, to_host, wait_for


class Pair:
    """A lobby and a relay, and players who use both."""

    def __init__(self, start: Start, people: People, tmp_path: Path, grace: float = 2.0) -> None:
        secret = str(tmp_path / "the.secret")
        quick = {
            "link.secret_file": secret,
            "link.reconnect_min": 0.1,
            "link.reconnect_max": 0.3,
            "link.keepalive": 0.3,
            "link.dead_after": 1.0,
            "relay.close_linger": 0.5,
            "relay.farewell_delay": 0.05,
            "lobby.close_linger": 0.5,
        }
        self.people = people
        self.lobby: ServerProcess = start(
            {
                "server.roles": ["lobby"],
                "link.port": 0,
                "lobby.relay_grace": grace,
                "lobby.update_interval": 0.1,
                "lobby.announce_delay": 0.1,
                "moderation.refresh_interval": 0.2,
                **quick,
            }
        )
        self.lobby.keep_ports()
        self.relay: ServerProcess = start(
            {"server.roles": ["relay"], "link.lobby": f"127.0.0.1:{self.lobby.port('link')}", **quick},
            tmp_path / "relay",
        )
        self.relay.keep_ports()
        self.watcher = people.player(self.lobby, "watcher")
        self.wait_for_relay()

    def wait_for_relay(self, timeout: float = 8.0) -> None:
        """Until games can be opened."""

        def open_one() -> bool:
            tester = self.people.player(self.lobby, "tester")
            game = self.people.name("trial")
            tester.send("GAME_OPEN", game)
            answer = tester.next()
            tester.leave()
            assert answer[:2] in (("GAME_OPEN", answer[1]), ("ERROR", "GAME_OPEN")), answer
            if answer[0] == "ERROR":
                assert answer == ("ERROR", "GAME_OPEN", "RELAY_ERROR")
            return answer[0] == "GAME_OPEN"

        wait_for(open_one, timeout, "a relay that opens games")

    def game(self, owner: LobbyClient):  # type: ignore[no-untyped-def]
        """A game with one guest: name, host, guest."""
        name = self.people.name("game")
        password, _ = owner.open_game(name)
        host = self.people.peer(self.relay).join(name, password)
        guest = self.people.peer(self.relay).join(name)
        assert host.next() == ("ConnectClient", 2)
        wait_for(lambda: self.watcher.state_of(name) == "SETUP", what="the game to be listed")
        return name, host, guest


@pytest.fixture
def pair(start: Start, people: People, tmp_path: Path) -> Pair:
    return Pair(start, people, tmp_path)


def test_games_open_play_and_end(pair: Pair, people: People) -> None:
    owner = people.player(pair.lobby)
    name, host, guest = pair.game(owner)
    host.send_raw(to_clients([2], b"play"))
    assert guest.next() == ("FromHost", b"play")
    peer = people.peer(pair.relay)
    peer.send_raw(hello("unknown", "client"))
    assert peer.last_words() == [("Disconnect", "GAME_UNKNOWN")]
    host.close()
    wait_for(lambda: pair.watcher.state_of(name) is None)
    assert guest.last_words() == [("Disconnect", "NORMAL")]


def test_bans_reach_the_relay(pair: Pair, people: People) -> None:
    boss = people.player(pair.lobby, name="boss", password=PASSWORDS["boss"])
    theirs, other_host, other_guest = pair.game(people.player(pair.lobby))

    # a host: his game ends
    bad = people.player(pair.lobby, source="127.0.10.1")
    name, host, guest = pair.game(bad)
    boss.send("CMD", "ban", bad.name)
    bad.last_words()
    assert guest.last_words()[-1][0] == "Disconnect", "his game ends"
    host.last_words()
    wait_for(lambda: pair.watcher.state_of(name) is None)

    # a guest: he is taken out of the game he is in
    bad = people.player(pair.lobby, source="127.0.10.2")
    bad.send("GAME_CONNECT", theirs)
    bad.next()
    sneaky = people.peer(pair.relay, source="127.0.10.2").join(theirs)
    assert other_host.next() == ("ConnectClient", 3)
    boss.send("CMD", "kick", bad.name)
    bad.last_words()
    sneaky.last_words()
    assert other_host.next() == ("DisconnectClient", 3)

    # by the command line: an address, wherever it is
    sneaky = people.peer(pair.relay, source="127.0.10.3").join(theirs)
    assert other_host.next() == ("ConnectClient", 4)
    wlnet("ban", "add", "--address", "127.0.10.3", "--for", "1h", state_dir=pair.lobby.state_dir)
    sneaky.last_words()
    assert other_host.next() == ("DisconnectClient", 4)

    for source in ("127.0.10.1", "127.0.10.2", "127.0.10.3"):
        late = people.peer(pair.relay, source=source)
        late.send_raw(hello(theirs, "client"))
        assert not any(word[0] == "Welcome" for word in late.last_words())
    other_host.send_raw(to_clients([2], b"play on"))
    assert other_guest.next() == ("FromHost", b"play on")

    # and a relay that starts anew learns of them
    pair.relay.kill()
    pair.relay.start()
    pair.wait_for_relay()
    game, _, _ = pair.game(people.player(pair.lobby))
    late = people.peer(pair.relay, source="127.0.10.1")
    late.send_raw(hello(game, "client"))
    assert not any(word[0] == "Welcome" for word in late.last_words())


@pytest.mark.parametrize("thief", [False, True])
def test_the_lobby_dies_and_comes_back(pair: Pair, people: People, thief: bool) -> None:
    """With the secret comes the game; with the name alone comes nothing."""
    owner = people.player(pair.lobby)
    name, host, guest = pair.game(owner)
    owner.send("GAME_START")
    assert owner.next() == ("GAME_START",)
    pair.lobby.kill()
    with pytest.raises(Closed):
        owner.next()
    for number in range(20):
        host.send_raw(to_clients([2], b"%d" % number))
        assert guest.next() == ("FromHost", b"%d" % number)
    pair.lobby.start()
    host.send_raw(to_clients([2], b"still"))
    assert guest.next() == ("FromHost", b"still")
    pair.watcher = people.player(pair.lobby)
    wait_for(lambda: pair.watcher.state_of(name) is not None, 8.0, "the running game to be listed again")
    if thief:
        other = people.player(pair.lobby, name=owner.name, nonce="I am somebody else")
        assert other.game_of(other.name) == ""
        other.send("GAME_CONNECT", name)
        other.next()
        other.send("GAME_START")
        assert other.next() == ("ERROR", "GAME_START", "DEFICIENT_PERMISSION")
    back = people.player(pair.lobby, name=owner.name, nonce=owner.secret)
    assert thief or back.name == owner.name
    assert back.game_of(back.name) == name
    assert pair.watcher.state_of(name) in ("SETUP", "RUNNING")
    pair.watcher.send("GAME_OPEN", name)
    assert pair.watcher.next() == ("ERROR", "GAME_OPEN", "GAME_EXISTS")
    back.send("GAME_START")
    assert back.next() == ("GAME_START",), "still the host of it"
    guest.send_raw(to_host(b"x"))
    assert host.next() == ("FromClient", 2, b"x")
    late = people.peer(pair.relay).join(name)
    assert host.next() == ("ConnectClient", 3)
    host.close()
    assert late.last_words() == [("Disconnect", "NORMAL")]
    wait_for(lambda: pair.watcher.state_of(name) is None)


def test_the_host_is_back_before_the_relay(pair: Pair, people: People) -> None:
    """The lobby learns of the game when its owner is there already, even under another name."""
    owner = people.player(pair.lobby)
    name, host, guest = pair.game(owner)
    pair.lobby.kill()
    pair.relay.pause()
    pair.lobby.start()
    other = people.player(pair.lobby, name=owner.name, nonce="I am somebody else")
    back = people.player(pair.lobby, name=owner.name, nonce=owner.secret)
    assert back.game_of(back.name) == ""
    pair.relay.resume()
    wait_for(lambda: back.state_of(name) == "SETUP", 8.0, "the game to be listed again")
    wait_for(lambda: back.game_of(back.name) == name, 2.0, "the host to be in his game")
    assert other.game_of(other.name) == ""
    back.send("GAME_START")
    assert back.next() == ("GAME_START",)
    host.send_raw(to_clients([2], b"play"))
    assert guest.next() == ("FromHost", b"play")


def test_the_relay_dies_and_a_new_one_comes(pair: Pair, people: People) -> None:
    owner = people.player(pair.lobby)
    name, host, guest = pair.game(owner)
    pair.relay.kill()
    host.end_of_stream()
    guest.end_of_stream()
    began = time.monotonic()
    wait_for(lambda: pair.watcher.state_of(name) in (None, "CLOSED"), 5.0, "no ghost of the game")
    assert time.monotonic() - began < 5
    other = people.player(pair.lobby)
    other.send("GAME_OPEN", people.name("game"))
    assert other.next() == ("ERROR", "GAME_OPEN", "RELAY_ERROR")
    assert {owner.name, pair.watcher.name, other.name} <= set(other.names())
    pair.relay.start()
    pair.wait_for_relay()
    again, _, _ = pair.game(other)
    wait_for(lambda: pair.watcher.state_of(name) is None, 5.0, "the ghost to go")
    owner.send("GAME_DISCONNECT")
    third, _, _ = pair.game(owner)
    assert {again, third} <= {entry[0] for entry in pair.watcher.games()}
    owner.send("CHAT", "here I am", "")
    assert owner.next() == ("CHAT", owner.name, "here I am", "public")


def test_a_wrong_secret(start: Start, people: People, tmp_path: Path) -> None:
    lobby = start({"server.roles": ["lobby"], "link.port": 0})
    folder = tmp_path / "relay"
    folder.mkdir()
    (folder / "link.secret").write_text("guessed guessed guessed guessed guessed guessed")
    (folder / "link.secret").chmod(0o600)
    relay = start(
        {
            "server.roles": ["relay"],
            "link.lobby": f"127.0.0.1:{lobby.port('link')}",
            "link.reconnect_max": 0.5,
        },
        folder,
    )
    wait_for(lambda: "secret" in relay.log.lower(), 5.0, "a word about the secret")
    owner = people.player(lobby)
    owner.send("GAME_OPEN", "mine")
    assert owner.next() == ("ERROR", "GAME_OPEN", "RELAY_ERROR")
