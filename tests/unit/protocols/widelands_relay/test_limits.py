from __future__ import annotations

import pytest

from tests.support.relay import PASSWORD, World
from wlnet.config import schema
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay import wire

LIMIT = 64 * 1024


def test_a_hello_may_be_as_long_as_allowed_and_no_longer() -> None:
    world = World(schema.Limits(relay_hello=100))
    longest = wire.hello(1, b"g" * 50, b"p" * 46)
    assert len(longest) == 100
    end = world.connect()
    end.say(longest)
    assert end.heard() == [("Disconnect", "GAME_UNKNOWN")]
    end = world.connect()
    end.say(wire.hello(1, b"g" * 50, b"p" * 47))
    assert end.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert world.limited(Limit.STRING_SIZE) == 1


def test_a_hello_without_end_is_cut() -> None:
    world = World(schema.Limits(relay_hello=100))
    end = world.connect()
    end.say(b"\x01\x01")
    for _ in range(97):
        end.say(b"g")
    assert not end.ended
    end.say(b"g")
    assert end.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert world.limited(Limit.STRING_SIZE) == 1


def test_a_repeated_password_without_end_is_cut() -> None:
    world = World(schema.Limits(relay_hello=100))
    host = world.host()
    for _ in range(101):
        host.say(b"p")
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert world.limited(Limit.STRING_SIZE) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_a_reason_without_end_is_cut(at_once: bool) -> None:
    world = World(schema.Limits(relay_hello=100))
    host = world.host()
    if at_once:
        host.say(b"\x03" + b"r" * 200)
    else:
        host.say(b"\x03")
        for _ in range(101):
            host.say(b"r")
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert world.limited(Limit.STRING_SIZE) == 1


def test_only_so_many_games_are_opened() -> None:
    world = World(max_games=2)
    assert world.relay.open_room("second", "other", "x", "")
    assert not world.relay.open_room("third", "third", "x", "")
    assert world.limited(Limit.GAMES) == 1
    world.relay.close_room("second")
    assert world.relay.open_room("third", "third", "x", "")


def test_a_slow_client_is_dropped_alone_with_its_reason() -> None:
    world = World(queue_limit=LIMIT)
    host, guests = world.table(3)
    guests[0].carrier.capacity = 1500
    sent = 0
    while guests[0].session.room is not None:
        host.say(wire.to_clients([2, 3, 4], b"x" * 997))
        sent += 1
        assert sent < 1000
    assert world.budget.held < LIMIT
    assert host.heard() == [("DisconnectClient", 2)]
    assert world.limited(Limit.QUEUE) == 1
    assert world.relay.figures.dropped_slow == 1
    for guest in guests[1:]:
        assert guest.heard() == [("FromHost", b"x" * 997)] * sent
    guests[0].read_on()
    # One frame was whole and one begun: both arrive, what was behind them does not, the reason does.
    assert guests[0].heard() == [("FromHost", b"x" * 997)] * 2 + [("Disconnect", "TIMEOUT")]
    assert guests[0].carrier.finished
    assert world.budget.held == 0


def test_a_client_that_takes_nothing_at_all_costs_no_more_than_its_queue() -> None:
    world = World(queue_limit=LIMIT, close_linger=5.0)
    host, guests = world.table(2)
    guests[0].carrier.capacity = 0
    for _ in range(300):
        host.say(wire.to_clients([2, 3], b"x" * 997))
        assert world.budget.held <= LIMIT + 1000
    assert len(guests[1].heard()) == 300
    world.advance(5.0)
    assert guests[0].carrier.aborted
    assert world.budget.held == 0


def test_a_slow_host_ends_its_own_game_only() -> None:
    world = World(queue_limit=LIMIT)
    world.relay.open_room("second", "other", PASSWORD.decode(), "")
    host, guests = world.table(2)
    other_host, other_guest = world.host(b"other"), world.client(b"other")
    host.carrier.capacity = 0
    for _ in range(100):
        guests[0].say(wire.to_host(b"x" * 997))
    assert guests[0].heard() == guests[1].heard() == [("Disconnect", "NORMAL")]
    assert world.events[-1] == ("closed", "room")
    other_guest.say(wire.to_host(b"on"))
    assert other_host.heard() == [("ConnectClient", 2), ("FromClient", 2, b"on")]
    host.read_on()
    assert host.heard() == [("Disconnect", "TIMEOUT")]


