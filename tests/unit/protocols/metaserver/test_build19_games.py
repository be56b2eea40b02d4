"""Build 19 games: carried by the host's own machine, which is tested by connecting back to it."""

from __future__ import annotations

from tests.support.lobby import Client, Rig, words
from wlnet.metrics import Limit


def _old(rig: Rig, name: str, address: str = "203.0.113.7") -> Client:
    client = rig.player(name, version=0, build="build-19", address=address)
    client.got()
    return client


def _keep(rig: Rig, seconds: float, *clients: Client) -> None:
    """Let time pass while *clients* answer their PINGs."""
    while seconds > 0:
        step = min(10.0, seconds)
        rig.wait(step)
        seconds -= step
        for client in clients:
            client.say("PONG")


def test_the_game_is_open_once_the_host_could_be_reached() -> None:
    rig = Rig()
    old = _old(rig, "old")
    old.say("GAME_OPEN", "game", "4")
    assert [(address, timeout) for address, timeout, _ in rig.prober.asked] == [("203.0.113.7", 10.0)]
    assert old.games() == {"game": "false"}
    rig.prober.answer(True)
    assert ("GAME_OPEN",) in old.got()
    assert old.games() == {"game": "true"}


def test_a_host_that_cannot_be_reached_is_told_and_stays_listed_as_closed() -> None:
    rig = Rig()
    old = _old(rig, "old")
    old.say("GAME_OPEN", "game", "4")
    rig.prober.answer(False)
    assert ("ERROR", "GAME_OPEN", "GAME_TIMEOUT") in old.got()
    assert old.games() == {"game": "false"}


def test_the_test_is_repeated_every_30_seconds_with_more_time() -> None:
    rig = Rig()
    old = _old(rig, "old")
    old.say("GAME_OPEN", "game", "4")
    rig.prober.answer(False)
    _keep(rig, 29.9, old)
    assert rig.prober.asked == []
    _keep(rig, 0.2, old)
    assert [timeout for _, timeout, _ in rig.prober.asked] == [30.0]
    old.got()
    rig.prober.answer(True)
    assert words(old.got()) == ["GAMES_UPDATE"]
    assert old.games() == {"game": "true"}
    _keep(rig, 30.1, old)
    rig.prober.answer(False)
    assert old.games() == {"game": "false"}


def test_others_are_told_the_hosts_address() -> None:
    rig = Rig()
    host, guest = _old(rig, "host"), _old(rig, "guest", "203.0.113.8")
    host.say("GAME_OPEN", "game", "4")
    assert ("GAME_CONNECT", "203.0.113.7") in guest.say("GAME_CONNECT", "game")
    assert guest.clients5()[1][:3] == ("guest", "build-19", "game")


def test_relay_games_are_not_for_build_19_and_its_games_not_for_others() -> None:
    rig = Rig()
    old, new = _old(rig, "old"), rig.player("new")
    rig.host(new, "relayed")
    old.say("GAME_OPEN", "direct", "4")
    old.got(), new.got()
    assert old.say("GAME_CONNECT", "relayed") == [("ERROR", "GAME_CONNECT", "NO_SUCH_GAME")]
    assert new.say("GAME_CONNECT", "direct") == [("ERROR", "GAME_CONNECT", "NO_SUCH_GAME")]


def test_the_number_of_players_must_be_there() -> None:
    old = _old(Rig(), "old")
    assert old.say("GAME_OPEN", "game") == [("ERROR", "GAME_OPEN", "No more RawData in the packet.")]
    assert old.say("GAME_OPEN", "game", "many") == [("ERROR", "GAME_OPEN", "Invalid integer: 'many'")]


def test_a_name_in_use() -> None:
    rig = Rig()
    rig.host(rig.player("new"), "game")
    assert _old(rig, "old").say("GAME_OPEN", "game", "4") == [("ERROR", "GAME_OPEN", "GAME_EXISTS")]


def test_leaving_the_game_removes_it() -> None:
    rig = Rig()
    old = _old(rig, "old")
    old.say("GAME_OPEN", "game", "4")
    rig.prober.answer(True)
    old.say("GAME_DISCONNECT")
    assert old.games() == {}
    _keep(rig, 60, old)
    assert rig.prober.asked == []


def test_logging_out_removes_it() -> None:
    rig = Rig()
    old, other = _old(rig, "old"), rig.player("other")
    old.say("GAME_OPEN", "game", "4")
    old.say("DISCONNECT", "x")
    assert other.games() == {}
    rig.prober.answer(True)
    assert other.games() == {}


def test_logging_out_removes_it_even_if_the_host_went_to_another_game() -> None:
    rig = Rig()
    old, friend = _old(rig, "old"), _old(rig, "friend", "203.0.113.8")
    old.say("GAME_OPEN", "left alone", "4")
    friend.say("GAME_OPEN", "better", "4")
    for _ in range(2):
        rig.prober.answer(True)
    old.say("GAME_CONNECT", "better")
    old.say("DISCONNECT", "x")
    assert friend.games() == {"better": "true"}


def test_a_lost_host_that_is_forgotten_takes_his_game_with_him() -> None:
    rig = Rig()
    old, other = _old(rig, "old"), rig.player("other")
    old.say("GAME_OPEN", "game", "4")
    rig.prober.answer(True)
    old.cut()
    _keep(rig, 20, other)
    assert other.games() == {"game": "CLOSED"}
    for _ in range(12):
        _keep(rig, 30, other)
        while rig.prober.asked:
            rig.prober.answer(False)
    assert other.games() == {}
    assert rig.prober.asked == []


def test_a_started_game_is_closed_to_newcomers_and_not_tested_any_more() -> None:
    rig = Rig()
    old = _old(rig, "old")
    old.say("GAME_OPEN", "game", "4")
    rig.prober.answer(True)
    old.got()
    assert old.say("GAME_START")[0] == ("GAME_START",)
    assert old.games() == {"game": "false"}
    _keep(rig, 100, old)
    assert rig.prober.asked == []


def test_only_so_many_tests_at_a_time_and_the_others_later() -> None:
    rig = Rig({"max_probes": 2})
    clients = [_old(rig, f"p{n}", f"203.0.113.{n}") for n in range(3)]
    for number, client in enumerate(clients):
        client.say("GAME_OPEN", f"g{number}", "4")
    assert len(rig.prober.asked) == 2
    assert rig.limited(Limit.PROBES) == 1
    for _ in range(2):
        rig.prober.answer(True)
    for client in clients:
        client.say("PONG")
    _keep(rig, 30.1, *clients)
    while rig.prober.asked:
        rig.prober.answer(True)
    assert ("GAME_OPEN",) in clients[2].got()


def test_opening_again_and_again_tests_one_address_once_at_a_time() -> None:
    rig = Rig()
    old = _old(rig, "old")
    for number in range(50):
        old.say("GAME_OPEN", f"game {number}", "4")
    assert len(rig.prober.asked) == 1
    assert sum(len(waiting) for waiting in rig.lobby.direct._under_way.values()) == 1
    old.got()
    rig.prober.answer(True)
    assert words(old.got()).count("GAME_OPEN") == 1
    assert old.games() == {"game 49": "true"}
    assert not rig.lobby.direct._under_way
