"""The lobby's end and the relay's end against each other, without sockets."""

from __future__ import annotations

import pytest

from tests.unit.link.fakes import (
    card,
    sanctions,
)
from tests.unit.link.rig import SETTINGS, Lobby, Relay, Wire
from wlnet.link.channel import Ending
from wlnet.link.messages import (
    Hello,
    Opened,
    RefusalReason,
    RoomClosed,
    RoomHosted,
    Rooms,
)
from wlnet.metrics import Front, Limit
from wlnet.moderation.sanctions import Kind, Target
from wlnet.relay.control import RoomInfo


def test_what_a_relay_did_while_the_link_was_down() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    opened = [lobby.open(room) for room in ("a", "b", "c")]
    wire.carry()
    assert [answers.given for answers in opened] == [[True]] * 3
    wire.cut()
    assert lobby.lobby.told == [("found", "r1"), ("lost", "r1")]
    assert relay.relay.by_id.keys() == {"a", "b", "c"}  # the games go on

    relay.relay.host_arrives("a")
    relay.relay.close_room("b")
    relay.link(lobby)
    assert {(room.room_id, room.hosted) for room in lobby.lobby.reports["r1"]} == {("a", True), ("c", False)}
    assert lobby.relays.relay_of("b") is None


def test_a_room_closed_while_the_link_was_down_is_closed_later_and_not_reported() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    lobby.open("kicked")
    lobby.open("stays")
    wire.carry()
    wire.cut()
    lobby.relays.close_room("kicked")
    assert lobby.relays.relay_of("kicked") is None
    lobby.advance(3600)  # also long after the lobby has given the relay up
    relay.link(lobby)
    assert lobby.lobby.rooms_of("r1") == {"stays"}
    assert relay.relay.by_id.keys() == {"stays"}


def test_a_room_whose_answer_was_lost_is_no_ghost() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    answers = lobby.open("a")
    wire.relay_channel.receive(wire.down.take())  # the relay opens it, its answer goes astray
    assert "a" in relay.relay.by_id
    wire.cut()
    assert answers.given == [False]
    relay.link(lobby)
    assert lobby.lobby.reports["r1"] == []
    assert relay.relay.by_id == {}


def test_a_slow_relay_has_its_room_closed_again() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    answers = lobby.open("a")
    lobby.advance(4.9)
    assert answers.given == []
    lobby.advance(0.2)
    assert answers.given == [False]
    wire.carry()
    assert relay.relay.by_id == {}
    assert answers.given == [False]
    assert ("closed", "a") not in lobby.lobby.told
    assert any("in time" in line for line in lobby.journal.lines)


def test_a_relay_that_says_no() -> None:
    lobby, relay = Lobby(), Relay()
    relay.relay.refuses = True
    wire = relay.link(lobby)
    answers = lobby.open("a")
    wire.carry()
    assert answers.given == [False]
    assert lobby.relays.relay_of("a") is None
    assert lobby.relays.addresses_of_room("a", "127.0.0.1") == ()


def test_pending_requests_are_bounded() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    opened = [lobby.open(str(number)) for number in range(4)]
    assert [answers.given for answers in opened] == [[], [], [], [False]]
    assert lobby.metrics.times_limited(Front.LINK, Limit.PENDING) == 1
    wire.carry()
    again = lobby.open("again")
    wire.carry()
    assert again.given == [True]


def test_a_full_relay_is_spared() -> None:
    lobby, small, big = Lobby(), Relay("a", capacity=1), Relay("b", instance="2")
    wires = small.link(lobby), big.link(lobby)
    for number in range(3):
        lobby.open(str(number))
    for wire in wires:
        wire.carry()
    assert (len(small.relay.by_id), len(big.relay.by_id)) == (1, 2)


def test_a_card_that_does_not_fit_is_refused_at_once_and_the_link_stays() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    assert lobby.open("a", "g" * 40_000).given == [False]
    assert lobby.open("a", "\udcff").given == [False]
    lobby.relays.drop_from_room("\udcff", "203.0.113.1")
    lobby.open("a")
    wire.carry()
    lobby.relays.update_card("a", card("g" * 40_000))
    lobby.relays.update_card("a", card("\udcff"))
    wire.carry()
    assert lobby.relays.linked() == ["r1"]
    assert "g" * 100 not in relay.relay.by_id["a"].card


