from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.sim_stun import FIRST, PORTS
from tests.support.simnet_nat import Protocol, SimNat
from tests.unit.client.gather.streams import Handler
from tests.unit.client.gather.world import PLACE, PRIVATE, PUBLIC, World, hello
from wlnet.client.gather import limits
from wlnet.client.gather.gathering import Gathering
from wlnet.client.gather.mappings import Mapped
from wlnet.client.gather.words import GatherOptions, ServerPlace
from wlnet.client.net.network import Stream
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, CandidateKind, Family, Filtering, Mapping, Transport

EIM, APDM = Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT
APDF = Filtering.ADDRESS_AND_PORT_DEPENDENT
UDP, TCP = Transport.UDP, Transport.TCP
HOST, REFLEXIVE, MAPPED = CandidateKind.HOST, CandidateKind.SERVER_REFLEXIVE, CandidateKind.MAPPED
V4 = Family.V4
TOKEN = bytes(range(16))


@dataclass
class Router:
    """Grants what a test says."""

    wishes: dict[tuple[Transport, Family, int], Callable[[Mapped | None], None]] = field(default_factory=dict)
    ports: list[tuple[Transport, int]] = field(default_factory=list)
    closed: int = 0

    def map(
        self,
        transport: Transport,
        family: Family,
        local_port: int,
        told: Callable[[Mapped | None], None],
        *,
        wanted_port: int = 0,
    ) -> Router:
        self.wishes[transport, family, wanted_port] = told
        self.ports.append((transport, local_port))
        return self

    def close(self) -> None:
        self.closed += 1


def behind(nat: SimNat | None, *, surveyed: bool = True, addresses: tuple[str, ...] = (PRIVATE,)) -> World:
    world = World(nat, addresses)
    if surveyed:
        world.survey()
        world.net.advance(2)
    return world


