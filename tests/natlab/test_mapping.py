"""The client's port mapper asks the real miniupnpd."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.natlab.igd import Igd
from tests.natlab.kinds import V6
from tests.natlab.lab import Lab
from tests.natlab.reach import reaches
from tests.natlab.site import Host, Site

pytestmark = [
    pytest.mark.natlab,
    pytest.mark.skipif(
        not shutil.which("miniupnpd"), reason="not installed: miniupnpd (see tests/natlab/packages.txt)"
    ),
]
PROTOCOLS = ["pcp", "nat-pmp", "upnp"]
ALL = ",".join(PROTOCOLS)


class Player:
    """The process of `mapping_player.py`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def order(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the player ended"
        words: dict[str, Any] = json.loads(line)
        return words

    def map(self, transport: str, port: int, external: int, family: int = 4) -> dict[str, Any]:
        self.order("map", transport, family, port, external)
        return self.told()


@contextmanager
def player(site: Site, protocols: str) -> Iterator[Player]:
    process = site.popen(
        [sys.executable, "-m", "tests.natlab.mapping_player", protocols],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield Player(process)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(5) == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("kind", ["upnp", "upnp-sym"])
def test_a_port_is_mapped_and_given_back(lab: Lab, protocol: str, transport: str, kind: str) -> None:
    home, stranger = lab.site(kind), lab.site("sym-random")
    endpoint = (home.public_ipv4, 5500)
    with player(home, protocol) as asked:
        told = asked.map(transport, 5000, 5500)
        assert told["mapped"], told
        assert told["external"] == list(endpoint)
        assert told["protocol"] == protocol
        assert told["after"] < 1.5
        assert reaches(stranger.host, home.host, transport, 5000, endpoint)
    assert not reaches(lab.server, home.host, transport, 5000, endpoint)


def test_the_best_is_used_at_once(lab: Lab) -> None:
    with player(lab.site("upnp"), ALL) as asked:
        told = asked.map("udp", 5000, 5500)
        assert told["protocol"] == "pcp"
        assert told["after"] < 0.5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_after_a_restart_of_the_router_it_is_asked_again(lab: Lab, protocol: str) -> None:
    home, stranger = lab.site("upnp"), lab.site("port-restricted")
    endpoint = (home.public_ipv4, 5500)
    with player(home, protocol) as asked:
        assert asked.map("udp", 5000, 5500)["mapped"]
        time.sleep(4)  # the router's own clock tells: it must have run for longer than before its next answer
        home.router.reboot()
        assert not reaches(stranger.host, home.host, "udp", 5000, endpoint)
        told = asked.map("udp", 5001, 5501)
        if not told["mapped"]:  # UPnP's place has changed with the restart
            asked.order("refresh")
            assert asked.told()["mapped"]
        assert reaches(stranger.host, home.host, "udp", 5001, (home.public_ipv4, 5501))
        deadline = time.monotonic() + 2
        while not reaches(stranger.host, home.host, "udp", 5000, endpoint):
            assert time.monotonic() < deadline


@pytest.mark.parametrize("protocol", [*PROTOCOLS, ALL])
def test_behind_a_carrier(lab: Lab, protocol: str) -> None:
    """miniupnpd knows that its address is no public one, and the player is told what that means."""
    with player(lab.site("upnp-cgn"), protocol) as asked:
        told = asked.map("udp", 5000, 5500)
    assert not told["mapped"]
    assert told["text"].endswith(".")
    assert "public address" in told["text"] or "another NAT" in told["text"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_behind_a_squatting_carrier_a_mapping_lies(lab: Lab, protocol: str) -> None:
    """Only the server's knock can show it."""
    home = lab.site("upnp", carrier=lab.carrier(squats=True))
    with player(home, protocol) as asked:
        told = asked.map("udp", 5000, 5500)
        assert told["external"] == [home.router.wan, 5500]
        assert home.router.wan != home.public_ipv4


@pytest.mark.parametrize("kind", ["port-restricted", "open", "udp-blocked"])
def test_routers_without(lab: Lab, kind: str) -> None:
    with player(lab.site(kind), ALL) as asked:
        told = asked.map("udp", 5000, 5500)
    assert not told["mapped"]
    assert "answers neither PCP, NAT-PMP nor UPnP" in told["text"]
    assert told["after"] < 1.5


class Igd6(Igd):
    """miniupnpd with IPv6."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.router.namespace, f"{site.router.namespace.name}-6", "192.168.1.0/24")
        with self._configuration.open("a") as configuration:
            configuration.write("ipv6_disable=no\n")


def reaches_v6(source: Host, target: Host) -> bool:
    with target.socket(socket.AF_INET6) as receiver, source.socket(socket.AF_INET6) as sender:
        receiver.settimeout(0.3)
        receiver.bind(("::", 5000))
        sender.sendto(b"reach", (target.ipv6, 5000))
        try:
            return receiver.recv(100) == b"reach"
        except TimeoutError:
            return False


def test_pcp_opens_an_ipv6_firewall(lab: Lab) -> None:
    home, stranger = lab.site("upnp", v6=V6.FIREWALL), lab.site("v6-fw")
    assert home.router.igd is not None
    home.router.igd.stop()
    igd = Igd6(home)
    igd.start()
    try:
        assert not reaches_v6(stranger.host, home.host)
        with player(home, ALL) as asked:
            told = asked.map("udp", 5000, 5000, 6)
            assert (told["protocol"], told["external"]) == ("pcp", [home.host.ipv6, 5000])
            assert reaches_v6(stranger.host, home.host)
        assert not reaches_v6(lab.server, home.host)
    finally:
        igd.close()


def test_no_ipv6(lab: Lab) -> None:
    with player(lab.site("upnp"), ALL) as asked:
        assert asked.map("udp", 5000, 5500, 6)["text"] == "There is no IPv6 router here."