def test_the_same_process_may_replace_its_stale_connection() -> None:
    lobby, relay = Lobby(), Relay()
    stale = relay.link(lobby)
    lobby.open("a")
    stale.carry()
    stale.relay_channel.end(Ending.CONNECTION)  # the lobby has not noticed
    relay.link(lobby)
    assert lobby.lobby.told == [("found", "r1"), ("lost", "r1"), ("found", "r1")]
    assert lobby.lobby.rooms_of("r1") == {"a"}
    assert stale.down.closed


def test_another_process_of_a_linked_name_waits() -> None:
    lobby, old, new = Lobby(), Relay(), Relay(instance="2")
    wire = old.link(lobby)
    refused = new.link(lobby)
    assert refused.over == [(Ending.REFUSED, RefusalReason.NAME_TAKEN)]
    assert refused.introduced == 0
    assert lobby.lobby.told == [("found", "r1")]
    wire.cut()
    new.link(lobby)
    assert lobby.lobby.told[-1] == ("found", "r1")


def test_relays_beyond_the_limit_are_refused() -> None:
    lobby = Lobby()
    Relay("a").link(lobby)
    Relay("b").link(lobby)
    assert Relay("c").link(lobby).over == [(Ending.REFUSED, RefusalReason.TOO_MANY_RELAYS)]
    assert lobby.metrics.times_limited(Front.LINK, Limit.RELAYS) == 1
    assert lobby.relays.linked() == ["a", "b"]


def test_lost_relays_are_forgotten() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    lobby.open("a")
    wire.carry()
    wire.cut()
    lobby.advance(30)  # the lobby's own grace
    assert lobby.relays.relay_of("a") == "r1"
    lobby.advance(SETTINGS.dead_after + 1)
    assert lobby.relays.relay_of("a") is None
    relay.link(lobby)  # still there after all: adopted
    assert lobby.lobby.rooms_of("r1") == {"a"}


def test_lost_relays_of_ever_new_names_do_not_pile_up() -> None:
    lobby = Lobby()
    for number in range(20):
        relay = Relay(f"r{number}")
        wire = relay.link(lobby)
        lobby.open(f"room{number}")
        wire.carry()
        wire.cut()
    known = [number for number in range(20) if lobby.relays.relay_of(f"room{number}")]
    assert known == [18, 19]


def test_what_overtakes_the_list_comes_after_it() -> None:
    lobby, relay = Lobby(), Relay()
    for number in range(30):
        relay.relay.open_room(f"r{number}", f"g{number}", "pw", relay_card(f"g{number}"))
    wire = Wire(lobby, relay.end)
    wire.up.blocked = True  # the list is sent part by part; only the first goes out
    wire.carry()
    relay.relay.host_arrives("r0")
    relay.relay.close_room("r29")
    wire.carry()
    assert lobby.lobby.told == []
    assert lobby.open("early").given == [False]  # not before the list is complete
    wire.up.stuck = 0
    wire.up.blocked = False
    wire.relay_channel.drained()
    wire.carry()
    assert lobby.lobby.told == [("found", "r1"), ("hosted", "r0"), ("closed", "r29")]
    assert len(lobby.lobby.reports["r1"]) == 30


def relay_card(game: str) -> str:
    from wlnet.link.cards import card_text

    text = card_text(card(game, owner_key="k" * 3000))
    assert text is not None
    return text


def test_a_room_with_an_unreadable_card_is_closed() -> None:
    lobby, relay = Lobby(), Relay()
    relay.relay.open_room("old", "g", "pw", "written by something else")
    relay.link(lobby)
    assert lobby.lobby.reports["r1"] == []
    assert relay.relay.by_id == {}


def test_bans_that_overtake_their_list() -> None:
    lobby, relay = Lobby(), Relay()
    for number in range(1000):
        lobby.bans.impose(
            Kind.BAN, Target.NAME, f"player{number}", reason="r" * 400, by="root", duration=None
        )
    last = lobby.bans.active()[-1]
    wire = Wire(lobby, relay.end)
    wire.down.blocked = True
    wire.carry()
    lobby.bans.lift(last.id, "root")
    lobby.bans.impose(Kind.BAN, Target.ADDRESS, "203.0.113.7", reason="", by="root", duration=None)
    wire.carry()
    assert len(relay.bans) == 0
    wire.down.blocked, wire.down.stuck = False, 0
    wire.lobby_channel.drained()
    wire.carry()
    assert relay.bans.banned(address="203.0.113.7") is not None
    assert relay.bans.banned(name=last.value) is None
    assert len(relay.bans) == 1000


