from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.support.sim_stun import FIRST, PORTS
from tests.support.simnet import CORE_HOPS
from tests.support.simnet_nat import Protocol, SimNat
from tests.unit.client.gather.world import PLACE, PRIVATE, PUBLIC, World, hello, ticket
from wlnet.client.gather import limits
from wlnet.client.gather.hops import HopSearch
from wlnet.client.gather.words import ServerPlace
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, Family, Filtering, Mapping, Transport

EIM, APDM = Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT
APDF, EIF = Filtering.ADDRESS_AND_PORT_DEPENDENT, Filtering.ENDPOINT_INDEPENDENT
UDP4, TCP4 = (Transport.UDP, Family.V4), (Transport.TCP, Family.V4)
NO_UDP = frozenset({Protocol.UDP})
NOTHING = frozenset(Protocol)


@pytest.mark.parametrize(
    ("mapping", "filtering", "allocation"),
    [
        (EIM, APDF, Allocation.PRESERVING),
        (EIM, EIF, Allocation.RANDOM),
        (APDM, APDF, Allocation.SEQUENTIAL),
        (APDM, APDF, Allocation.RANDOM),
    ],
)
def test_what_the_nat_does_is_known_soon(
    mapping: Mapping, filtering: Filtering, allocation: Allocation
) -> None:
    world = World(SimNat(PUBLIC, mapping, filtering, allocation))
    world.surveyor.start()
    assert world.net.run_until(lambda: world.surveyor.survey.complete, limit=5) < 1.5
    survey = world.surveyor.survey
    udp, tcp = survey.finding(*UDP4), survey.finding(*TCP4)
    assert udp is not None
    assert tcp is not None
    assert (udp.behaviour.mapping, udp.behaviour.filtering) == (mapping, filtering)
    assert udp.behaviour.allocation is allocation
    assert (tcp.behaviour.mapping, tcp.behaviour.allocation) == (mapping, allocation)
    assert survey.seen == (PUBLIC,)
    assert survey.only_port == 0
    assert {(one.transport, one.family) for one in survey.measured()} == {UDP4, TCP4}


def test_all_sockets_are_closed() -> None:
    world = World(SimNat(PUBLIC))
    world.survey()
    world.net.advance(3)
    assert world.player.open == 0


def test_ending_in_the_middle_closes_all() -> None:
    world = World(SimNat(PUBLIC))
    world.surveyor.start()
    world.surveyor.greeted(hello(ticket(1)))
    world.net.advance(0.03)
    assert world.player.open > 0
    world.surveyor.close()
    assert world.player.open == 0
    world.surveyor.start()
    world.net.advance(400)
    assert world.player.open == 0


def test_both_families() -> None:
    world = World(SimNat(PUBLIC, v6=APDF), (PRIVATE, "2001:db8:7::10"), latency=0.02)
    world.survey()
    survey = world.surveyor.survey
    for transport in Transport:
        finding = survey.finding(transport, Family.V6)
        assert finding is not None
        assert finding.behaviour.mapping is Mapping.NONE
    assert set(survey.seen) == {PUBLIC, "2001:db8:7::10"}


def test_hops_are_found_without_reading_ttls() -> None:
    world = World(SimNat(PUBLIC))
    assert world.surveyor.survey.primer_hops(Family.V4) is None
    world.surveyor.start()
    assert world.surveyor.searching
    assert world.net.run_until(lambda: not world.surveyor.searching) < 0.6
    hops = world.surveyor.survey.hops[Family.V4]
    assert world.surveyor.survey.primer_hops(Family.V4) == hops - 1
    assert world.surveyor.survey.primer_hops(Family.V6) is None
    answers: list[bytes] = []
    probe = world.player.open_datagram(Family.V4, lambda data, source: answers.append(data))
    before = len(world.stun.asked)
    probe.send(bytes(20), Endpoint(FIRST, PORTS[0]), hops - 1)
    world.net.advance(1)
    assert len(world.stun.asked) == before
    probe.send(bytes(20), Endpoint(FIRST, PORTS[0]), hops)
    world.net.advance(1)
    assert len(world.stun.asked) == before + 1
    assert hops > CORE_HOPS


