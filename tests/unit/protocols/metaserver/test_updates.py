"""CLIENTS_UPDATE and GAMES_UPDATE: who is told of what, when, and how often at most."""

from __future__ import annotations

from collections import Counter

from tests.support.lobby import Client, Rig, words


def _updates(client: Client) -> Counter[str]:
    return Counter(word for word in words(client.got()) if word.endswith("_UPDATE"))


def test_nobody_is_told_at_the_moment_of_login() -> None:
    rig = Rig()
    alice = rig.player("alice")
    bob = rig.connect()
    assert words(bob.login("bob")) == ["LOGIN", "TIME"]
    assert alice.got() == []


def test_a_newcomer_is_announced_to_everybody_after_three_seconds() -> None:
    rig = Rig()
    alice = rig.player("alice")
    bob = rig.connect()
    bob.login("bob")
    rig.wait(2.9)
    assert alice.got() == []
    rig.wait(0.2)
    assert alice.got() == [("CLIENTS_UPDATE",)]
    assert bob.got() == [("CLIENTS_UPDATE",)]


def test_whoever_asks_at_the_update_finds_the_newcomer() -> None:
    """Once the list was asked for and made before the newcomer counted as announced."""
    rig = Rig()
    alice = rig.player("alice")
    seen: list[list[str]] = []
    send = alice.send

    def asks_at_once(packet: bytes) -> None:
        if b"CLIENTS_UPDATE" in packet:
            player = rig.lobby.hall.roster.get("alice")
            assert player is not None
            listed = rig.office.lists.clients(player)[2:].split(b"\0")[2:]
            seen.append([name.decode() for name in listed[::4] if name])
        send(packet)

    alice.send = asks_at_once  # type: ignore[method-assign]
    rig.player("bob")
    assert seen == [["alice", "bob"]]


def test_a_public_chat_line_announces_its_writer_first() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.wait(2)
    bob = rig.player("bob", announced=False)
    bob.say("CHAT", "hi", "")
    assert alice.got() == [("CLIENTS_UPDATE",), ("CHAT", "bob", "hi", "public")]
    rig.wait(10)
    assert _updates(alice)["CLIENTS_UPDATE"] == 0


def test_a_private_line_does_not() -> None:
    rig = Rig()
    alice = rig.player("alice")
    bob = rig.player("bob", announced=False)
    bob.say("CHAT", "hi", "alice")
    assert alice.got() == [("CHAT", "bob", "hi", "private")]


def test_a_leave_is_told_after_three_seconds() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    alice.got()
    bob.say("DISCONNECT", "CONNECTION_CLOSED")
    rig.wait(2.9)
    assert alice.got() == []
    rig.wait(0.2)
    assert alice.got() == [("CLIENTS_UPDATE",)]


def test_back_within_three_seconds_nobody_is_told_anything() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    alice.got()
    bob.say("DISCONNECT", "CONNECTION_CLOSED")
    rig.wait(2)
    back = rig.connect()
    back.login("bob")
    rig.wait(9)
    assert _updates(alice) == Counter()
    assert [entry[0] for entry in alice.clients()] == ["alice", "bob"]


def test_a_lost_connection_is_told_too() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    alice.got()
    bob.cut()
    assert [entry[0] for entry in alice.clients()] == ["alice"]
    rig.wait(3.1)
    assert alice.got() == [("CLIENTS_UPDATE",)]


def test_a_short_loss_is_not_told() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    alice.got()
    bob.cut()
    rig.wait(1)
    rig.connect().login("bob")
    rig.wait(9)
    assert _updates(alice) == Counter()


def test_back_after_a_longer_loss_is_announced_again() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    bob.cut()
    rig.wait(5)
    alice.got()
    rig.connect().login("bob")
    assert [entry[0] for entry in alice.clients()] == ["alice"]
    rig.wait(3.1)
    assert alice.got() == [("CLIENTS_UPDATE",)]
    assert [entry[0] for entry in alice.clients()] == ["alice", "bob"]


