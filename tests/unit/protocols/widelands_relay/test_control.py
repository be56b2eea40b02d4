from __future__ import annotations

import pytest

from tests.support.relay import PASSWORD, World
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay import wire
from wlnet.relay.control import RelayControl, RoomInfo


def test_a_relay_is_what_lobby_and_link_expect() -> None:
    world = World()
    control: RelayControl = world.relay
    assert control.rooms() == [RoomInfo(room_id="room", game="game", hosted=False, card="card")]
    world.host()
    control.update_card("room", "new")
    control.update_card("unknown", "x")
    assert control.rooms() == [RoomInfo(room_id="room", game="game", hosted=True, card="new")]


@pytest.mark.parametrize(("room_id", "game", "password"), [
    ("room", "another", "x"), ("another", "game", "x"), ("another", "a\0b", "x"),
    ("another", "other", "a\0b"),
])  # fmt: skip
def test_a_taken_or_impossible_room_is_not_opened(room_id: str, game: str, password: str) -> None:
    world = World()
    assert not world.relay.open_room(room_id, game, password, "")
    assert len(world.relay.rooms()) == 1


def test_a_game_may_have_any_name_a_client_can_say() -> None:
    world = World()
    name = "Käse \udcff".encode("utf-8", "surrogateescape")
    assert world.relay.open_room("second", name.decode("utf-8", "surrogateescape"), PASSWORD.decode(), "")
    end = world.connect()
    end.say(wire.hello(1, name, PASSWORD))
    assert bytes(end.carrier.taken) == wire.welcome(1, name)


def test_closing_a_room_disconnects_everybody_and_is_reported_once() -> None:
    world = World()
    host, guests = world.table(2)
    world.relay.close_room("room")
    world.relay.close_room("room")
    for end in (host, *guests):
        assert end.heard() == [("Disconnect", "NORMAL")]
        assert end.ended
    assert world.events == [("hosted", "room"), ("closed", "room")]


def test_a_kicked_player_is_dropped_from_its_game_only() -> None:
    world = World()
    world.relay.open_room("second", "other", PASSWORD.decode(), "")
    host, other_host = world.host(), world.host(b"other")
    victim, bystander = world.client(address="2001:db8::1"), world.client(address="2001:db8:0:1::1")
    elsewhere = world.client(b"other", address="2001:db8::1")
    world.relay.drop_from_room("game", "2001:db8::77")
    world.relay.drop_from_room("unknown", "2001:db8::77")
    assert victim.heard() == [("Disconnect", "NORMAL")]
    assert host.heard() == [("ConnectClient", 2), ("ConnectClient", 3), ("DisconnectClient", 2)]
    assert bystander.heard() == elsewhere.heard() == []
    assert other_host.heard() == [("ConnectClient", 2)]


def test_a_banned_address_is_dropped_everywhere_also_before_hello() -> None:
    world = World()
    host = world.host()
    guest = world.client(address="203.0.113.7")
    newcomer = world.connect("::ffff:203.0.113.7")
    neighbour = world.client(address="203.0.113.8")
    world.relay.drop_address("203.0.113.7")
    assert guest.heard() == newcomer.heard() == [("Disconnect", "BANNED")]
    assert neighbour.heard() == []
    assert ("DisconnectClient", 2) in host.heard()
    assert world.limited(Limit.BANNED) == 2


def test_a_banned_network_is_dropped_and_a_host_in_it_takes_its_game_along() -> None:
    world = World()
    host = world.host(address="203.0.113.7")
    inside, outside = world.client(address="203.0.113.200"), world.client(address="198.51.100.1")
    world.relay.drop_network("203.0.113.0/24")
    assert ("Disconnect", "BANNED") in host.heard()
    assert inside.heard()[-1][0] == "Disconnect"
    assert outside.heard() == [("Disconnect", "NORMAL")]
    assert world.events[-1] == ("closed", "room")
    with pytest.raises(ValueError, match="network"):
        world.relay.drop_network("nonsense")


def test_shutting_down_gives_everybody_a_reason() -> None:
    world = World()
    host, guests = world.table(1)
    newcomer = world.connect()
    world.relay.close()
    for end in (host, *guests, newcomer):
        assert end.heard() == [("Disconnect", "NORMAL")]
    assert world.relay.rooms() == []


def test_orders_given_from_within_a_report_are_carried_out() -> None:
    world = World()
    world.relay.open_room("second", "other", PASSWORD.decode(), "")
    host, other = world.host(), world.host(b"other")

    class Chain:
        closed: list[str] = []

        def room_hosted(self, room_id: str) -> None:
            raise AssertionError(room_id)

        def room_closed(self, room_id: str) -> None:
            self.closed.append(room_id)
            world.relay.close_room("second")
            world.relay.open_room("again", "game", PASSWORD.decode(), "")

    world.relay.observer = chain = Chain()
    host.say(wire.disconnect(b""))
    assert chain.closed == ["room", "second"]
    assert other.heard() == [("Disconnect", "NORMAL")]
    assert [room.room_id for room in world.relay.rooms()] == ["again"]
