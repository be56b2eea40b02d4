from __future__ import annotations

import pytest

from tests.support.relay import World
from wlnet.config import schema
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay import wire


def test_a_packet_goes_to_each_listed_client_in_the_order_of_the_list() -> None:
    world = World()
    host, guests = world.table(3)
    world.sends.clear()
    host.say(wire.to_clients([4, 2], b"x"))
    assert world.sends == [guests[2].carrier, guests[0].carrier]


def test_who_is_listed_twice_gets_it_twice() -> None:
    world = World()
    host, guests = world.table(2)
    host.say(wire.to_clients([2, 3, 2], b"a"))
    assert guests[0].heard() == [("FromHost", b"a")] * 2
    assert guests[1].heard() == [("FromHost", b"a")]


def test_who_is_listed_twice_gets_several_packets_in_order() -> None:
    world = World()
    host, guests = world.table(1)
    host.say(wire.to_clients([2, 2], b"a") + wire.to_clients([2, 2], b"b"))
    assert guests[0].heard() == [
        ("FromHost", b"a"),
        ("FromHost", b"a"),
        ("FromHost", b"b"),
        ("FromHost", b"b"),
    ]


def test_unknown_ids_and_the_host_itself_are_skipped() -> None:
    world = World()
    host, guests = world.table(1)
    host.say(wire.to_clients([1, 77, 2, 255], b"x"))
    assert guests[0].heard() == [("FromHost", b"x")]
    assert host.heard() == []


def test_an_empty_list_and_an_empty_payload_are_fine() -> None:
    world = World()
    host, guests = world.table(1)
    host.say(wire.to_clients([], b"lost"))
    host.say(wire.to_clients([], b"") * 3 + wire.to_clients([2], b""))
    guests[0].say(wire.to_host(b""))
    assert guests[0].heard() == [("FromHost", b"")]
    assert host.heard() == [("FromClient", 2, b"")]


def test_a_list_may_have_255_ids_and_no_more() -> None:
    world = World()
    host, guests = world.table(1)
    host.say(wire.to_clients([9] * 254 + [2], b"x"))
    assert guests[0].heard() == [("FromHost", b"x")]
    host.say(b"\x0d" + bytes([9] * 256))
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]


def test_the_largest_packet_passes_both_ways() -> None:
    world = World()
    host, guests = world.table(1)
    load = bytes(range(256)) * 255 + bytes(253)
    assert len(load) == 65533
    guests[0].say(wire.to_host(load))
    host.say(wire.to_clients([2], load))
    assert host.heard() == [("FromClient", 2, load)]
    assert guests[0].heard() == [("FromHost", load)]


def test_clients_reach_their_host_only() -> None:
    world = World()
    host, guests = world.table(2)
    guests[0].say(wire.to_host(b"x"))
    assert host.heard() == [("FromClient", 2, b"x")]
    assert guests[1].heard() == []


def test_many_packets_of_one_read_keep_their_order() -> None:
    world = World()
    host, guests = world.table(2)
    host.say(b"".join(wire.to_clients([2, 3] if n % 3 else [3], b"%d" % n) for n in range(40)))
    assert guests[1].heard() == [("FromHost", b"%d" % n) for n in range(40)]
    assert guests[0].heard() == [("FromHost", b"%d" % n) for n in range(40) if n % 3]
    guests[0].say(b"".join(wire.to_host(b"%d" % n) for n in range(40)))
    assert host.heard() == [("FromClient", 2, b"%d" % n) for n in range(40)]


@pytest.mark.parametrize("length", [0, 1])
def test_a_packet_shorter_than_its_own_length_is_a_violation(length: int) -> None:
    world = World()
    host, guests = world.table(2)
    guests[0].say(wire.to_host(b"kept") + b"\x15\x00" + bytes((length,)))
    assert guests[0].heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert host.heard() == [("FromClient", 2, b"kept"), ("DisconnectClient", 2)]
    host.say(wire.to_clients([3], b"kept") + b"\x0d\x03\0\x00" + bytes((length,)))
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert guests[1].heard() == [("FromHost", b"kept"), ("Disconnect", "NORMAL")]
    assert world.events[-1] == ("closed", "room")