def test_bans_lifted_while_the_link_was_down() -> None:
    lobby, relay = Lobby(), Relay()
    ban = lobby.bans.impose(Kind.BAN, Target.NAME, "bob", reason="", by="root", duration=None)
    wire = relay.link(lobby)
    assert relay.bans.banned(name="bob") is not None
    wire.cut()
    lobby.bans.lift(ban.id, "root")
    assert relay.bans.banned(name="bob") is not None  # the last that is known
    relay.link(lobby)
    assert relay.bans.banned(name="bob") is None


def test_a_relay_with_less_room_for_bans_says_so() -> None:
    lobby, relay = Lobby(), Relay()
    relay.end.sanctions = sanctions(max_entries=1)
    for name in ("bob", "eve"):
        lobby.bans.impose(Kind.BAN, Target.NAME, name, reason="", by="root", duration=None)
    relay.link(lobby)
    lobby.bans.impose(Kind.BAN, Target.NAME, "kim", reason="", by="root", duration=None)
    assert any("moderation.max_entries" in line for line in relay.journal.lines)


def test_who_never_says_hello_is_closed() -> None:
    lobby, relay = Lobby(), Relay()
    wire = Wire(lobby, relay.end)
    wire.lobby_channel.receive(wire.up.take())
    wire.relay_channel.receive(wire.down.take())
    wire.lobby_channel.receive(wire.up.take())  # proven, but the hello never arrives
    assert wire.lobby_channel.ready
    lobby.advance(5)
    assert wire.down.aborted
    assert lobby.metrics.times_limited(Front.LINK, Limit.HANDSHAKE_TIME) == 1


@pytest.mark.parametrize("message", [Relay().end.hello(), Rooms(rooms=(), last=True)])
def test_what_may_be_said_only_once(message: Hello | Rooms) -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    wire.relay_channel.send(message)
    wire.carry()
    assert wire.down.aborted
    assert lobby.metrics.times_limited(Front.LINK, Limit.MALFORMED) == 1


def test_the_hello_comes_first() -> None:
    lobby, relay = Lobby(), Relay()
    wire = Wire(lobby, relay.end)
    wire.lobby_channel.receive(wire.up.take())
    wire.relay_channel.receive(wire.down.take())
    wire.lobby_channel.receive(wire.up.take())
    wire.relay_channel.send(RoomHosted(room_id="a"))
    relay.end.hello = lambda: Opened(request=1, ok=True)  # type: ignore[assignment, return-value]
    wire.carry()
    assert wire.down.aborted
    assert lobby.metrics.times_limited(Front.LINK, Limit.MALFORMED) == 1
    assert wire.introduced == 0


def test_events_of_unknown_rooms_and_requests_are_ignored() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    for message in (
        RoomHosted(room_id="x"), RoomClosed(room_id="x"), Opened(request=99, ok=True),
    ):  # fmt: skip
        wire.relay_channel.send(message)
    wire.carry()
    assert lobby.lobby.told == [("found", "r1")]
    assert lobby.relays.relay_of("x") is None


def test_addresses_of_a_relay_elsewhere() -> None:
    lobby, relay = Lobby(), Relay()
    relay.link(lobby, peer="2001:db8::77")
    assert lobby.relays.addresses("198.51.100.1") == ("192.0.2.50", "2001:db8::77")
    assert lobby.relays.addresses("2001:db8::1") == ("2001:db8::77", "192.0.2.50")


def test_a_room_known_at_two_relays_belongs_to_the_one_that_said_so_last() -> None:
    """Only a clone of a whole relay could do that; it must not end somebody else's game."""
    lobby, one, two = Lobby(), Relay("a"), Relay("b", instance="2")
    for relay in (one, two):
        relay.relay.open_room("r", "g", "pw", relay_card("g"))
    wires = one.link(lobby), two.link(lobby)
    assert lobby.relays.relay_of("r") == "b"
    one.relay.close_room("r")
    wires[0].carry()
    assert ("closed", "r") not in lobby.lobby.told


def test_stop_leaves_nothing_behind() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    answers = lobby.open("a")
    lobby.relays.stop()
    assert answers.given == [False]
    assert wire.down.closed
    assert lobby.lobby.told == [("found", "r1")]  # a lobby that stops need not hear of it
    wire.relay_channel.end(Ending.CONNECTION)
    assert len(lobby.agenda) == 0


def test_a_room_info_of_the_relay_is_passed_on_unread() -> None:
    lobby, relay = Lobby(), Relay()
    relay.relay.by_id["r"] = RoomInfo(room_id="r", game="g", hosted=True, card=relay_card("g"))
    relay.link(lobby)
    (report,) = lobby.lobby.reports["r1"]
    assert (report.card.game, report.hosted) == ("g", True)