class TestWhatIsSaid:
    def test_outer_ports_and_own_addresses(self) -> None:
        world = behind(SimNat(PUBLIC, allocation=Allocation.RANDOM))
        began = world.net.time
        gathering = world.gather()
        gathering.begin()
        said = world.complete()
        assert world.net.time - began < 0.5
        assert (said.attempt, said.udp, said.tcp, said.only_port) == (7, True, True, 0)
        for transport in Transport:
            (outer,) = world.events.of(REFLEXIVE, transport)
            (own,) = world.events.of(HOST, transport)
            assert outer.address == PUBLIC
            assert own.address == PRIVATE
            assert outer.base_port == own.port == own.base_port
        assert {one.behaviour.mapping for one in said.measured} == {EIM}

    def test_it_begins_by_itself(self) -> None:
        world = behind(SimNat(PUBLIC))
        world.gather()
        world.net.advance(limits.START_AT_LATEST - 0.01)
        before = len(world.stun.asked)
        assert not world.events.candidates
        world.complete()
        assert len(world.stun.asked) > before

    def test_a_first_attempt_right_after_login(self) -> None:
        world = behind(SimNat(PUBLIC), surveyed=False)
        world.surveyor.start()
        began = world.net.time
        world.gather()
        said = world.complete()
        assert world.net.time - began < 1.5
        assert len(said.measured) == 2

    def test_in_time_where_nothing_answers(self) -> None:
        place = ServerPlace(addresses=PLACE.addresses, lobby_port=443)
        world = World(SimNat(PUBLIC, blocks=frozenset(Protocol)), place=place)
        world.surveyor.start()
        began = world.net.time
        world.gather()
        said = world.complete()
        assert world.net.time - began <= 1.5
        assert said.only_port == 443
        assert {one.behaviour.mapping for one in said.measured} == {Mapping.BLOCKED}
        assert not world.events.of(REFLEXIVE)
        world.net.advance(5)
        assert world.events.last.only_port == 443

    def test_without_udp(self) -> None:
        world = behind(SimNat(PUBLIC, blocks=frozenset({Protocol.UDP})))
        began = world.net.time
        world.gather().begin()
        world.complete()
        assert world.net.time - began < 0.5
        assert not world.events.of(REFLEXIVE, UDP)
        assert len(world.events.of(REFLEXIVE, TCP)) == 1

    def test_a_slow_line_is_caught_up_with(self) -> None:
        """Three seconds there and back: the first message knows nothing, a later one does."""
        world = World(SimNat(PUBLIC), latency=0.55)
        world.surveyor.start()
        world.gather()
        world.net.advance(1.5)
        assert world.events.complete
        assert not world.events.of(REFLEXIVE)
        world.net.advance(5)
        assert len(world.events.of(REFLEXIVE, UDP)) == 1
        assert len(world.events.of(REFLEXIVE, TCP)) == 1
        assert len(world.events.last.measured) == 2

    def test_a_survey_that_takes_long_says_what_it_knows(self) -> None:
        """At 200 ms there and back filters are tested for longer than an attempt waits."""
        world = World(SimNat(PUBLIC, APDM, APDF, Allocation.SEQUENTIAL), latency=0.1)
        world.surveyor.start()
        world.gather()
        said = world.complete()
        assert world.surveyor.survey.running
        (udp,) = [one.behaviour for one in said.measured if one.transport is UDP]
        assert (udp.mapping, udp.allocation, udp.step) == (APDM, Allocation.SEQUENTIAL, 1)
        assert udp.filtering is Filtering.UNKNOWN
        world.net.advance(3)
        (udp,) = [one.behaviour for one in world.events.last.measured if one.transport is UDP]
        assert udp.filtering is APDF

    def test_both_families(self) -> None:
        world = behind(SimNat(PUBLIC, v6=APDF), addresses=(PRIVATE, "2001:db8:7::10"))
        world.gather()
        world.complete()
        assert {one.address for one in world.events.of(REFLEXIVE, UDP)} == {PUBLIC, "2001:db8:7::10"}
        assert {one.address for one in world.events.of(HOST, TCP)} == {PRIVATE, "2001:db8:7::10"}
        assert len(world.events.last.measured) == 4

    def test_only_the_relay(self) -> None:
        world = behind(SimNat(PUBLIC))
        sent: list[bytes] = []
        world.net.taps.append(lambda name, source, to, data: sent.append(data))
        world.gather(GatherOptions(relay_only=True), Router())
        said = world.complete()
        assert said.relay_only
        assert said.candidates == ()
        assert not sent

    def test_without_tcp_nothing_is_opened_for_it(self) -> None:
        world = behind(SimNat(PUBLIC))
        connected = len(world.stun.connected)
        world.gather(GatherOptions(tcp=False))
        said = world.complete()
        assert not said.tcp
        assert {one.transport for one in said.candidates} == {UDP}
        assert len(world.stun.connected) == connected
        assert not world.player.listeners

    def test_no_more_candidates_than_the_lobby_takes(self) -> None:
        addresses = tuple(f"192.168.1.{number}" for number in range(10, 40))
        world = behind(SimNat(PUBLIC), addresses=addresses)
        world.surveyor.greeted(hello(candidates=6))
        world.gather()
        world.complete()
        assert len(world.events.last.candidates) == 6
        assert len(world.events.of(REFLEXIVE)) == 2
        assert {one.address for one in world.events.of(HOST)} == {"192.168.1.10", "192.168.1.11"}

    def test_private_hosts_do_not_touch_443(self) -> None:
        world = behind(SimNat(PUBLIC))
        world.gather()
        world.complete()
        assert all(one.local.port != 443 for one in world.player.listeners)