def test_whoever_takes_a_forgotten_name_is_announced() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.player("bob").cut()
    while rig.lobby.hall.roster.get("bob") is not None:
        rig.wait(1)
        alice.say("PONG")
    other = rig.connect()
    other.login("bob", nonce="somebody else")
    alice.got()
    rig.wait(3.1)
    assert _updates(alice)["CLIENTS_UPDATE"] == 1
    assert [entry[0] for entry in alice.clients()] == ["alice", "bob"]


def test_whoever_takes_the_name_of_a_kicked_lost_player_is_announced() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.player("bob", address="203.0.113.9").cut()
    rig.wait(5)
    rig.lobby.discipline.remove("bob", "op", "", 60, "KICKED")
    other = rig.connect()
    other.login("bob", nonce="somebody else")
    alice.got()
    rig.wait(3.1)
    assert _updates(alice)["CLIENTS_UPDATE"] == 1


def test_forgetting_somebody_off_the_list_is_no_news() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.player("bob").cut()
    rig.wait(4)
    alice.got()
    for _ in range(320):
        rig.wait(1)
        alice.say("PONG")
    assert _updates(alice) == Counter()


def test_never_announced_never_told() -> None:
    rig = Rig()
    alice = rig.player("alice")
    bob = rig.player("bob", announced=False)
    bob.say("DISCONNECT", "CONNECTION_CLOSED")
    rig.player("carl", announced=False).cut()
    rig.wait(9)
    assert _updates(alice) == Counter()


def test_many_joins_cost_each_player_few_packets() -> None:
    """Told one by one, 100 logins were 10000 updates, each answered by a list of 100."""
    rig = Rig()
    clients = []
    for number in range(100):
        client = rig.connect()
        client.login(f"p{number}")
        clients.append(client)
        rig.wait(0.01)
    rig.wait(6)
    per_client = [_updates(client)["CLIENTS_UPDATE"] for client in clients]
    assert max(per_client) <= 4
    assert sum(per_client) <= 4 * len(clients)
    assert len(clients[0].clients()) == 100


def test_the_last_change_of_a_burst_is_told_too() -> None:
    rig = Rig()
    alice = rig.player("alice")
    for name in ("bob", "carl"):
        rig.player(name, announced=False)
        rig.wait(0.5)
    rig.wait(2.1)
    assert _updates(alice)["CLIENTS_UPDATE"] == 1
    assert [entry[0] for entry in alice.clients()] == ["alice", "bob"]
    rig.wait(1)
    assert _updates(alice)["CLIENTS_UPDATE"] == 1
    assert [entry[0] for entry in alice.clients()] == ["alice", "bob", "carl"]


def test_many_game_changes_cost_each_player_few_packets() -> None:
    rig = Rig()
    hosts = [rig.player(f"p{number}", announced=False) for number in range(30)]
    rig.wait(6)
    for number, host in enumerate(hosts):
        rig.host(host, f"g{number}")
    watcher = hosts[0]
    watcher.got()
    rig.wait(5)
    seen = _updates(watcher)
    assert seen["GAMES_UPDATE"] <= 2
    assert seen["CLIENTS_UPDATE"] <= 2


def test_the_host_sees_his_own_changes_at_once_and_in_order_even_in_a_busy_lobby() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.wait(5)
    rig.host(bob, "first")
    assert words(alice.got())[-2:] == ["GAMES_UPDATE", "CLIENTS_UPDATE"]
    assert words(alice.say("GAME_OPEN", "second")) == ["GAMES_UPDATE", "GAME_OPEN", "CLIENTS_UPDATE"]


def test_leaving_a_game_is_told() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    bob.say("GAME_CONNECT", "game")
    rig.wait(5)
    alice.got()
    assert words(bob.say("GAME_DISCONNECT"))[-1:] == ["CLIENTS_UPDATE"]
    assert words(alice.got()) == ["CLIENTS_UPDATE"]
    assert bob.say("GAME_DISCONNECT") == []


def test_starting_again_and_again_is_no_news() -> None:
    rig = Rig()
    alice, bob = rig.player("alice"), rig.player("bob")
    rig.host(alice, "game")
    alice.say("GAME_START")
    rig.wait(5)
    bob.got()
    for _ in range(10):
        assert alice.say("GAME_START")[-1] == ("GAME_START",)
        rig.wait(2)
    assert _updates(bob) == Counter()
