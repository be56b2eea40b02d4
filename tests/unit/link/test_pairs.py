"""Relays of pairs at the other end of the link: which one is told, revocations, observations."""

from __future__ import annotations

import pytest

from tests.unit.link.fakes import KEYS, linked_pairs
from tests.unit.link.rig import Lobby, Relay
from wlnet.config import schema
from wlnet.link.channel import Ending
from wlnet.link.linked_pairs import LinkedPairs
from wlnet.link.messages import MAX_REVOKED, Observed, PairPorts, RevokePairs, StunPorts
from wlnet.link.pair_end import PairEnd
from wlnet.metrics import Front, Limit, Metrics
from wlnet.rendezvous.ports import StunPlace
from wlnet.steering.model import Side
from wlnet.steering.rules import RelayPlace
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair, Rendezvous, from_text, mint

WALL = 1_700_000_000.0
PLAYER = "198.51.100.77"


def pair(number: int) -> str:
    return f"{number:032x}"


def ports(capacity: int = 10, *listen: str) -> PairPorts:
    return PairPorts(listen=listen or ("0.0.0.0", "::"), udp=3479, tcp=3479, tls=443, capacity=capacity)


class Carrier:
    """A relay of pairs that notes what it is told."""

    def __init__(self) -> None:
        self.revoked: list[str] = []
        self.load = 0

    def revoke(self, pair: str) -> None:
        self.revoked.append(pair)


class PairRelay(Relay):
    """A relay process that carries pairs."""

    def __init__(
        self, lobby: Lobby, name: str = "r1", instance: str = "1", capacity: int = 10, **settings: object
    ) -> None:
        self.carrier = Carrier()
        self.metrics = Metrics()
        self.pairs = PairEnd(
            schema.Link(**{"keepalive": 5.0, "open_timeout": 5.0, **settings}),  # type: ignore[arg-type]
            schema.Rendezvous(),
            lobby.agenda,
            self.metrics,
            lambda: KEYS,
            lambda: WALL + lobby.clock.seconds(),
            self.carrier,
            lambda: self.carrier.load,
        )
        super().__init__(name, instance, pairs=ports(capacity), pair_end=self.pairs)
        self.answered: list[bytes] = []

    def show(self, ticket: bytes, address: str = PLAYER) -> None:
        """A datagram with a ticket came."""
        self.pairs.observe(ticket, address, self.answered.append)

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.LINK, limit)


def ticket(
    number: int = 1, keys: TicketKeys = KEYS, expires: float = WALL + 120, player: str = "m1"
) -> bytes:
    return mint(
        keys,
        Rendezvous(purpose="observe"),
        subject=player,
        expires=expires,
        serial=number.to_bytes(8, "big"),
    )


def told(pairs: LinkedPairs, number: int, reached_at: str = "127.0.0.1") -> tuple[str, ...]:
    place = pairs.place(reached_at, pair(number))
    return place.addresses if place is not None else ()


# Which relay is told.


def test_without_a_relay_there_is_no_place() -> None:
    lobby = Lobby()
    assert lobby.pairs.place("127.0.0.1", pair(1)) is None
    Relay().link(lobby)
    assert lobby.pairs.place("127.0.0.1", pair(1)) is None, "one that carries games only"


def test_a_relay_of_this_machine_and_one_elsewhere() -> None:
    lobby = Lobby()
    wire = PairRelay(lobby).link(lobby)
    assert lobby.pairs.place("203.0.113.9") == RelayPlace(
        addresses=("203.0.113.9", "2001:db8::4"), udp_port=3479, tcp_port=3479, tls_port=443
    )
    wire.cut()
    PairRelay(lobby, "far").link(lobby, peer="203.0.113.50")
    assert told(lobby.pairs, 1, "203.0.113.9") == ("203.0.113.50",)


def test_pairs_have_their_own_addresses_to_listen_on() -> None:
    lobby = Lobby()
    relay = Relay(pairs=ports(10, "198.51.100.9"))
    relay.link(lobby)
    assert told(lobby.pairs, 1, "203.0.113.9") == ("198.51.100.9",)
    assert lobby.relays.addresses("203.0.113.9") == ("203.0.113.9", "2001:db8::4")