class TestCountedPorts:
    def test_the_port_said_is_the_last_one_used(self) -> None:
        """The next UDP flow gets the next port: nothing was opened in between."""
        nat = SimNat(PUBLIC, APDM, APDF, Allocation.SEQUENTIAL)
        world = behind(nat)
        gathering = world.gather()
        world.complete()
        (outer,) = world.events.of(REFLEXIVE, UDP)
        (tcp,) = world.events.of(REFLEXIVE, TCP)
        stranger = world.net.host("stranger", ["203.0.113.99"])
        seen: list[Endpoint] = []
        stranger.open_datagram(V4, lambda data, source: seen.append(source), port=5000)
        socket = gathering.adopt_datagram(V4, outer.base_port, lambda data, source: None)
        assert socket is not None
        socket.send(b"\x21", Endpoint("203.0.113.99", 5000))
        streams: list[Endpoint] = []
        stranger.listen(V4, lambda stream: streams.append(stream.remote), port=5000)
        world.player.connect(Endpoint("203.0.113.99", 5000), Handler(), port=tcp.base_port, reuse=True)
        world.net.advance(1)
        assert seen == [Endpoint(PUBLIC, outer.port + 1)]
        assert streams == [Endpoint(PUBLIC, tcp.port + 1)]

    def test_tcp_is_measured_before_udp(self) -> None:
        world = behind(SimNat(PUBLIC, APDM, APDF, Allocation.SEQUENTIAL))
        order: list[str] = []
        world.net.taps.append(lambda name, source, to, data: order.append("udp"))
        connect = world.player.connect

        def connects(*arguments: object, **keywords: object) -> object:
            order.append("tcp")
            return connect(*arguments, **keywords)  # type: ignore[arg-type]

        world.player.connect = connects  # type: ignore[method-assign,assignment]
        world.gather()
        world.complete()
        assert order[:2] == ["tcp", "udp"]

    def test_the_survey_is_over_before(self) -> None:
        nat = SimNat(PUBLIC, APDM, APDF, Allocation.SEQUENTIAL)
        world = behind(nat, surveyed=False)
        world.surveyor.start()
        gathering = world.gather()
        gathering.begin()
        world.complete()
        assert world.surveyor.survey.complete
        world.net.advance(0.5)
        (outer,) = world.events.of(REFLEXIVE, UDP)
        assert nat.out(Protocol.UDP, Endpoint(PRIVATE, 1), Endpoint("203.0.113.99", 1)) == Endpoint(
            PUBLIC, outer.port + 1
        )


class TestPrimers:
    def sent(self, world: World, *, wait: float) -> list[int | None]:
        """Hops of what an owner sends as a primer and as usual, so long after the beginning."""
        gathering = world.gather()
        asked = gathering.primer_hops
        world.complete()
        world.net.advance(wait)
        (outer,) = world.events.of(REFLEXIVE, UDP)
        socket = gathering.adopt_datagram(V4, outer.base_port, lambda data, source: None)
        assert socket is not None
        used: list[int | None] = []
        send = world.net.send_datagram

        def note(*arguments: Any) -> None:
            used.append(arguments[4])
            send(*arguments)

        world.net.send_datagram = note  # type: ignore[method-assign,assignment]
        if asked is not None:
            socket.send(b"\x21", Endpoint("203.0.113.99", 5000), asked)
        socket.send(b"\x21", Endpoint("203.0.113.99", 5000))
        return used

    @pytest.mark.parametrize("surveyed", [True, False])
    def test_known_when_they_are_sent(self, surveyed: bool) -> None:
        world = behind(SimNat(PUBLIC), surveyed=surveyed)
        world.surveyor.start()
        assert self.sent(world, wait=0.5) == [world.surveyor.survey.hops[V4] - 1, None]

    def test_not_sent_if_it_could_not_be_found_out(self) -> None:
        world = behind(SimNat(PUBLIC), surveyed=False)
        server, port = FIRST, PORTS[0]
        send = world.net.send_datagram

        def limited(sender: Any, source: Endpoint, to: Endpoint, data: bytes, hops: int | None) -> None:
            if hops is None:
                send(sender, source, to, data, hops)

        world.net.send_datagram = limited  # type: ignore[method-assign,assignment]
        world.surveyor.start()
        assert (server, port) == tuple(world.surveyor.server(V4) or ())
        assert self.sent(world, wait=3.0) == [None]


