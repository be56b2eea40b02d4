"""The real server and our client machines, with kernel NATs of every kind between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.natlab.lab import Lab
from tests.natlab.site import Host, Server
from tests.support.server_process import ServerProcess
from tests.support.stun_driver import discover_tcp, discover_udp
from wlnet.protocols.stun.findings import Finding
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, Filtering, Mapping

pytestmark = pytest.mark.natlab

NONE, EIM, APDM = Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT
EIF, ADF = Filtering.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_DEPENDENT
APDF = Filtering.ADDRESS_AND_PORT_DEPENDENT
KEPT, RANDOM, NEXT = Allocation.PRESERVING, Allocation.RANDOM, Allocation.SEQUENTIAL

UDP = {
    "open": (NONE, EIF, KEPT),
    "open-fw": (NONE, APDF, KEPT),
    "full-cone": (EIM, EIF, KEPT),
    "restricted": (EIM, ADF, KEPT),
    "port-restricted": (EIM, APDF, KEPT),
    "pr-reject": (EIM, APDF, KEPT),
    "pr-clash": (EIM, APDF, KEPT),
    "eim-remap": (EIM, APDF, RANDOM),
    "pr-collide": (APDM, APDF, RANDOM),
    "sym-seq": (APDM, APDF, NEXT),
    "sym-random": (APDM, APDF, RANDOM),
    "cgn": (EIM, APDF, RANDOM),
    "cgn-sym": (APDM, APDF, RANDOM),
}


@dataclass
class World:
    lab: Lab
    server: ServerProcess

    @property
    def place(self) -> Server:
        return self.lab.server

    def udp(self, host: Host, address: str | None = None, sockets: int = 4) -> Finding:
        server = Endpoint(address or self.place.ipv4, self.server.port("stun"))
        return discover_udp(server, self.server.port("stun2"), host.socket, sockets)

    def tcp(self, host: Host, address: str | None = None) -> Finding:
        server = Endpoint(address or self.place.ipv4, self.server.port("stun"))
        return discover_tcp(server, self.server.port("stun2"), host.socket)


def start(lab: Lab, tmp_path_factory: pytest.TempPathFactory, *seconds: str) -> ServerProcess:
    return ServerProcess(
        tmp_path_factory.mktemp("stun"),
        {"stun.second_addresses": list(seconds)},
        lab.server.namespace.prefix(),
    )


@pytest.fixture(scope="module")
def world(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with two addresses of each family."""
    with Lab() as lab:
        server = start(lab, tmp_path_factory, lab.server.second_ipv4, lab.server.second_ipv6)
        yield World(lab, server)
        assert server.stop() == 0
        server.check_log()


@pytest.fixture(scope="module")
def plain(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with one address of each family."""
    with Lab() as lab:
        server = start(lab, tmp_path_factory)
        yield World(lab, server)
        assert server.stop() == 0
        server.check_log()


@pytest.mark.parametrize("kind", UDP)
def test_udp(world: World, kind: str) -> None:
    site = world.lab.site(kind)
    finding = world.udp(site.host)
    behaviour = finding.behaviour
    assert (behaviour.mapping, behaviour.filtering, behaviour.allocation) == UDP[kind]
    assert (finding.certain_mapping, finding.certain_filtering) == (True, True)
    assert behaviour.step == (1 if kind == "sym-seq" else 0)
    assert finding.candidate is not None
    assert finding.candidate.address == site.public_ipv4
    assert finding.rtt is not None


@pytest.mark.parametrize("kind", UDP)
def test_tcp(world: World, kind: str) -> None:
    site = world.lab.site(kind)
    finding = world.tcp(site.host)
    mapping, _, allocation = UDP[kind]
    assert (finding.behaviour.mapping, finding.behaviour.allocation) == (mapping, allocation)
    assert finding.certain_mapping
    assert finding.behaviour.step == (1 if kind == "sym-seq" else 0)
    assert finding.candidate is not None
    assert finding.candidate.address == site.public_ipv4


@pytest.mark.parametrize(
    ("kind", "mapping", "filtering"),
    [
        ("restricted", EIM, ADF),
        ("port-restricted", EIM, APDF),
        ("sym-seq", APDM, APDF),
        ("open", NONE, ADF),
    ],
)
def test_udp_with_one_address(plain: World, kind: str, mapping: Mapping, filtering: Filtering) -> None:
    finding = plain.udp(plain.lab.site(kind).host)
    assert (finding.behaviour.mapping, finding.behaviour.filtering) == (mapping, filtering)
    assert finding.certain_mapping == (mapping is not EIM)
    assert finding.certain_filtering == (filtering is APDF)


@pytest.mark.parametrize("hairpin", [True, False])
@pytest.mark.parametrize("kind", ["full-cone", "port-restricted"])
def test_hairpinning(world: World, kind: str, hairpin: bool) -> None:
    finding = world.udp(world.lab.site(kind, hairpin=hairpin).host)
    assert finding.behaviour.hairpin is hairpin


def test_ipv6(world: World) -> None:
    host = world.lab.site("v6-fw").host
    udp, tcp = world.udp(host, world.place.ipv6), world.tcp(host, world.place.ipv6)
    assert (udp.behaviour.mapping, udp.behaviour.filtering) == (NONE, APDF)
    assert tcp.behaviour.mapping is NONE
    for finding in (udp, tcp):
        assert finding.certain_mapping
        assert finding.candidate is not None
        assert finding.candidate.address == host.ipv6


def test_udp_blocked(world: World) -> None:
    host = world.lab.site("udp-blocked").host
    assert world.udp(host).behaviour.mapping is Mapping.BLOCKED
    assert world.tcp(host).behaviour.mapping is EIM


def test_everything_blocked(world: World) -> None:
    host = world.lab.site("tcp443").host
    assert world.udp(host).behaviour.mapping is Mapping.BLOCKED
    assert world.tcp(host).behaviour.mapping is Mapping.BLOCKED


def test_a_slow_and_lossy_line(world: World) -> None:
    """A tenth of the packets lost each way: right nearly always, never wrong about being blocked."""
    site = world.lab.site("restricted", delay=0.03)
    site.link.set_loss(0.1)
    findings = [world.udp(site.host) for _ in range(5)]
    assert all(finding.candidate is not None for finding in findings)
    right = [finding.behaviour.mapping is EIM and finding.behaviour.filtering is ADF for finding in findings]
    assert sum(right) >= 4