def test_the_least_used_relay_is_told_to_both_sides() -> None:
    lobby = Lobby()
    big, small = PairRelay(lobby, "big", capacity=30), PairRelay(lobby, "small", "2", capacity=10)
    wires = [big.link(lobby, "203.0.113.1"), small.link(lobby, "203.0.113.2")]
    where = [told(lobby.pairs, number)[0] for number in range(20)]
    assert (where.count("203.0.113.1"), where.count("203.0.113.2")) == (15, 5)
    assert [told(lobby.pairs, number)[0] for number in range(20)] == where, "and again the same"
    big.carrier.load = 30
    lobby.advance(5.0)
    for wire in wires:
        wire.carry()
    assert told(lobby.pairs, 21) == ("203.0.113.2",), "the other one is full"
    big.carrier.load = 0
    lobby.advance(5.0)
    for wire in wires:
        wire.carry()
    assert told(lobby.pairs, 22) == ("203.0.113.1",)
    small.carrier.load = 10
    big.carrier.load = 30
    lobby.advance(5.0)
    for wire in wires:
        wire.carry()
    assert told(lobby.pairs, 23) == ()


def test_a_pair_stays_where_it_is_while_the_link_is_down() -> None:
    lobby = Lobby()
    one, two = PairRelay(lobby, "one"), PairRelay(lobby, "two", "2")
    wires = [one.link(lobby, "203.0.113.1"), two.link(lobby, "203.0.113.2")]
    assert told(lobby.pairs, 1) == ("203.0.113.1",)
    wires[0].cut()
    assert told(lobby.pairs, 1) == ("203.0.113.1",), "the pair lives on there"
    assert told(lobby.pairs, 2) == ("203.0.113.2",), "new ones go elsewhere"
    for _ in range(12):
        lobby.advance(4.0)
        wires[1].carry()
    assert told(lobby.pairs, 1) == ("203.0.113.2",), "it does not come back"
    assert told(lobby.pairs, 1) == ("203.0.113.2",)


def test_what_is_remembered_is_bounded() -> None:
    lobby = Lobby()
    lobby.pairs = linked_pairs(memory=10)
    lobby.relays.pairs = lobby.pairs
    relay = PairRelay(lobby, capacity=10**6)
    wire = relay.link(lobby)
    for number in range(100):
        told(lobby.pairs, number)
        lobby.pairs.revoke(pair(number))
    wire.cut()
    again = PairRelay(lobby, instance="2")
    again.link(lobby)
    assert again.carrier.revoked == [pair(number) for number in range(90, 100)]


def test_quotas_and_keys() -> None:
    pairs = linked_pairs()
    assert pairs.quotas(pair(1), Side.HOST, PLAYER) == RelayPair(pair=pair(1), side=Side.HOST, address=PLAYER)
    assert pairs.keys() is KEYS


def test_where_stun_is() -> None:
    lobby = Lobby()
    assert lobby.pairs.stun("203.0.113.9") is None
    PairRelay(lobby, "b").link(lobby)
    assert lobby.pairs.stun("203.0.113.9") is None, "it has none"
    relay = Relay("a", "2", stun=StunPorts(listen=("::",), port=3478, second_port=3479))
    wire = relay.link(lobby, "2001:db8::50")
    assert lobby.pairs.stun("203.0.113.9") == StunPlace(
        addresses=("2001:db8::50",), port=3478, second_port=3479
    )
    assert lobby.pairs.addresses("203.0.113.9") == ("203.0.113.9", "2001:db8::4", "2001:db8::50")
    wire.cut()
    assert lobby.pairs.stun("203.0.113.9") is None


# Revocations.


def test_all_relays_hear_of_a_revoked_pair_sooner_or_later() -> None:
    lobby = Lobby()
    here, away = PairRelay(lobby, "here"), PairRelay(lobby, "away", "2")
    wire = here.link(lobby)
    away.link(lobby).cut()
    lobby.pairs.revoke(pair(1))
    wire.carry()
    assert (here.carrier.revoked, away.carrier.revoked) == ([pair(1)], [])
    lobby.advance(3.0)
    away.link(lobby)
    assert away.carrier.revoked == [pair(1)]


def test_many_revocations_go_in_parts() -> None:
    lobby = Lobby()
    lobby.pairs = linked_pairs(memory=10_000)
    lobby.relays.pairs = lobby.pairs
    for number in range(MAX_REVOKED + 1):
        lobby.pairs.revoke(pair(number))
    relay = PairRelay(lobby)
    relay.link(lobby)
    assert len(relay.carrier.revoked) == MAX_REVOKED + 1