class TestSharing:
    def test_the_owner_gets_what_is_not_ours(self) -> None:
        world = behind(SimNat(PUBLIC, filtering=Filtering.ENDPOINT_INDEPENDENT))
        gathering = world.gather()
        world.complete()
        (outer,) = world.events.of(REFLEXIVE, UDP)
        got: list[bytes] = []
        socket = gathering.adopt_datagram(V4, outer.base_port, lambda data, source: got.append(data))
        assert socket is not None
        assert socket.local.port == outer.base_port
        assert gathering.adopt_datagram(V4, outer.base_port, lambda data, source: None) is None
        peer = world.net.host("peer", ["203.0.113.77"]).open_datagram(V4, lambda data, source: None)
        stun = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
        for packet in (b"\x21check", b"\x23" + TOKEN, b"\x25" + bytes(8), b"\x40quic", stun, b"\x23short"):
            peer.send(packet, Endpoint(outer.address, outer.port))
        world.net.advance(1)
        assert got == [b"\x21check", b"\x40quic"]
        assert world.events.tokens == [TOKEN.hex()]

    def test_unknown_ports_are_not_ours(self) -> None:
        world = behind(SimNat(PUBLIC))
        gathering = world.gather()
        world.complete()
        assert gathering.adopt_datagram(V4, 1, lambda data, source: None) is None
        assert gathering.adopt_datagram(Family.V6, 1, lambda data, source: None) is None
        assert gathering.adopt_listener(V4, 1, lambda stream: None) is None

    def test_a_token_is_told_once(self) -> None:
        world = behind(SimNat(PUBLIC, filtering=Filtering.ENDPOINT_INDEPENDENT))
        world.gather()
        world.complete()
        (outer,) = world.events.of(REFLEXIVE, UDP)
        knocker = world.net.host("knocker", ["203.0.113.50"]).open_datagram(V4, lambda data, source: None)
        for _ in range(3):
            knocker.send(b"\x23" + TOKEN, Endpoint(outer.address, outer.port))
        world.net.advance(1)
        assert world.events.tokens == [TOKEN.hex()]

    def test_a_flood_of_tokens_is_not_passed_on(self) -> None:
        world = behind(SimNat(PUBLIC, filtering=Filtering.ENDPOINT_INDEPENDENT))
        world.gather()
        world.complete()
        (outer,) = world.events.of(REFLEXIVE, UDP)
        knocker = world.net.host("knocker", ["203.0.113.50"]).open_datagram(V4, lambda data, source: None)
        for number in range(1000):
            knocker.send(b"\x23" + number.to_bytes(16, "big"), Endpoint(outer.address, outer.port))
        world.net.advance(1)
        assert len(world.events.tokens) <= limits.KNOCK_BURST + limits.KNOCKS

    @pytest.mark.parametrize("size", [17, 5])
    def test_a_knock_over_tcp(self, size: int) -> None:
        world, _, door = self.open_door()
        knock = Handler()
        stream = self.dial(world, door, knock)
        stream.write((b"\x23" + TOKEN)[:size])
        world.net.advance(0.2)
        stream.write((b"\x23" + TOKEN)[size:] if size < 17 else b"")
        stream.close()
        world.net.advance(1)
        assert world.events.tokens == [TOKEN.hex()]
        assert not [one for one in world.player.streams if one.remote.host != FIRST]

    def test_a_peer_over_tcp_after_the_owner_came(self) -> None:
        world, gathering, door = self.open_door()
        theirs, ours = Handler(), Handler()
        assert gathering.adopt_listener(V4, door.port, ours.take) is not None
        stream = self.dial(world, door, theirs)
        stream.write(b"\x00\x21first")
        world.net.advance(0.2)
        stream.write(b"second")
        world.net.advance(0.2)
        assert ours.data == b"\x00\x21firstsecond"
        assert ours.stream is not None
        ours.stream.write(b"answer")
        world.net.advance(0.2)
        assert theirs.data == b"answer"
        stream.close()
        world.net.advance(0.2)
        assert ours.finished or ours.end is not None

    def test_a_peer_over_tcp_before_the_owner(self) -> None:
        world, gathering, door = self.open_door()
        theirs, ours = Handler(), Handler()
        self.dial(world, door, theirs).write(b"\x00\x21first")
        world.net.advance(0.5)
        assert theirs.end is None
        gathering.adopt_listener(V4, door.port, ours.take)
        assert ours.data == b""
        world.net.advance(0.1)
        assert ours.data == b"\x00\x21first"

    def test_nobody_waits_for_ever(self) -> None:
        world, _, door = self.open_door()
        handlers = [Handler() for _ in range(2)]
        for handler, data in zip(handlers, (b"", b"\x00\x21first"), strict=True):
            self.dial(world, door, handler).write(data)
        world.net.advance(limits.STRANGER_TIME + 1)
        assert all(handler.end is not None for handler in handlers)

    def test_strangers_are_limited(self) -> None:
        world, _, door = self.open_door()
        handlers = [Handler() for _ in range(limits.MAX_STRANGERS + 5)]
        for handler in handlers:
            self.dial(world, door, handler)
        world.net.advance(0.5)
        assert sum(handler.end is not None for handler in handlers) == 5

    def test_an_owner_who_does_not_want_it(self) -> None:
        world, gathering, door = self.open_door()
        gathering.adopt_listener(V4, door.port, lambda stream: None)
        theirs = Handler()
        self.dial(world, door, theirs).write(b"\x00\x21first")
        world.net.advance(0.5)
        assert theirs.end is not None

    def open_door(self) -> tuple[World, Gathering, Endpoint]:
        world = behind(SimNat(PUBLIC, Mapping.NONE, Filtering.ENDPOINT_INDEPENDENT), addresses=(PUBLIC,))
        gathering = world.gather(GatherOptions(web_port=False))
        world.complete()
        world.net.host("stranger", ["203.0.113.60"])
        (own,) = world.events.of(HOST, TCP)
        return world, gathering, Endpoint(own.address, own.port)

    def dial(self, world: World, door: Endpoint, handler: Handler) -> Stream:
        stream = world.net.hosts["stranger"].connect(door, handler)
        world.net.run_until(lambda: handler.up, limit=1)
        return stream


