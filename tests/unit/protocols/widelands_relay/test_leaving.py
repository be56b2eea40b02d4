from __future__ import annotations

import pytest

from tests.support.relay import PASSWORD, World
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay import wire


@pytest.mark.parametrize("reason", [b"", b"NORMAL", b"anything at all"])
def test_a_client_leaves_with_any_reason(reason: bytes) -> None:
    world = World()
    host, guests = world.table(2)
    guests[0].say(wire.to_host(b"last") + wire.disconnect(reason) + wire.to_host(b"after"))
    assert host.heard() == [("FromClient", 2, b"last"), ("DisconnectClient", 2)]
    assert guests[0].heard() == [("Disconnect", "NORMAL")]
    assert guests[0].ended
    assert guests[1].heard() == []


def test_a_client_that_hangs_up_is_reported() -> None:
    world = World()
    host, guests = world.table(1)
    guests[0].hang_up()
    assert host.heard() == [("DisconnectClient", 2)]
    host.say(wire.to_clients([2], b"nobody"))
    assert host.heard() == []


def test_the_hosts_last_words_come_a_moment_before_the_end() -> None:
    world = World(farewell_delay=1.0)
    host, guests = world.table(2)
    host.session.feed(wire.to_clients([2, 3], b"good-bye"))
    host.hang_up()
    # The lobby hears at once, and the name is free; what clients still say goes nowhere.
    assert world.events == [("hosted", "room"), ("closed", "room")]
    assert world.relay.rooms() == []
    guests[0].say(wire.to_host(b"anybody?"))
    world.advance(0.9)
    assert [guest.heard() for guest in guests] == [[("FromHost", b"good-bye")]] * 2
    guests[1].hang_up()
    world.advance(0.2)
    assert guests[0].heard() == [("Disconnect", "NORMAL")]
    assert guests[0].ended
    assert world.relay.figures.connections_now == 1


def test_a_kicked_client_hears_why_a_moment_before_the_end() -> None:
    world = World(farewell_delay=1.0)
    host, guests = world.table(2)
    host.say(wire.to_clients([2], b"you are kicked") + wire.disconnect_client(2))
    guests[0].say(wire.to_host(b"why?"))
    host.say(wire.to_clients([2, 3], b"go on"))
    world.advance(0.9)
    assert guests[0].heard() == [("FromHost", b"you are kicked")]
    world.advance(0.2)
    assert guests[0].heard() == [("Disconnect", "NORMAL")]
    assert guests[0].ended
    assert guests[1].heard() == [("FromHost", b"go on"), ("Ping", 1)]
    assert ("FromClient", 2, b"why?") not in host.heard()


def test_a_game_the_lobby_ends_ends_at_once() -> None:
    world = World(farewell_delay=1.0)
    host, guests = world.table(1)
    world.relay.close_room("room")
    assert host.heard() == guests[0].heard() == [("Disconnect", "NORMAL")]


@pytest.mark.parametrize("how", ["hang up", "disconnect", "violate"])
def test_the_host_takes_its_game_along(how: str) -> None:
    world = World()
    host, guests = world.table(2)
    host.session.feed(wire.to_clients([2, 3], b"last"))
    if how == "hang up":
        host.hang_up()
    else:
        host.say(wire.disconnect(b"x") if how == "disconnect" else b"\xff")
    for guest in guests:
        assert guest.heard() == [("FromHost", b"last"), ("Disconnect", "NORMAL")]
        assert guest.ended
    assert world.events == [("hosted", "room"), ("closed", "room")]
    assert world.relay.rooms() == []
    newcomer = world.connect()
    newcomer.say(wire.hello(1, b"game", PASSWORD))
    assert newcomer.heard() == [("Disconnect", "GAME_UNKNOWN")]


def test_the_name_of_an_ended_game_is_free_at_once() -> None:
    world = World()
    world.host().hang_up()
    assert world.relay.open_room("next", "game", PASSWORD.decode(), "")
    world.host()


@pytest.mark.parametrize("kicked", [2, 3, 5])
def test_the_host_may_kick_any_client(kicked: int) -> None:
    world = World()
    host, guests = world.table(4)
    host.say(
        wire.to_clients([kicked], b"sorry")
        + wire.disconnect_client(kicked)
        + wire.to_clients([2, 3, 4, 5], b"on")
    )
    for number, guest in enumerate(guests, 2):
        if number == kicked:
            assert guest.heard() == [("FromHost", b"sorry"), ("Disconnect", "NORMAL")]
            assert guest.ended
        else:
            assert guest.heard() == [("FromHost", b"on")]
    assert host.heard() == []
    assert world.events == [("hosted", "room")]


