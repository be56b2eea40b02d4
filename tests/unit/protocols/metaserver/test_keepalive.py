"""Keeping alive: PING, silence, and how long a lost seat is kept."""

from __future__ import annotations

import pytest

from tests.support.lobby import Client, Rig, words
from wlnet.limits.addresses import address_key
from wlnet.lobby import presence
from wlnet.metrics import Limit


def _pings(client: Client) -> int:
    return words(client.got()).count("PING")


def test_ping_every_15_seconds_of_silence() -> None:
    rig = Rig()
    alice = rig.player("alice", announced=False)
    rig.wait(14.9)
    assert _pings(alice) == 0
    rig.wait(0.2)
    assert _pings(alice) == 1


def test_a_busy_player_is_pinged_as_well() -> None:
    """Released clients log in again if they saw no PING for 240 s, whatever else came."""
    rig = Rig()
    alice = rig.player("alice", announced=False)
    pings = 0
    for _ in range(250):
        rig.wait(1)
        alice.session.receive(b"\0\x0aCLIENTS\0")
        pings += _pings(alice)
    assert pings == 16


def test_thirty_seconds_of_silence_after_the_last_packet() -> None:
    rig = Rig()
    alice = rig.player("alice", announced=False)
    rig.wait(20)
    alice.say("PONG")
    rig.wait(29.9)
    assert set(words(alice.got())) == {"PING"}
    rig.wait(0.2)
    assert alice.got() == [("DISCONNECT", "CLIENT_TIMEOUT")]
    assert alice.closed
    assert rig.limited(Limit.SILENCE) == 1


def test_a_pong_has_no_answer() -> None:
    alice = Rig().player("alice")
    assert alice.say("PONG") == []


def test_half_a_packet_is_no_sign_of_life() -> None:
    rig = Rig()
    alice = rig.player("alice", announced=False)
    for second in range(30):
        assert not alice.closed
        alice.raw(b"\x20" if second < 2 else b"x")
        rig.wait(1.01)
    assert alice.closed


def test_a_lost_seat_is_kept_for_five_minutes() -> None:
    rig = Rig()
    rig.player("alice").cut()
    rig.wait(299)
    assert rig.connect().login("alice", nonce="other")[0][1] == "alice1"
    rig.wait(2)
    assert rig.connect().login("alice", nonce="third")[0][1] == "alice"


def test_a_timed_out_seat_is_kept_as_a_lost_one() -> None:
    rig = Rig()
    alice = rig.player("alice")
    rig.wait(31)
    assert alice.closed
    alice.session.connection_lost()
    assert rig.connect().login("alice")[0][1] == "alice"


def test_a_connection_that_failed_is_a_lost_seat_at_once() -> None:
    """Not only when the client closes its end."""
    rig = Rig()
    alice = rig.player("alice")
    alice.say("NONSENSE")
    assert alice.closed
    assert rig.connect().login("alice")[0][1] == "alice"


def test_an_orderly_leave_frees_the_name_at_once() -> None:
    rig = Rig()
    alice = rig.player("alice")
    assert alice.say("DISCONNECT", "CONNECTION_CLOSED") == []
    assert alice.closed
    assert rig.connect().login("alice", nonce="other")[0][1] == "alice"


def test_a_leave_without_reason_is_an_error_and_no_leave() -> None:
    alice = Rig().player("alice")
    assert alice.say("DISCONNECT") == [("ERROR", "DISCONNECT", "No more RawData in the packet.")]
    assert not alice.closed


def test_only_so_many_lost_seats_are_kept() -> None:
    rig = Rig({"max_lost_players": 3})
    for number in range(5):
        rig.player(f"p{number}", announced=False).cut()
    assert [player.name for player in rig.lobby.hall.roster] == ["p2", "p3", "p4"]
    assert rig.limited(Limit.LOST_PLAYERS) == 2


def test_only_so_many_lost_seats_are_kept_for_one_address() -> None:
    rig = Rig(limits={"lost_players_per_address": 2})
    rig.player("other", address="203.0.113.8", announced=False).cut()
    for number in range(4):
        rig.player(f"p{number}", address="203.0.113.7", announced=False).cut()
    assert [player.name for player in rig.lobby.hall.roster] == ["other", "p2", "p3"]
    assert rig.limited(Limit.LOST_PLAYERS) == 2


@pytest.mark.parametrize(
    "rig", [Rig({"max_lost_players": 0}), Rig(limits={"lost_players_per_address": 0})], ids=["all", "address"]
)
def test_no_lost_seats_at_all(rig: Rig) -> None:
    rig.player("alice", address="203.0.113.7").cut()
    assert len(rig.lobby.hall.roster) == 0
    assert rig.lobby.hall.live_players == 0


def test_losing_thousands_of_connections_at_once_takes_no_quadratic_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig({"max_players": 3000, "update_interval": 1000})
    clients = [rig.connect(f"198.18.{n // 250}.{n % 250}") for n in range(3000)]
    for number, client in enumerate(clients):
        client.login(f"p{number}")
    looked_at: list[str] = []

    def counted(address: str) -> str:
        looked_at.append(address)
        return address_key(address)

    monkeypatch.setattr(presence, "address_key", counted)
    for client in clients:
        client.cut()
    assert len(rig.lobby.hall.roster) == rig.settings.max_lost_players
    assert len(looked_at) == len(clients)


def test_nothing_is_left_of_players_who_are_gone() -> None:
    rig = Rig()
    for number in range(50):
        client = rig.player(f"p{number}", announced=number % 2 == 0)
        if number % 3:
            client.say("DISCONNECT", "CONNECTION_CLOSED")
            client.session.connection_lost()
        else:
            client.cut()
    rig.wait(400)
    assert len(rig.lobby.hall.roster) == 0
    assert rig.lobby.hall.live_players == 0
    assert len(rig.agenda) == 0
    kept = rig.lobby.presence
    assert not kept._departing
    assert not kept._lost
    assert not kept._lost_by_address