class TestMappings:
    def test_the_routers_443_is_asked_for_once(self) -> None:
        world = behind(SimNat(PUBLIC))
        router = Router()
        gatherings = [world.gather(mapper=router, attempt=number) for number in (7, 8)]
        world.net.advance(2)
        assert len(router.ports) == 5
        router.wishes[TCP, V4, 443](Mapped(PUBLIC, 443))
        world.net.advance(1)
        last = {said.attempt: said for _, said in world.events.candidates}
        ports = [{one.base_port for one in said.candidates if one.port == 443} for said in last.values()]
        assert len(ports) == 2
        assert ports[0] == ports[1]
        for gathering in gatherings:
            gathering.close()
        assert router.closed == 5
        assert world.player.open == 0

    def test_what_nobody_took_is_given_back(self) -> None:
        world = behind(SimNat(PUBLIC))
        router = Router()
        gathering = world.gather(mapper=router)
        world.complete()
        (outer,) = world.events.of(REFLEXIVE, UDP)
        gathering.adopt_datagram(V4, outer.base_port, lambda data, source: None)
        world.net.advance(limits.UNUSED + 1)
        assert router.closed == 2
        assert world.player.open == 1

    def test_offered_late(self) -> None:
        world = behind(SimNat(PUBLIC))
        router = Router()
        world.gather(mapper=router)
        world.complete()
        assert not world.events.of(MAPPED)
        router.wishes[UDP, V4, 0](Mapped(PUBLIC, 5500))
        router.wishes[TCP, V4, 0](Mapped(PUBLIC, 5501))
        router.wishes[TCP, V4, 443](Mapped(PUBLIC, 443))
        world.net.advance(1)
        assert len(world.events.candidates) == 2
        assert world.events.complete
        offered = {(one.transport, one.port): one.base_port for one in world.events.of(MAPPED)}
        assert set(offered) == {(UDP, 5500), (TCP, 5501), (TCP, 443)}
        listening = {one.local.port for one in world.player.listeners}
        assert {offered[TCP, 5501], offered[TCP, 443]} == listening
        assert len(set(router.ports)) == 3
        router.wishes[UDP, V4, 0](None)
        world.net.advance(1)
        assert {one.port for one in world.events.of(MAPPED)} == {5501, 443}

    def test_another_port_than_443_is_of_no_use(self) -> None:
        world = behind(SimNat(PUBLIC))
        router = Router()
        world.gather(mapper=router)
        router.wishes[TCP, V4, 443](Mapped(PUBLIC, 9999))
        world.complete()
        assert not world.events.of(MAPPED)

    def test_a_mapping_that_lies_is_not_offered(self) -> None:
        world = behind(SimNat(PUBLIC))
        router = Router()
        gathering = world.gather(mapper=router)
        router.wishes[UDP, V4, 0](Mapped("100.64.3.4", 5500))
        world.complete()
        assert not world.events.of(MAPPED)
        assert "100.64.3.4" in gathering.notes[0]

    def test_given_back(self) -> None:
        world = behind(SimNat(PUBLIC))
        router = Router()
        gathering = world.gather(mapper=router)
        world.complete()
        gathering.close()
        assert router.closed == 3
        said = len(world.events.candidates)
        router.wishes[UDP, V4, 0](Mapped(PUBLIC, 5500))
        world.net.advance(5)
        assert len(world.events.candidates) == said

    def test_a_router_that_cannot_decide_is_not_repeated_for_ever(self) -> None:
        world = behind(SimNat(PUBLIC))
        router = Router()
        world.gather(mapper=router)
        world.complete()
        for number in range(100):
            router.wishes[UDP, V4, 0](Mapped(PUBLIC, 5500 + number))
            world.net.advance(1)
        assert len(world.events.candidates) == limits.MAX_SAID


