from __future__ import annotations

import pytest

from tests.support.relay import PASSWORD, World
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay import wire


def test_the_first_with_the_password_is_the_host_and_the_next_are_clients() -> None:
    world = World()
    host = world.connect()
    host.say(wire.hello(1, b"game", PASSWORD))
    assert host.heard() == [("Welcome", 1, "game")]
    client = world.connect()
    client.say(wire.hello(1, b"game", b"client"))
    assert client.heard() == [("Welcome", 1, "game")]
    assert host.heard() == [("ConnectClient", 2)]


def test_the_password_of_a_hosted_game_makes_an_ordinary_client() -> None:
    world = World()
    host = world.host()
    second = world.connect()
    second.say(wire.hello(1, b"game", PASSWORD))
    assert second.heard() == [("Welcome", 1, "game")]
    assert host.heard() == [("ConnectClient", 2)]


def test_the_observer_hears_of_the_host_before_the_host_hears_welcome() -> None:
    world = World()
    heard_by_then: list[object] = []
    host = world.connect()

    class Watching:
        def room_hosted(self, room_id: str) -> None:
            heard_by_then.append((room_id, host.heard(), list(host.session.out)))

        def room_closed(self, room_id: str) -> None:
            raise AssertionError(room_id)

    world.relay.observer = Watching()
    host.say(wire.hello(1, b"game", PASSWORD))
    assert heard_by_then == [("room", [], [])]
    assert host.heard() == [("Welcome", 1, "game")]


def test_an_observer_may_close_the_room_at_that_moment() -> None:
    world = World()
    host = world.connect()

    class Refusing:
        closed = 0

        def room_hosted(self, room_id: str) -> None:
            world.relay.close_room(room_id)

        def room_closed(self, room_id: str) -> None:
            self.closed += 1

    world.relay.observer = refusing = Refusing()
    host.say(wire.hello(1, b"game", PASSWORD) + wire.to_clients([2], b"x"))
    assert host.heard() == [("Disconnect", "NORMAL")]
    assert host.ended
    assert refusing.closed == 1


@pytest.mark.parametrize("first", [0, 2, 3, 5, 6, 12, 13, 21, 22, 48, 255])
def test_whoever_does_not_begin_with_hello_is_out(first: int) -> None:
    world = World()
    end = world.connect()
    end.say(bytes((first,)) + b"\x01game\0pw\0")
    assert end.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]
    assert end.ended
    assert world.limited(Limit.MALFORMED) == 1


@pytest.mark.parametrize("version", [0, 3, 255])
def test_an_unknown_version_is_refused(version: int) -> None:
    world = World()
    end = world.connect()
    end.say(wire.hello(version, b"game", PASSWORD))
    assert end.heard() == [("Disconnect", "WRONG_VERSION")]
    assert end.ended


def test_an_unknown_game_is_refused() -> None:
    end = World().connect()
    end.say(wire.hello(1, b"nothing", PASSWORD))
    assert end.heard() == [("Disconnect", "GAME_UNKNOWN")]
    assert end.ended


def test_a_client_before_the_host_is_refused_and_the_host_still_gets_in() -> None:
    world = World()
    end = world.connect()
    end.say(wire.hello(1, b"game", b"client"))
    assert end.heard() == [("Disconnect", "NO_HOST")]
    world.host()


@pytest.mark.parametrize(("host_version", "client_version"), [(1, 2), (2, 1)])
def test_a_client_must_speak_the_version_of_its_host(host_version: int, client_version: int) -> None:
    world = World()
    world.host(version=host_version)
    end = world.connect()
    end.say(wire.hello(client_version, b"game", b"client"))
    assert end.heard() == [("Disconnect", "WRONG_VERSION")]


def test_version_two_plays_among_itself() -> None:
    world = World()
    host = world.host(version=2)
    client = world.client(version=2)
    client.say(wire.to_host(b"hi"))
    assert host.heard() == [("ConnectClient", 2), ("FromClient", 2, b"hi")]


def test_a_full_game_refuses_normally() -> None:
    world = World(max_clients_per_game=2)
    host, _ = world.table(2)
    end = world.connect()
    end.say(wire.hello(1, b"game", b"client"))
    assert end.heard() == [("Disconnect", "NORMAL")]
    assert host.heard() == []
    assert world.limited(Limit.CLIENTS_PER_GAME) == 1