@pytest.mark.parametrize("command", [
    wire.hello(1, b"game", b"x"), wire.welcome(1, b"game"), wire.ping(1), wire.connect_client(3),
    wire.disconnect_client(3), wire.to_clients([3], b"x"), wire.from_client(2, b"x"), wire.from_host(b"x"),
    b"\0", b"\x08", b"\x0a", b"\x17", b"\xff",
])  # fmt: skip
def test_what_a_client_may_not_say_ends_it_alone(command: bytes) -> None:
    world = World()
    host, guests = world.table(2)
    guests[0].say(wire.pong(1))
    guests[0].say(command)
    assert guests[0].heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert host.heard() == [("DisconnectClient", 2)]
    assert guests[1].heard() == []
    guests[1].say(wire.to_host(b"on"))
    assert host.heard() == [("FromClient", 3, b"on")]


@pytest.mark.parametrize("command", [
    wire.hello(1, b"game", b"x"), wire.welcome(1, b"game"), wire.ping(1), wire.connect_client(3),
    wire.to_host(b"x"), wire.from_client(2, b"x"), wire.from_host(b"x"), b"\0", b"\x0f", b"\xff",
])  # fmt: skip
def test_what_a_host_may_not_say_ends_its_game(command: bytes) -> None:
    world = World()
    host, guests = world.table(1)
    host.say(wire.pong(1))
    host.say(command)
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert guests[0].heard() == [("Disconnect", "NORMAL")]
    assert world.events == [("hosted", "room"), ("closed", "room")]


def test_round_trip_times_list_the_host_first_and_then_the_clients_as_they_joined() -> None:
    world = World(ping_interval=50.0)
    host, guests = world.table(3)
    guests[0].hang_up()
    world.advance(1.0)
    world.advance(0.040)
    guests[2].say(wire.pong(1))
    host.heard()
    world.advance(7.0)
    guests[1].heard()
    guests[1].say(wire.round_trip_time_request())
    assert guests[1].heard() == [("RoundTripTimes", (1, 255, 8), (3, 255, 8), (4, 40, 7))]


def test_round_trip_times_are_capped() -> None:
    world = World(ping_interval=100.0, ping_timeout=1000.0)
    host = world.host()
    world.advance(1.4)
    host.say(wire.pong(1))
    world.advance(300.0)
    host.heard()
    host.say(wire.round_trip_time_request())
    assert host.heard() == [("RoundTripTimes", (1, 255, 255))]


def test_more_commands_that_are_no_packets_than_allowed_between_two_pings_end_the_connection() -> None:
    world = World(schema.Limits(relay_commands=500), ping_interval=15.0)
    host, guests = world.table(1)
    guests[0].say(wire.pong(9) * 500 + wire.to_host(b"x") * 1000)
    assert not guests[0].ended
    world.advance(1.0)
    guests[0].say(wire.pong(9) * 500)
    assert not guests[0].ended
    guests[0].say(wire.pong(9))
    assert guests[0].heard()[-1] == ("Disconnect", "PROTOCOL_VIOLATION")
    assert world.limited(Limit.COMMAND_RATE) == 1
    assert host.heard()[-1] == ("DisconnectClient", 2)


def test_more_questions_for_round_trip_times_than_allowed_get_no_answer() -> None:
    world = World()
    host = world.host()
    host.say(wire.round_trip_time_request() * 1000)
    assert len(host.heard()) == world.limits.relay_round_trip_burst
    world.advance(1.0 / world.limits.relay_round_trip_rate)
    host.heard()
    host.say(wire.round_trip_time_request())
    assert len(host.heard()) == 1
    assert world.limited(Limit.COMMAND_RATE) == 1000 - world.limits.relay_round_trip_burst