def test_hops_take_few_packets_and_end_where_nothing_comes_back() -> None:
    world = World(SimNat(PUBLIC))
    counts: list[int] = []
    world.net.taps.append(lambda name, source, to, data: counts.append(1) if name == "player" else None)
    found: list[int | None] = []
    for deaf in (False, True):
        world.stun.deaf_to = lambda data, source, deaf=deaf: deaf  # type: ignore[misc]
        counts.clear()
        HopSearch(world.player, Endpoint(FIRST, PORTS[0]), found.append)
        world.net.advance(3)
        assert 0 < len(counts) <= 32
        assert world.player.open == 0
    assert found == [CORE_HOPS + 2, None]


@pytest.mark.parametrize("seed", range(5))
def test_hops_of_a_lossy_line_are_not_far_off(seed: int) -> None:
    world = World(SimNat(PUBLIC))
    world.net.random.seed(seed)
    world.net.link(world.player, world.stun.host, loss=0.1)
    found: list[int | None] = []
    HopSearch(world.player, Endpoint(FIRST, PORTS[0]), found.append)
    world.net.advance(3)
    assert found[0] is not None
    assert CORE_HOPS + 2 <= found[0] <= CORE_HOPS + 4


def test_udp_blocked() -> None:
    world = World(SimNat(PUBLIC, blocks=NO_UDP))
    world.surveyor.start()
    world.net.advance(limits.SILENCE + 0.1)
    assert world.surveyor.survey.is_blocked(*UDP4)
    assert not world.surveyor.survey.is_blocked(*TCP4)
    world.net.run_until(lambda: world.surveyor.survey.complete, limit=3)
    survey = world.surveyor.survey
    assert survey.is_blocked(*UDP4)
    assert survey.only_port == 0
    behaviours = {(one.transport, one.family): one.behaviour for one in survey.measured()}
    assert behaviours[UDP4].mapping is Mapping.BLOCKED
    assert behaviours[TCP4].mapping is EIM


@pytest.mark.parametrize(("port", "only"), [(443, 443), (7395, 0)])
def test_only_443(port: int, only: int) -> None:
    place = ServerPlace(addresses=PLACE.addresses, lobby_port=port)
    world = World(SimNat(PUBLIC, blocks=NOTHING), place=place)
    world.surveyor.start()
    assert world.surveyor.survey.only_port == 0
    world.net.advance(limits.SILENCE + 0.1)
    assert world.surveyor.survey.only_port == only
    world.net.run_until(lambda: world.surveyor.survey.complete, limit=4)
    assert world.surveyor.survey.only_port == only


def test_an_answer_after_the_silence_counts() -> None:
    world = World(SimNat(PUBLIC), latency=0.6)
    world.surveyor.start()
    world.net.advance(1.1)
    assert world.surveyor.survey.is_blocked(*UDP4)
    world.net.run_until(lambda: world.surveyor.survey.complete, limit=4)
    assert not world.surveyor.survey.is_blocked(*UDP4)


class TestObservation:
    def test_one_ticket_a_family(self) -> None:
        world = World(SimNat(PUBLIC), (PRIVATE, "2001:db8:7::10"))
        world.surveyor.start()
        world.surveyor.greeted(hello(*map(ticket, range(4))))
        world.net.advance(3)
        assert sorted(source.host for source, _ in world.stun.observed) == [PUBLIC, "2001:db8:7::10"]

    def test_repeated_with_another_ticket(self) -> None:
        world = World(SimNat(PUBLIC))
        lost: list[bytes] = []

        def deaf(data: bytes, source: Endpoint) -> bool:
            if data[0] == 0x24 and not lost:
                lost.append(data)
                return True
            return False

        world.stun.deaf_to = deaf
        world.surveyor.greeted(hello(*map(ticket, range(4))))
        world.surveyor.start()
        world.net.advance(0.4)
        assert not world.stun.observed
        world.net.advance(2)
        assert [serial for _, serial in world.stun.observed] == [(1).to_bytes(8, "big")]

    def test_never_more_packets_than_tickets(self) -> None:
        world = World(SimNat(PUBLIC))
        sent: list[bytes] = []
        world.net.taps.append(lambda name, source, to, data: sent.append(data))
        world.stun.deaf_to = lambda data, source: data[0] == 0x24
        world.surveyor.start()
        world.surveyor.greeted(hello(*map(ticket, range(3))))
        world.net.advance(10)
        assert len([data for data in sent if data[0] == 0x24]) == 3
        assert world.player.open == 0

    def test_nonsense_for_tickets(self) -> None:
        world = World(SimNat(PUBLIC))
        world.surveyor.start()
        world.surveyor.greeted(replace(hello(), observe=("", "ü", "AA", "*")))
        world.net.advance(1)
        assert not world.stun.observed