def test_a_client_that_catches_up_is_not_dropped() -> None:
    world = World(queue_limit=LIMIT)
    host, guests = world.table(1)
    for _ in range(20):
        guests[0].carrier.capacity = 100
        for _ in range(50):
            host.say(wire.to_clients([2], b"x" * 997))
        assert world.budget.held > 40_000
        guests[0].read_on()
        assert world.budget.held == 0
    assert guests[0].heard() == [("FromHost", b"x" * 997)] * 1000


def test_one_read_listing_one_client_very_often_costs_that_client_only() -> None:
    world = World(queue_limit=LIMIT)
    host, guests = world.table(2)
    guests[0].carrier.capacity = 100_000
    host.say(wire.to_clients([2] * 255, b"x" * 60_000) + wire.to_clients([3], b"on"))
    assert guests[0].session.closing
    assert guests[1].heard() == [("FromHost", b"on")]
    assert world.budget.held < 130_000


def test_beyond_the_budget_of_all_queues_the_fullest_is_dropped() -> None:
    world = World(schema.Limits(total_queues=100_000), queue_limit=LIMIT)
    host, guests = world.table(3)
    for guest in guests:
        guest.carrier.capacity = 0
    host.say(wire.to_clients([3], b"x" * 50_000))
    host.say(wire.to_clients([2], b"x" * 30_000))
    assert host.heard() == []
    host.say(wire.to_clients([4], b"x" * 25_000))
    assert host.heard() == [("DisconnectClient", 3)]
    assert world.limited(Limit.TOTAL_QUEUES) == 1
    assert world.budget.held < 60_000
    assert not guests[0].ended
    assert not guests[2].ended


def test_a_dead_connection_found_when_sending_is_a_leave() -> None:
    world = World()
    host, guests = world.table(2)
    guests[0].carrier.dead = True
    host.say(wire.to_clients([2, 3], b"x"))
    assert host.heard() == [("DisconnectClient", 2)]
    assert guests[0].carrier.aborted
    assert guests[1].heard() == [("FromHost", b"x")]


def test_a_banned_address_is_told_so_and_closed() -> None:
    world = World()
    end = world.connect(banned="spam")
    assert end.heard() == [("Disconnect", "BANNED")]
    assert end.ended
    assert world.limited(Limit.BANNED) == 1


def test_a_peer_whose_bytes_make_much_work_is_read_in_shorter_turns() -> None:
    world = World()
    host, guests = world.table(100)
    usual = host.session.read_size
    guests[0].say(wire.to_host(b"x" * 200) * 300)
    host.say(wire.to_clients(range(2, 102), b"x" * 200) * 200)
    assert guests[0].session.read_size == host.session.read_size == usual
    guests[0].say(wire.to_host(b"") * 5000)
    lists = [wire.to_clients(ids, b"") for ids in (range(2, 102), range(101, 1, -1))]
    host.say(b"".join(lists) * 50)
    assert guests[0].session.read_size == host.session.read_size == usual // 8
    guests[0].say(wire.to_host(b"") * 2000)
    assert guests[0].session.read_size == usual // 8
    guests[0].say(wire.to_host(b"x" * 200) * 30)
    assert guests[0].session.read_size == usual


def test_figures_count_packets_bytes_and_connections() -> None:
    world = World()
    host, guests = world.table(3)
    before = world.relay.figures.as_dict()
    guests[0].say(wire.to_host(b"a"))
    guests[0].say(wire.to_host(b"a") * 4)
    host.say(wire.to_clients([2, 3], b"b"))
    host.say(wire.to_clients([2, 3, 4], b"b") * 2)
    after = world.relay.figures.as_dict()
    assert after["frames_in"] - before["frames_in"] == 8
    assert after["frames_out"] - before["frames_out"] == 5 + 2 + 6
    assert after["bytes_out"] - before["bytes_out"] == 5 * 5 + 8 * 4
    assert (after["connections_now"], after["connections_total"], after["joins_total"]) == (4, 4, 3)
