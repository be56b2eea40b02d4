"""A whole examination: the real server, a NAT and a router in memory."""

from __future__ import annotations

import pytest

from tests.support.sim_server import SimServer
from tests.support.simnet import SimHost, SimNet
from tests.support.simnet_nat import Protocol, SimNat
from tests.unit.client.mapping.routers import PUBLIC, PcpServer, UpnpServer
from wlnet.client.doctor.examination import Examination, ExaminationOptions, Stage
from wlnet.client.doctor.findings import Findings, Reach, Truth
from wlnet.client.doctor.report import Verdict, conclude
from wlnet.client.lobby.address import parse_lobby
from wlnet.client.mapping.gateway import Gateways
from wlnet.client.mapping.words import Standing
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, Family, Filtering, Mapping, Technique, Transport

LOBBY = "tcp://203.0.113.1"
PLAYER, ROUTER = "192.168.1.10", "192.168.1.1"


class World:
    def __init__(self, nat: SimNat | None = None) -> None:
        self.net = SimNet(seed=3)
        self.server = SimServer(self.net)
        self.nat = nat or SimNat(PUBLIC)
        own = PUBLIC if self.nat.mapping is Mapping.NONE else PLAYER
        self.player: SimHost = self.net.host("player", [own], nat=self.nat)
        self.router: SimHost = self.net.host("router", [ROUTER], nat=self.nat)
        self.stages: list[Stage] = []

    def examine(self, lobby: str = LOBBY, *, mapping: bool = True, limit: float = 15) -> Findings:
        found: list[Findings] = []
        options = ExaminationOptions(name="doctor1", build="test", mapping=mapping)
        Examination(
            self.player, parse_lobby(lobby), options, self.stages.append, found.append,
            gateways=lambda: Gateways(v4=ROUTER),
        )  # fmt: skip
        self.net.run_until(lambda: found, limit=limit)
        self.net.advance(3)
        assert len(found) == 1
        assert self.player.open == 0
        return found[0]


class HonestRouter(PcpServer):
    """What it maps is mapped."""

    def __init__(self, world: World) -> None:
        super().__init__(world.router)
        self.world = world

    def answer_pcp(self, data: bytes, source: Endpoint) -> bytes | None:
        answer = super().answer_pcp(data, source)
        self.forward()
        return answer

    def answer_natpmp(self, data: bytes) -> bytes | None:
        answer = super().answer_natpmp(data)
        self.forward()
        return answer

    def forward(self) -> None:
        protocols = {17: Protocol.UDP, 6: Protocol.TCP}
        self.world.nat.forwards = {
            (protocols[number], outer): Endpoint(PLAYER, inner)
            for (number, inner), (outer, _) in self.held.items()
        }


def test_behind_an_ordinary_router() -> None:
    world = World()
    findings = world.examine()
    assert world.stages == list(Stage)
    assert findings.lobby_reached
    assert findings.seen == (PUBLIC,)
    assert findings.families == (Family.V4,)
    line = findings.line(Transport.UDP, Family.V4)
    assert line is not None
    assert line.behaviour.mapping is Mapping.ENDPOINT_INDEPENDENT
    assert line.behaviour.filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT
    assert {trial.standing for trial in findings.trials} == {Standing.SILENT}
    reaches = {leg.technique: leg.reach for leg in findings.legs}
    assert reaches[Technique.RELAY_UDP] is reaches[Technique.RELAY_TCP] is Reach.REACHED
    assert reaches[Technique.RELAY_TLS] is Reach.REFUSED
    assert not any(one.verified for one in findings.candidates)
    assert conclude(findings).verdict is Verdict.GOOD


def test_an_honest_router_is_believed() -> None:
    world = World()
    router = HonestRouter(world)
    findings = world.examine()
    truths = {trial.protocol.value: trial.truth for trial in findings.trials}
    assert truths == {"pcp": Truth.REACHED, "nat-pmp": Truth.REACHED, "upnp": Truth.UNTESTED}
    assert findings.mapped(Transport.UDP)
    assert findings.mapped(Transport.TCP)
    assert conclude(findings).verdict is Verdict.EXCELLENT
    assert not router.held  # given back


def test_a_router_that_lies_is_found_out() -> None:
    world = World()
    PcpServer(world.router)
    upnp = UpnpServer(world.router)
    upnp.address = "192.0.1.9"
    findings = world.examine()
    truths = [trial.truth for trial in findings.trials]
    assert truths == [Truth.NOT_REACHED, Truth.NOT_REACHED, Truth.OTHER_ADDRESS]
    assert not findings.mapped(Transport.UDP)
    assert not upnp.held


def test_a_public_address() -> None:
    world = World(SimNat(PUBLIC, Mapping.NONE, Filtering.ENDPOINT_INDEPENDENT))
    findings = world.examine()
    assert findings.reachable(Transport.UDP, Family.V4)
    assert findings.reachable(Transport.TCP, Family.V4)
    assert conclude(findings).verdict is Verdict.EXCELLENT


def test_a_hard_nat() -> None:
    nat = SimNat(PUBLIC, Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.RANDOM)
    report = conclude(World(nat).examine())
    assert report.verdict is Verdict.RELAYED


def test_udp_is_blocked() -> None:
    world = World(SimNat(PUBLIC, blocks=frozenset({Protocol.UDP})))
    findings = world.examine()
    assert not findings.passes(Transport.UDP, Family.V4)
    assert findings.passes(Transport.TCP, Family.V4)
    assert findings.legs[0].reach is Reach.SILENT


def test_the_router_is_left_alone_if_asked_to() -> None:
    world = World()
    router = HonestRouter(world)
    findings = world.examine(mapping=False)
    assert findings.trials == ()
    assert router.asked == []


@pytest.mark.parametrize("lobby", ["tcp://203.0.113.1:9", "tcp://203.0.113.99", "tcp://nowhere.example"])
def test_without_a_lobby_the_network_is_looked_at_all_the_same(lobby: str) -> None:
    findings = World().examine(lobby, limit=25)
    assert not findings.lobby_reached
    assert findings.lobby_text
    assert not findings.tested
    report = conclude(findings)
    assert report.verdict is Verdict.IMPOSSIBLE
    if lobby.endswith(":9"):
        assert findings.passes(Transport.UDP, Family.V4)
        assert findings.seen == (PUBLIC,)


def test_a_deaf_relay() -> None:
    world = World()
    world.server.relay_up = False
    findings = world.examine()
    assert findings.legs[0].reach is Reach.SILENT
    assert findings.legs[1].reach is not Reach.REACHED
    assert findings.relay() is None


def test_a_cut_line_ends_in_time() -> None:
    world = World()
    world.net.link(world.player, world.server.host, cut=True)
    findings = world.examine(limit=25)
    assert not findings.lobby_reached
    assert not conclude(findings).playable


@pytest.mark.parametrize("stage", Stage)
def test_given_up_it_gives_back_all(stage: Stage) -> None:
    world = World()
    router = HonestRouter(world)
    found: list[Findings] = []
    options = ExaminationOptions(name="doctor1", build="test")
    examination = Examination(
        world.player, parse_lobby(LOBBY), options, world.stages.append, found.append,
        gateways=lambda: Gateways(v4=ROUTER),
    )  # fmt: skip
    world.net.run_until(lambda: stage in world.stages)
    if stage is Stage.ROUTER:
        world.net.run_until(lambda: router.held)
    examination.cancel()
    world.net.run_until(lambda: found, limit=1.5)
    world.net.advance(20)
    assert len(found) == 1
    assert world.stages[-1] is stage
    assert not router.held
    assert world.player.open == 0