class TestAgain:
    def test_when_interfaces_change(self) -> None:
        world = World(SimNat(PUBLIC))
        world.survey()
        world.net.advance(10)
        assert world.changes == 0
        asked = len(world.stun.asked)
        world.player.addresses = ("10.0.0.5",)
        world.player.nat = SimNat("198.51.100.99")
        world.net.advance(limits.LOOK + 1.5)
        assert world.changes == 1
        assert len(world.stun.asked) > asked
        assert world.surveyor.survey.seen == ("198.51.100.99",)

    def test_not_when_another_interface_comes_and_goes(self) -> None:
        world = World(SimNat(PUBLIC))
        world.survey()
        world.net.advance(2)
        asked = len(world.stun.asked)
        world.player.addresses = (PRIVATE, "172.17.0.1")
        world.net.advance(5)
        world.player.addresses = (PRIVATE,)
        world.net.advance(5)
        assert world.changes == 0
        assert len(world.stun.asked) == asked

    def test_when_a_family_comes(self) -> None:
        world = World(SimNat(PUBLIC, v6=APDF))
        world.survey()
        world.player.addresses = (PRIVATE, "2001:db8:7::10")
        world.net.advance(4)
        assert world.changes == 1
        assert world.surveyor.survey.finding(Transport.UDP, Family.V6) is not None

    def test_after_a_cable_was_out(self) -> None:
        world = World(SimNat(PUBLIC))
        world.survey()
        world.player.addresses = ()
        world.net.advance(10)
        assert world.changes == 1
        assert world.surveyor.families == ()
        world.player.addresses = (PRIVATE,)
        world.net.advance(4)
        assert world.changes == 2
        assert world.surveyor.survey.seen == (PUBLIC,)

    def test_after_sleep(self) -> None:
        world = World(SimNat(PUBLIC))
        world.survey()
        wall = world.player.wall
        world.player.wall = lambda: wall() + 3600  # type: ignore[method-assign]
        world.net.advance(3)
        assert world.changes == 1
        world.net.advance(10)
        assert world.changes == 1

    def test_after_five_minutes(self) -> None:
        world = World(SimNat(PUBLIC))
        world.survey()
        world.net.advance(limits.FRESH - 10)
        asked = len(world.stun.asked)
        world.net.advance(20)
        assert len(world.stun.asked) > asked
        assert world.changes == 0

    def test_not_while_an_attempt_counts_on_silence(self) -> None:
        world = World(SimNat(PUBLIC))
        world.survey()
        world.net.advance(2)
        owner = object()
        world.surveyor.hold(owner, 20)
        asked = len(world.stun.asked)
        world.surveyor.refresh()
        world.net.advance(5)
        assert len(world.stun.asked) == asked
        world.surveyor.release(owner)
        world.net.advance(1)
        assert len(world.stun.asked) > asked

    def test_nobody_holds_for_ever(self) -> None:
        world = World(SimNat(PUBLIC))
        world.survey()
        world.net.advance(2)
        world.surveyor.hold(object(), 1e9)
        asked = len(world.stun.asked)
        world.surveyor.refresh()
        world.net.advance(limits.LONGEST_HOLD + 1)
        assert len(world.stun.asked) > asked


def test_one_lost_packet_in_ten() -> None:
    world = World(SimNat(PUBLIC))
    world.net.link(world.player, world.stun.host, loss=0.1)
    right = 0
    for _ in range(10):
        world.surveyor.start()
        world.surveyor.refresh()
        world.net.run_until(lambda: world.surveyor.survey.complete, limit=5)
        survey = world.surveyor.survey
        assert not survey.is_blocked(*UDP4)
        finding = survey.finding(*UDP4)
        right += finding is not None and finding.behaviour.mapping is EIM
    assert right >= 8


def test_no_route_no_packets() -> None:
    world = World(None, ("fe80::1",))
    world.player.addresses = ()
    world.surveyor.start()
    world.net.advance(5)
    assert world.surveyor.survey.complete
    assert world.surveyor.survey.measured() == ()
    assert world.player.open == 0