class TestKeeping:
    def test_the_nat_is_reminded_until_somebody_takes_over(self) -> None:
        world = behind(SimNat(PUBLIC))
        gathering = world.gather()
        world.complete()
        (outer,) = world.events.of(REFLEXIVE, UDP)
        world.stun.asked.clear()
        world.net.advance(35)
        assert [one.port for one in world.stun.asked] == [outer.port] * 3
        gathering.adopt_datagram(V4, outer.base_port, lambda data, source: None)
        world.stun.asked.clear()
        world.net.advance(35)
        assert not world.stun.asked

    def test_another_outer_port_is_said(self) -> None:
        nat = SimNat(PUBLIC, allocation=Allocation.RANDOM)
        world = behind(nat)
        world.gather()
        world.complete()
        (before,) = world.events.of(REFLEXIVE, UDP)
        nat.forget()
        world.net.advance(12)
        (after,) = world.events.of(REFLEXIVE, UDP)
        assert after.port != before.port
        assert after.base_port == before.base_port

    def test_the_connection_that_measured_stays_open_a_while(self) -> None:
        world = behind(SimNat(PUBLIC))
        world.gather()
        world.complete()
        world.net.advance(30)
        assert len(world.player.streams) == 1
        world.net.advance(limits.KEPT_STREAM)
        assert not world.player.streams


class TestClosing:
    @pytest.mark.parametrize("after", [0.0, 0.01, 0.05, 0.3, 0.5, 3.0])
    def test_nothing_is_left(self, after: float) -> None:
        world = behind(SimNat(PUBLIC))
        gathering = world.gather()
        world.net.advance(after)
        gathering.close()
        gathering.close()
        gathering.begin()
        said = len(world.events.candidates)
        assert world.player.open == 0
        world.net.advance(30)
        assert world.player.open == 0
        assert len(world.events.candidates) == said

    def test_what_was_adopted_goes_on(self) -> None:
        world = behind(SimNat(PUBLIC, filtering=Filtering.ENDPOINT_INDEPENDENT))
        gathering = world.gather(GatherOptions(tcp=False))
        world.complete()
        (outer,) = world.events.of(REFLEXIVE, UDP)
        got: list[bytes] = []
        socket = gathering.adopt_datagram(V4, outer.base_port, lambda data, source: got.append(data))
        assert socket is not None
        gathering.close()
        peer = world.net.host("peer", ["203.0.113.77"]).open_datagram(V4, lambda data, source: None)
        peer.send(b"\x23" + TOKEN, Endpoint(outer.address, outer.port))
        peer.send(b"\x40quic", Endpoint(outer.address, outer.port))
        world.net.advance(1)
        assert got == [b"\x40quic"]
        assert not world.events.tokens
        socket.close()
        assert world.player.open == 0

    def test_a_machine_without_a_network(self) -> None:
        world = World(None)
        world.player.addresses = ()
        world.surveyor.start()
        world.gather()
        said = world.complete()
        assert said.candidates == ()
        assert said.measured == ()


def test_the_server_is_never_asked_at_a_place_it_does_not_have() -> None:
    world = behind(SimNat(PUBLIC))
    sent: set[Endpoint] = set()
    world.net.taps.append(lambda name, source, to, data: sent.add(to) if name == "player" else None)
    world.gather()
    world.complete()
    assert sent == {Endpoint(FIRST, PORTS[0])}