def test_all_248_ids_serve_and_the_249th_client_is_refused() -> None:
    world = World()
    world.table(248)
    end = world.connect()
    end.say(wire.hello(1, b"game", b"client"))
    assert end.heard() == [("Disconnect", "NORMAL")]


def test_more_than_248_joins_in_total_work_once_the_host_has_confirmed_the_leavers() -> None:
    world = World()
    host, guests = world.table(248)
    guests[10].hang_up()
    assert host.heard() == [("DisconnectClient", 12)]
    end = world.connect()
    end.say(wire.hello(1, b"game", b"client"))
    assert end.heard() == [("Disconnect", "NORMAL")]
    host.say(wire.disconnect_client(12))
    world.client()
    assert host.heard() == [("ConnectClient", 12)]


def test_without_confirmation_an_id_serves_again_after_the_quarantine() -> None:
    world = World(id_quarantine=20.0, ping_timeout=1000.0)
    host, guests = world.table(248)
    guests[10].hang_up()
    host.heard()
    world.advance(19.9)
    end = world.connect()
    end.say(wire.hello(1, b"game", b"client"))
    assert end.heard() == [("Disconnect", "NORMAL")]
    world.advance(0.2)
    world.client()
    assert ("ConnectClient", 12) in host.heard()


def test_an_id_is_not_used_again_while_others_never_were() -> None:
    world = World()
    host = world.host()
    for expected in range(2, 60):
        client = world.client()
        client.say(wire.disconnect(b"bye"))
        assert host.heard() == [("ConnectClient", expected), ("DisconnectClient", expected)]
        host.say(wire.disconnect_client(expected))


@pytest.mark.parametrize("doubled", [False, True])
def test_a_version_one_host_may_give_its_password_once_or_twice(doubled: bool) -> None:
    world = World()
    host = world.connect()
    host.say(wire.hello(1, b"game", PASSWORD, doubled=doubled) + wire.round_trip_time_request())
    assert [frame[0] for frame in host.heard()] == ["Welcome", "RoundTripTimes"]
    client = world.client()
    host.say(wire.to_clients([2], b"hi"))
    assert client.heard() == [("FromHost", b"hi")]


def test_the_repeated_password_may_come_later_and_in_pieces() -> None:
    world = World()
    host = world.host()
    for byte in PASSWORD + b"\0":
        host.say(bytes((byte,)))
    client = world.client()
    host.say(wire.to_clients([2], b"hi"))
    assert client.heard() == [("FromHost", b"hi")]
    assert host.heard() == [("ConnectClient", 2)]


def test_a_password_is_skipped_directly_after_hello_only() -> None:
    world = World()
    host = world.host()
    host.say(wire.pong(1))
    host.say(PASSWORD + b"\0")
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]


def test_a_password_is_skipped_once_only() -> None:
    world = World()
    host = world.host()
    host.say((PASSWORD + b"\0") * 2)
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]


def test_version_two_never_repeats_the_password() -> None:
    world = World()
    host = world.host(version=2)
    host.say(PASSWORD + b"\0")
    assert host.heard() == [("Disconnect", "PROTOCOL_VIOLATION")]


def test_welcome_comes_before_anything_else_to_a_client() -> None:
    world = World()
    host = world.host()
    client = world.connect()
    world.advance(5)
    assert client.heard() == []
    client.session.feed(wire.hello(1, b"game", b"client"))
    host.session.feed(wire.to_clients([2], b"early"))
    world.relay.outgoing.flush()
    assert client.heard() == [("Welcome", 1, "game"), ("FromHost", b"early")]


def test_the_host_learns_of_a_client_after_the_client_was_welcomed() -> None:
    world = World()
    host = world.host()
    client = world.connect()
    world.sends.clear()
    client.say(wire.hello(1, b"game", b"client"))
    assert world.sends == [client.carrier, host.carrier]


def test_two_rooms_do_not_hear_each_other() -> None:
    world = World()
    world.relay.open_room("second", "other", PASSWORD.decode(), "")
    hosts = [world.host(), world.host(b"other")]
    clients = [world.client(), world.client(b"other")]
    clients[0].say(wire.to_host(b"a"))
    hosts[1].say(wire.to_clients([2], b"b"))
    assert hosts[0].heard() == [("ConnectClient", 2), ("FromClient", 2, b"a")]
    assert hosts[1].heard() == [("ConnectClient", 2)]
    assert clients[0].heard() == []
    assert clients[1].heard() == [("FromHost", b"b")]
