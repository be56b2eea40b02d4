"""What a client finds out and offers behind kernel NATs, told to and tested by the real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tests.natlab.lab import Lab
from tests.natlab.site import Site
from tests.support.server_process import ServerProcess
from wlnet.protocols.exchange.messages import Candidates
from wlnet.rendezvous.events import Verified
from wlnet.steering.model import Allocation, Candidate, CandidateKind, Family, Filtering, Mapping, Transport
from wlnet.steering.view import is_public

pytestmark = pytest.mark.natlab

UDP, TCP = Transport.UDP, Transport.TCP
V4, V6 = Family.V4, Family.V6
HOST, REFLEXIVE, MAPPED = CandidateKind.HOST, CandidateKind.SERVER_REFLEXIVE, CandidateKind.MAPPED
NONE, EIM, APDM = Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT
EIF, ADF = Filtering.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_DEPENDENT
APDF = Filtering.ADDRESS_AND_PORT_DEPENDENT
KEPT, RANDOM, NEXT = Allocation.PRESERVING, Allocation.RANDOM, Allocation.SEQUENTIAL
LOBBY = 443
"""Where players find the lobby: the only port some of them can reach."""

KINDS = {
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
IGD = pytest.mark.skipif(shutil.which("miniupnpd") is None, reason="not installed: miniupnpd")


class Player:
    """The process of `gathering_player.py` in a home."""

    def __init__(self, site: Site, server: ServerProcess, lab: Lab, wait: float = 1.5) -> None:
        self.said: list[tuple[float, Candidates]] = []
        self.verified: list[Verified] = []
        self.last: dict[str, Any] = {}
        self.troubles: list[str] = []
        address = lab.server.ipv4
        self.process = site.popen(
            [
                sys.executable, "-m", "tests.natlab.gathering_player", f"tcp://{address}:{LOBBY}",
                str(server.port("stun")), str(server.port("stun2")), str(wait), lab.server.ipv6,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            words = json.loads(line)
            if "said" in words:
                self.said.append((words["after"], msgspec.convert(words["said"], Candidates)))
            elif "trouble" in words:
                self.troubles.append(words["trouble"])
            elif "told" in words and words["told"]["type"] == "verified":
                told = {key: value for key, value in words["told"].items() if key != "type"}
                self.verified.append(msgspec.convert(told, Verified))
            elif "told" in words:
                self.troubles.append(str(words["told"]))
            self.last = words

    def wait(self, so: Callable[[], object], seconds: float = 8.0) -> None:
        """Until it is so."""
        deadline = time.monotonic() + seconds
        while not so():
            assert self.process.poll() is None, "the player ended"
            assert time.monotonic() < deadline, f"not so: {self.said} {self.verified} {self.troubles}"
            time.sleep(0.02)

    @property
    def complete(self) -> bool:
        return bool(self.said) and self.said[-1][1].complete

    def of(self, kind: CandidateKind, transport: Transport, family: Family = V4) -> list[Candidate]:
        return [
            one
            for one in self.said[-1][1].candidates
            if (one.kind, one.transport) == (kind, transport) and (":" in one.address) == (family is V6)
        ]

    def reached(self, candidate: Candidate) -> bool | None:
        """What the server found out about it; None: nothing (yet)."""
        for one in self.verified:
            if (one.transport, one.address, one.port) == (
                candidate.transport,
                candidate.address,
                candidate.port,
            ):
                return one.reached
        return None

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(5) == 0
        self._reader.join()
        assert self.troubles == []


class World:
    def __init__(self, lab: Lab, server: ServerProcess) -> None:
        self.lab = lab
        self.server = server

    def player(self, site: Site, wait: float = 1.5) -> Player:
        return Player(site, self.server, self.lab, wait)


@pytest.fixture(scope="module")
def world(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Lab() as lab:
        server = ServerProcess(
            tmp_path_factory.mktemp("gathering"),
            {
                "lobby.port": LOBBY,
                "stun.port": 3478,
                "stun.second_port": 3479,
                "stun.second_addresses": [lab.server.second_ipv4, lab.server.second_ipv6],
            },
            lab.server.namespace.prefix(),
        )
        yield World(lab, server)
        assert server.stop() == 0
        server.check_log()


def behaviours(said: Candidates) -> dict[tuple[Transport, Family], Any]:
    return {(one.transport, one.family): one.behaviour for one in said.measured}


@pytest.mark.parametrize("kind", KINDS)
def test_kind(world: World, kind: str) -> None:
    site = world.lab.site(kind)
    player = world.player(site)
    player.wait(lambda: player.complete)
    after, said = player.said[-1]
    assert after < 1.0
    assert said.only_port == 0
    measured = behaviours(said)
    udp, tcp = measured[UDP, V4], measured[TCP, V4]
    mapping, filtering, allocation = KINDS[kind]
    assert (udp.mapping, udp.filtering, udp.allocation) == (mapping, filtering, allocation)
    assert (tcp.mapping, tcp.allocation) == (mapping, allocation)
    assert udp.step == (1 if kind == "sym-seq" else 0)
    for transport in (UDP, TCP):
        (outer,) = player.of(REFLEXIVE, transport)
        own = player.of(HOST, transport)
        assert outer.address == site.public_ipv4
        assert outer.base_port == own[0].port
        assert own[0].address == site.host.ipv4
        if allocation is KEPT:
            assert outer.port == outer.base_port
    player.wait(lambda: player.last.get("hops") is not None or len(player.said) > 0)
    player.end()
    assert player.last["hops"] == (3 if "cgn" in kind else 2)


def test_open_is_reached_by_the_server(world: World) -> None:
    player = world.player(world.lab.site("open"))
    player.wait(lambda: len(player.verified) >= 3)
    hosts = player.of(HOST, UDP) + player.of(HOST, TCP)
    assert all(is_public(one.address) for one in hosts)
    assert [player.reached(one) for one in hosts] == [True] * 3
    assert {one.port for one in player.of(HOST, TCP)} > {443}
    player.end()


def test_a_firewall_is_found_out_by_the_server(world: World) -> None:
    player = world.player(world.lab.site("open-fw"))
    player.wait(lambda: len(player.verified) >= 3)
    hosts = player.of(HOST, UDP) + player.of(HOST, TCP)
    assert [player.reached(one) for one in hosts] == [False] * 3
    player.end()


def test_ipv6_with_firewall(world: World) -> None:
    site = world.lab.site("v6-fw")
    player = world.player(site)
    player.wait(lambda: len(player.verified) >= 2)
    measured = behaviours(player.said[-1][1])
    assert (measured[UDP, V6].mapping, measured[UDP, V6].filtering) == (NONE, APDF)
    assert measured[TCP, V6].mapping is NONE
    assert measured[UDP, V4].mapping is EIM
    for transport in (UDP, TCP):
        (own,) = [one for one in player.of(HOST, transport, V6) if one.port != 443]
        (outer,) = player.of(REFLEXIVE, transport, V6)
        assert (own.address, own.port) == (outer.address, outer.port) == (site.host.ipv6, own.port)
        assert player.reached(own) is False
    player.end()


def test_udp_blocked(world: World) -> None:
    site = world.lab.site("udp-blocked")
    player = world.player(site)
    player.wait(lambda: player.complete)
    after, said = player.said[0]
    assert after < 1.0
    measured = behaviours(said)
    assert measured[UDP, V4].mapping is Mapping.BLOCKED
    assert measured[TCP, V4].mapping is EIM
    assert said.only_port == 0
    assert not player.of(REFLEXIVE, UDP)
    assert len(player.of(REFLEXIVE, TCP)) == 1
    player.end()


@pytest.mark.parametrize("wait", [0.0, 1.5])
def test_only_443(world: World, wait: float) -> None:
    player = world.player(world.lab.site("tcp443"), wait)
    player.wait(lambda: player.complete)
    after, said = player.said[0]
    assert after < 1.5
    assert said.only_port == 443
    assert {one.mapping for one in behaviours(said).values()} == {Mapping.BLOCKED}
    player.end()


def test_a_first_attempt_right_after_login(world: World) -> None:
    player = world.player(world.lab.site("port-restricted", delay=0.02), 0.0)
    player.wait(lambda: player.complete)
    after, said = player.said[0]
    assert after < 1.5
    assert {one.mapping for one in behaviours(said).values()} == {EIM}
    assert player.of(REFLEXIVE, UDP)
    assert player.of(REFLEXIVE, TCP)
    player.end()


@IGD
@pytest.mark.parametrize("kind", ["upnp", "upnp-sym"])
def test_mapped_ports_are_reached_by_the_server(world: World, kind: str) -> None:
    site = world.lab.site(kind)
    player = world.player(site)
    player.wait(lambda: len([one for one in player.verified if one.reached]) >= 3, 10)
    mapped = player.of(MAPPED, UDP) + player.of(MAPPED, TCP)
    assert {one.address for one in mapped} == {site.public_ipv4}
    assert [player.reached(one) for one in mapped] == [True] * 3
    assert 443 in {one.port for one in player.of(MAPPED, TCP)}
    player.end()


@IGD
def test_a_router_that_does_not_know_better(world: World) -> None:
    """Behind a carrier whose addresses look public the router maps a port nobody reaches."""
    site = world.lab.site("upnp", carrier=world.lab.carrier(squats=True))
    player = world.player(site)
    player.wait(lambda: player.complete)
    time.sleep(2)
    assert not player.of(MAPPED, UDP)
    assert not player.of(MAPPED, TCP)
    player.end()
    assert any(site.router.wan in note for note in player.last["notes"])
