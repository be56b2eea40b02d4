from __future__ import annotations

from tests.support.relay import World
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay import wire


def test_the_first_ping_comes_after_welcome_and_then_regularly() -> None:
    world = World(first_ping=1.0, ping_interval=15.0)
    host = world.host()
    world.advance(0.9)
    assert host.heard() == []
    world.advance(0.2)
    assert host.heard() == [("Ping", 1)]
    host.say(wire.pong(1))
    world.advance(14.8)
    assert host.heard() == []
    world.advance(0.2)
    assert host.heard() == [("Ping", 2)]


def test_nobody_is_pinged_before_welcome() -> None:
    world = World(handshake_timeout=100.0)
    end = world.connect()
    world.advance(90.0)
    assert end.heard() == []


def test_the_number_goes_round() -> None:
    world = World(ping_timeout=1e6)
    host = world.host()
    world.advance(1.0 + 15.0 * 257)
    assert [number for _, number in host.heard()] == [*range(1, 256), 0, 1, 2]


def test_who_answers_no_ping_is_out_after_the_time() -> None:
    world = World(first_ping=1.0, ping_interval=15.0, ping_timeout=90.0)
    host, guests = world.table(2)
    for _ in range(6):
        world.advance(15.0)
        host.say(wire.pong(0))
        guests[1].say(wire.pong(0))
        assert guests[0].session.room is not None
    world.advance(0.9)
    assert guests[0].session.room is not None
    world.advance(0.2)
    assert guests[0].heard()[-1] == ("Disconnect", "TIMEOUT")
    assert ("DisconnectClient", 2) in host.heard()
    assert world.limited(Limit.SILENCE) == 1
    assert not guests[1].ended


def test_a_host_that_answers_no_ping_ends_its_game() -> None:
    world = World()
    host, guests = world.table(1)
    for _ in range(10):
        guests[0].say(wire.pong(9))
        world.advance(10.0)
    assert host.heard()[-1] == ("Disconnect", "TIMEOUT")
    assert guests[0].heard()[-1] == ("Disconnect", "NORMAL")


def test_a_late_answer_starts_the_time_anew_at_the_next_ping() -> None:
    world = World(first_ping=1.0, ping_interval=15.0, ping_timeout=90.0)
    host = world.host()
    world.advance(80.0)
    host.say(wire.pong(3))
    world.advance(100.0)
    assert not host.ended
    world.advance(2.0)
    assert host.heard()[-1] == ("Disconnect", "TIMEOUT")


def test_a_wrong_number_is_a_sign_of_life_but_no_measurement() -> None:
    world = World(ping_interval=15.0, ping_timeout=40.0)
    host = world.host()
    for _ in range(20):
        world.advance(10.0)
        host.say(wire.pong(200))
    host.heard()
    host.say(wire.round_trip_time_request())
    assert host.heard() == [("RoundTripTimes", (1, 255, 200))]


def test_the_second_answer_to_one_ping_is_no_measurement() -> None:
    world = World(ping_interval=50.0)
    host = world.host()
    world.advance(1.02)
    host.say(wire.pong(1))
    world.advance(5.0)
    host.say(wire.pong(1))
    host.heard()
    host.say(wire.round_trip_time_request())
    assert host.heard() == [("RoundTripTimes", (1, 20, 5))]


def test_eight_thousand_connections_need_a_handful_of_appointments() -> None:
    world = World(max_games=100)
    for number in range(40):
        name = f"g{number}"
        world.relay.open_room(name, name, "5ec2e7", "")
        world.host(name.encode())
        for _ in range(200):
            world.client(name.encode())
    assert len(world.relay.peers) == 40 * 201
    assert len(world.agenda) <= 6
    world.advance(1.0)
    assert len(world.agenda) <= 6
