"""CLIENTS and GAMES: who and what is in them, and what a packet and a client can hold."""

from __future__ import annotations

import pytest

from tests.support.lobby import Rig, words
from wlnet.lobby.ports import Permission
from wlnet.protocols.metaserver.lists import ListWriter
from wlnet.protocols.metaserver.wire import MAX_PACKET


def _size(raw: bytes) -> int:
    return int.from_bytes(raw[:2], "big")


def test_clients_lists_name_build_game_and_permission_in_order_of_login() -> None:
    rig = Rig()
    rig.accounts.add("otto", "secret", Permission.SUPERUSER)
    alice = rig.player("alice", build="1.2.1")
    otto = rig.connect()
    otto.login_account("otto", "secret")
    rig.host(otto, "my game")
    rig.wait(3.1)
    assert alice.clients() == [
        ("alice", "1.2.1", "", "UNREGISTERED"),
        ("otto", "1.1", "my game", "SUPERUSER"),
    ]


def test_build_19_gets_a_fifth_empty_field() -> None:
    rig = Rig()
    rig.player("alice")
    old = rig.player("old", version=0, build="build-19")
    assert old.clients5() == [
        ("alice", "1.1", "", "UNREGISTERED", ""),
        ("old", "build-19", "", "UNREGISTERED", ""),
    ]


def test_a_newcomer_is_not_listed_for_others_but_for_himself() -> None:
    rig = Rig()
    alice = rig.player("alice")
    bob = rig.player("bob", announced=False)
    assert [entry[0] for entry in alice.clients()] == ["alice"]
    assert [entry[0] for entry in bob.clients()] == ["alice", "bob"]


def test_two_unannounced_do_not_see_each_other() -> None:
    rig = Rig()
    alice, bob = rig.player("alice", announced=False), rig.player("bob", announced=False)
    assert [entry[0] for entry in alice.clients()] == ["alice"]
    assert [entry[0] for entry in bob.clients()] == ["bob"]


def test_a_lost_player_is_not_listed() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    assert len(alice.clients()) == 2
    bob.cut()
    assert [entry[0] for entry in alice.clients()] == ["alice"]


def test_irc_users_are_hidden_from_build_19() -> None:
    rig = Rig()
    alice, old = rig.player("alice"), rig.player("old", version=0, build="build-19")
    irc = rig.player("nick", build="IRC")
    player = rig.lobby.hall.roster.get("nick")
    assert player is not None
    player.permission = Permission.IRC
    rig.lobby.hall.player_news.changed_quietly()
    assert ("nick", "IRC", "", "IRC") in alice.clients()
    assert [entry[0] for entry in old.clients5()] == ["alice", "old"]
    assert not irc.closed


def test_at_most_255_entries_and_oneself_among_them() -> None:
    """Released clients take the count modulo 256."""
    rig = Rig({"update_interval": 1000})
    clients = [rig.player(f"p{number}", announced=False) for number in range(300)]
    rig.wait(3.1)
    first, last = clients[0].clients(), clients[-1].clients()
    assert len(first) == len(last) == 255
    assert "p0" in [entry[0] for entry in first]
    assert "p299" in [entry[0] for entry in last]
    assert len({entry[0] for entry in last}) == 255


def test_lists_fit_into_a_packet() -> None:
    rig = Rig(
        {"update_interval": 1000},
        {"name_length": 255, "build_length": 255, "game_name_length": 255},
    )
    clients = []
    for number in range(130):
        client = rig.connect()
        client.login(f"{number:0>255}", nonce=str(number), build=f"{number:0>255}")
        clients.append(client)
        rig.host(client, f"{number:0>255}")
    rig.wait(3.1)
    for client in (clients[0], clients[-1]):
        client.got()
        client.session.receive(b"\0\x0aCLIENTS\0")
        assert _size(client._raw) == len(client._raw) <= MAX_PACKET
        entries = client.clients()
        assert 0 < len(entries) < 130
        assert any(entry[0] == client.session.name for entry in entries)
        client.session.receive(b"\0\x08GAMES\0")
        assert _size(client._raw) == len(client._raw) <= MAX_PACKET
        assert len(client.games()) > 100