def test_a_relay_without_pairs_is_told_nothing() -> None:
    lobby, relay = Lobby(), Relay()
    wire = relay.link(lobby)
    lobby.pairs.revoke(pair(1))
    wire.carry()
    assert lobby.relays.linked() == ["r1"]
    wire.lobby_channel.send(RevokePairs(pairs=(pair(1),)))
    wire.carry()
    assert wire.over == [(Ending.MALFORMED, None)], "it would not understand"


# Observations.


class Judge:
    """The lobby's judgement."""

    def __init__(self, lobby: Lobby, verdict: bool = True) -> None:
        self.seen: list[tuple[bytes, str]] = []
        self.verdict = verdict
        lobby.pairs.observer = self

    def __call__(self, text: str, address: str) -> bool:
        self.seen.append((from_text(text), address))
        return self.verdict


@pytest.mark.parametrize("verdict", [True, False])
def test_an_observation_goes_to_the_lobby_and_its_answer_back(verdict: bool) -> None:
    lobby = Lobby()
    judge, relay = Judge(lobby, verdict), PairRelay(lobby)
    wire = relay.link(lobby)
    relay.show(ticket(7), "2001:db8::77")
    assert relay.answered == []
    wire.carry()
    assert judge.seen == [(ticket(7), "2001:db8::77")]
    assert relay.answered == ([(7).to_bytes(8, "big")] if verdict else [])


def test_only_what_the_lobby_made_goes_to_it() -> None:
    lobby = Lobby()
    judge, relay = Judge(lobby), PairRelay(lobby)
    wire = relay.link(lobby)
    forged = ticket(1, TicketKeys(b"x" * 32))
    other = mint(
        KEYS, RelayPair(pair=pair(1), side=Side.HOST), subject="a", expires=WALL + 9, serial=bytes(8)
    )
    for bad in (b"", b"x", bytes(5000), forged, ticket(1)[:-1], other, ticket(2, expires=WALL - 31)):
        relay.show(bad)
    relay.show(ticket(3))
    wire.carry()
    assert judge.seen == [(ticket(3), PLAYER)]
    assert len(relay.answered) == 1
    assert relay.limited(Limit.TICKETS) == 7


def test_a_player_whose_ticket_is_shown_again_and_again_harms_himself_alone() -> None:
    lobby = Lobby()
    judge, relay = Judge(lobby), PairRelay(lobby, observation_rate=1.0, observation_burst=2)
    wire = relay.link(lobby)
    for number in range(5):
        relay.show(ticket(1), f"203.0.113.{number}")
    relay.show(ticket(9, player="m2"))
    wire.carry()
    assert judge.seen == [
        (ticket(1), "203.0.113.0"),
        (ticket(1), "203.0.113.1"),
        (ticket(9, player="m2"), PLAYER),
    ]
    assert relay.limited(Limit.REQUEST_RATE) == 3
    lobby.advance(1.0)
    relay.show(ticket(2))
    wire.carry()
    assert judge.seen[-1] == (ticket(2), PLAYER)


def test_what_is_not_answered_yet_is_bounded_and_given_up() -> None:
    lobby = Lobby()
    judge, relay = Judge(lobby), PairRelay(lobby, max_observations=2)
    wire = relay.link(lobby)
    for number in range(3):
        relay.show(ticket(number))
    assert relay.limited(Limit.PENDING) == 1
    lobby.advance(5.0)
    relay.show(ticket(4))
    assert relay.limited(Limit.PENDING) == 1, "there is room again"
    wire.carry()
    assert len(judge.seen) == 3
    assert relay.answered == [(4).to_bytes(8, "big")], "the answers to the others came too late"
    relay.pairs.observed(12345, True)
    assert len(relay.answered) == 1


def test_without_a_lobby_nothing_is_taken() -> None:
    lobby = Lobby()
    judge, relay = Judge(lobby), PairRelay(lobby)
    relay.show(ticket(1))
    wire = relay.link(lobby)
    relay.show(ticket(2))
    wire.cut()
    relay.show(ticket(3))
    assert len(lobby.agenda) == 1, "only that the lobby forgets the relay one day"
    wire = relay.link(lobby)
    relay.show(ticket(4))
    wire.carry()
    assert [shown for shown, _ in judge.seen] == [ticket(4)], "the second went astray"
    assert relay.answered == [(4).to_bytes(8, "big")]


def test_an_answer_nobody_asked_for_is_ignored() -> None:
    lobby = Lobby()
    relay = PairRelay(lobby)
    wire = relay.link(lobby)
    wire.lobby_channel.send(Observed(request=1, ok=True))
    wire.carry()
    assert lobby.relays.linked() == ["r1"]
    assert relay.answered == []