def test_what_a_kicked_client_still_says_does_not_reach_the_host() -> None:
    world = World()
    host, guests = world.table(2)
    host.say(wire.disconnect_client(2))
    guests[0].say(wire.to_host(b"but") + wire.disconnect(b"well then"))
    guests[0].hang_up()
    assert host.heard() == []


@pytest.mark.parametrize("gone", [0, 1, 2, 200, 255])
def test_the_end_of_somebody_already_gone_is_ignored(gone: int) -> None:
    world = World()
    host, guests = world.table(2)
    guests[0].hang_up()
    host.heard()
    host.say(wire.disconnect_client(gone) * 2 + wire.to_clients([3], b"on"))
    assert host.heard() == []
    assert guests[1].heard() == [("FromHost", b"on")]


def test_a_host_that_shuts_down_kicks_everybody_and_closes() -> None:
    world = World()
    host, guests = world.table(3)
    host.say(b"".join(wire.disconnect_client(number) for number in (2, 3, 4)))
    host.hang_up()
    for guest in guests:
        assert guest.heard() == [("Disconnect", "NORMAL")]
    assert world.events[-1] == ("closed", "room")


def test_a_reason_comes_after_all_whole_frames() -> None:
    world = World()
    host, guests = world.table(1)
    guests[0].carrier.capacity = 30
    host.say(wire.to_clients([2], b"x" * 50) + wire.to_clients([2], b"y" * 50) + wire.disconnect_client(2))
    assert not guests[0].ended
    guests[0].read_on()
    assert guests[0].heard() == [("FromHost", b"x" * 50), ("FromHost", b"y" * 50), ("Disconnect", "NORMAL")]
    assert guests[0].carrier.finished


def test_who_does_not_take_the_reason_is_cut_after_the_linger_time() -> None:
    world = World(close_linger=5.0)
    host, guests = world.table(1)
    guests[0].carrier.capacity = 10
    host.say(wire.to_clients([2], b"x" * 50) + wire.disconnect_client(2))
    world.advance(4.9)
    assert guests[0].session in world.relay.peers
    world.advance(0.2)
    assert guests[0].carrier.aborted
    assert world.relay.figures.connections_now == 1
    assert world.budget.held == 0


def test_who_takes_the_reason_but_never_closes_is_cut_after_the_linger_time() -> None:
    world = World(close_linger=5.0)
    host, guests = world.table(1)
    host.say(wire.disconnect_client(2))
    assert guests[0].carrier.finished
    world.advance(5.0)
    assert guests[0].carrier.aborted
    assert len(world.relay.peers) == 1


def test_a_silent_newcomer_is_told_and_closed() -> None:
    world = World(handshake_timeout=10.0)
    quiet, slow = world.connect(), world.connect()
    slow.say(b"\x01\x01ga")
    world.advance(9.9)
    assert quiet.heard() == slow.heard() == []
    world.advance(0.2)
    assert quiet.heard() == slow.heard() == [("Disconnect", "TIMEOUT")]
    assert world.limited(Limit.HANDSHAKE_TIME) == 2


def test_who_said_hello_is_not_measured_by_the_handshake_time() -> None:
    world = World(handshake_timeout=10.0)
    host, guests = world.table(1)
    world.advance(60.0)
    assert not host.ended
    assert not guests[0].ended


def test_a_game_nobody_hosts_is_removed() -> None:
    world = World(host_timeout=60.0)
    world.advance(59.9)
    assert len(world.relay.rooms()) == 1
    world.advance(0.2)
    assert world.relay.rooms() == []
    assert world.events == [("closed", "room")]


def test_that_time_does_not_hit_a_younger_game_of_the_name() -> None:
    world = World(host_timeout=60.0)
    world.advance(40.0)
    world.relay.close_room("room")
    world.relay.open_room("younger", "game", PASSWORD.decode(), "")
    world.advance(30.0)
    assert [room.room_id for room in world.relay.rooms()] == ["younger"]
    world.advance(31.0)
    assert world.events == [("closed", "room"), ("closed", "younger")]


def test_a_hosted_game_may_last() -> None:
    world = World(host_timeout=60.0, ping_timeout=1e6)
    world.host()
    world.advance(1000.0)
    assert len(world.relay.rooms()) == 1


def test_after_the_end_nothing_is_left_of_a_connection() -> None:
    world = World()
    host, guests = world.table(3)
    host.hang_up()
    for guest in guests:
        guest.hang_up()
    assert world.relay.peers == set()
    assert world.relay.figures.connections_now == 0
    world.advance(200.0)
    assert len(world.agenda) == 0