def test_at_most_255_games_those_one_can_join_first() -> None:
    rig = Rig({"update_interval": 1000})
    hosts = [rig.player(f"p{number}", announced=False) for number in range(260)]
    for number, host in enumerate(hosts):
        rig.host(host, f"g{number}")
        if number < 10:
            host.say("GAME_START")
    games = hosts[0].games()
    assert len(games) == 255
    assert list(games.values()).count("SETUP") == 250


def test_states_by_how_far_the_game_is() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    alice.say("GAME_OPEN", "game")
    assert bob.games() == {"game": "CLOSED"}
    rig.lobby.hosting.room_hosted(rig.relay.room_of("game"))
    assert bob.games() == {"game": "SETUP"}
    alice.say("GAME_START")
    assert bob.games() == {"game": "RUNNING"}
    rig.relay.end(rig.relay.room_of("game"))
    assert bob.games() == {}


@pytest.mark.parametrize(
    ("host", "guest", "state"),
    [
        ("1.1", "1.1", "SETUP"),
        ("1.1", "1.2.1", "CLOSED"),
        ("build-20", "build-21", "CLOSED"),
        ("build-21", "1.0", "CLOSED"),
        ("1.3~git1234", "1.3~git1235", "SETUP"),
        ("1.3~git1234", "1.3", "CLOSED"),
        ("build-21", "21.0~git1", "CLOSED"),
    ],
)
def test_a_game_of_another_build_is_closed_unless_both_are_development_versions(
    host: str, guest: str, state: str
) -> None:
    rig = Rig()
    rig.host(rig.player("host", build=host), "game")
    guest_client = rig.player("guest", build=guest)
    assert guest_client.games() == {"game": state}


def test_build_19_sees_only_its_own_games_as_open() -> None:
    rig = Rig()
    new = rig.player("new")
    rig.host(new, "relayed")
    old = rig.player("old", version=0, build="build-19")
    old.say("GAME_OPEN", "direct", "4")
    assert old.games() == {"relayed": "false", "direct": "false"}
    rig.prober.answer(True)
    assert old.games() == {"relayed": "false", "direct": "true"}
    other = rig.player("other", version=0, build="build-18")
    assert other.games() == {"relayed": "false", "direct": "false"}
    assert new.games() == {"relayed": "SETUP", "direct": "CLOSED"}


def test_the_build_of_the_host_is_listed() -> None:
    rig = Rig()
    rig.host(rig.player("alice", build="1.2.1"), "game")
    bob = rig.player("bob")
    assert bob.say("GAMES") == [("GAMES", "1", "game", "1.2.1", "CLOSED")]


def test_empty_lists() -> None:
    alice = Rig().player("alice")
    assert alice.say("GAMES") == [("GAMES", "0")]
    assert words(alice.say("CLIENTS")) == ["CLIENTS"]


def test_unchanged_lists_are_not_made_again() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    player_a, player_b = rig.lobby.hall.roster.get("alice"), rig.lobby.hall.roster.get("bob")
    assert player_a is not None
    assert player_b is not None
    lists: ListWriter = rig.office.lists
    assert lists.clients(player_a) is lists.clients(player_b)
    assert lists.games(player_a) is lists.games(player_b)
    before = lists.clients(player_a)
    bob.say("GAME_OPEN", "game")
    assert lists.clients(player_a) is not before
    assert not alice.closed


def test_views_for_ever_new_builds_are_not_kept() -> None:
    rig = Rig()
    for number in range(300):
        client = rig.connect()
        client.login(f"p{number}", build=f"0.{number}~x")
        client.games()
    assert len(rig.office.lists._games) <= 64
