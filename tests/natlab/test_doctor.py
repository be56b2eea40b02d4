"""`wlnet doctor` in homes of many kinds, against the real server."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.natlab.lab import Lab
from tests.natlab.matrix.world import start_server
from tests.natlab.site import Site
from tests.support.certificates import Authority

pytestmark = pytest.mark.natlab

IGD = pytest.mark.skipif(shutil.which("miniupnpd") is None, reason="not installed: miniupnpd")
D, M, P, R = "direct", "mapped", "punched", "relayed"


@dataclass
class World:
    lab: Lab
    authority: Path

    def doctor(self, site: Site, *more: str, lobby: str = "", status: int = 0) -> str:
        """What it prints."""
        place = lobby or f"tcp://{self.lab.server.ipv4}"
        words = ["doctor", "--lobby", place, "--ca", str(self.authority), *more]
        done = site.run([sys.executable, "-m", "wlnet.cli.main", *words], check=False, timeout=40)
        assert done.stderr == ""
        assert done.returncode == status, done.stdout
        return str(done.stdout)

    def report(self, site: Site, *more: str, lobby: str = "", status: int = 0) -> dict[str, Any]:
        (line,) = self.doctor(site, "--json", *more, lobby=lobby, status=status).splitlines()
        report: dict[str, Any] = json.loads(line)
        assert report["format"] == 1
        return report

    @property
    def web(self) -> str:
        return f"tls://{self.lab.server.ipv4}:443"


@pytest.fixture(scope="module")
def world(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("doctor")
    with Lab() as lab:
        authority = Authority(folder)
        server = start_server(lab.server, folder / "server", authority)
        try:
            yield World(lab, authority.file)
            assert server.stop() == 0
            server.check_log()
        finally:
            server.kill()


KINDS = {
    # verdict; with a player who is open, mapped, easy, with IPv6, hard, without UDP, web only; what is said
    "open": ("excellent", [D, D, D, D, D, D, R], ["others reach you there"]),
    "open-fw": ("good", [D, M, P, P, R, P, R], ["behind a firewall that lets in only answers"]),
    "v6-fw": ("good", [D, M, P, P, R, P, R], ["public IPv6 address", "easy NAT"]),
    "full-cone": ("excellent", [D, M, P, P, P, P, R], ["it lets everybody in"]),
    "restricted": ("excellent", [D, M, P, P, P, P, R], ["from any of his ports"]),
    "port-restricted": ("good", [D, M, P, P, R, P, R], ["easy NAT", "answers neither PCP, NAT-PMP nor UPnP"]),
    "eim-remap": ("good", [D, M, P, P, R, P, R], ["outer ports are not those of the program"]),
    "sym-seq": ("good", [D, M, P, P, R, P, R], ["hard NAT", "counts its outer ports (by 1)"]),
    "sym-random": ("relayed", [D, M, R, R, R, R, R], ["hard NAT", "nobody can guess them"]),
    "cgn-sym": ("relayed", [D, M, R, R, R, R, R], ["hard NAT"]),
    "udp-blocked": ("good", [D, M, P, P, R, P, R], ["UDP does not get out"]),
}


def said(report: dict[str, Any]) -> str:
    return "\n".join(remark["text"] for remark in report["network"])


def kinds(report: dict[str, Any]) -> list[str]:
    return [row["kind"] for row in report["expect"]]


@pytest.mark.parametrize("kind", KINDS)
def test_kind(world: World, kind: str) -> None:
    report = world.report(world.lab.site(kind))
    verdict, expected, words = KINDS[kind]
    assert kinds(report) == expected
    assert report["verdict"] == verdict
    for word in words:
        assert word in said(report)
    assert "The relay answers over" in said(report)
    assert bool(report["advice"]) == (kind != "open")


@IGD
@pytest.mark.parametrize("kind", ["upnp", "upnp-sym"])
def test_a_router_that_opens_ports(world: World, kind: str) -> None:
    report = world.report(world.lab.site(kind))
    assert report["verdict"] == "excellent"
    assert kinds(report) == [D, M, M, M, M, M, R]
    for protocol in ("PCP", "NAT-PMP", "UPnP"):
        assert f"opens ports by {protocol}, and the server got through one" in said(report)
    assert report["advice"] == []
    assert report["expect"][-1]["perhaps"] == "mapped"


@IGD
def test_a_router_behind_a_carrier(world: World) -> None:
    report = world.report(world.lab.site("upnp-cgn"))
    assert "behind another NAT" in said(report)
    assert "Your router is itself behind another NAT" in report["advice"][0]


@IGD
def test_a_router_that_lies(world: World) -> None:
    """Its carrier uses addresses of others, so that it believes it has a public one."""
    site = world.lab.site("upnp", carrier=world.lab.carrier(squats=True))
    report = world.report(site)
    assert "that is not where the server sees you" in said(report)
    assert {trial["truth"] for trial in report["findings"]["trials"]} == {"other-address"}
    assert "Your router is itself behind another NAT" in report["advice"][0]


def test_only_the_web_gets_out(world: World) -> None:
    site = world.lab.site("tcp443")
    report = world.report(site, lobby=world.web)
    assert (report["verdict"], set(kinds(report))) == ("relayed", {R})
    assert "Only connections to TCP port 443" in said(report)
    assert "The relay answers over TLS port 443" in said(report)


def test_only_the_web_gets_out_and_the_lobby_is_asked_elsewhere(world: World) -> None:
    report = world.report(world.lab.site("tcp443"), status=1)
    assert (report["verdict"], report["playable"]) == ("impossible", False)
    assert report["advice"][0] == f"Port 443 of the server answers: use --lobby {world.web}."


@IGD
def test_interrupted_it_gives_the_ports_back(world: World) -> None:
    site = world.lab.site("upnp")
    words = [sys.executable, "-m", "wlnet.cli.main", "doctor", "--lobby", f"tcp://{world.lab.server.ipv4}"]
    process = site.popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Asking the relay"):
            break
    deadline = time.monotonic() + 5
    while not _rules(site):
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    assert "Traceback" not in process.stdout.read()
    assert not _rules(site)


def _rules(site: Site) -> list[str]:
    """Ports the router maps."""
    rules = site.router.namespace.run(["nft", "list", "ruleset"]).stdout
    return [line for line in rules.splitlines() if "dnat" in line and site.host.ipv4 in line]


def test_as_people_read_it(world: World) -> None:
    text = world.doctor(world.lab.site("sym-random"), "--no-mapping")
    lines = text.splitlines()
    assert [line for line in lines if line.endswith("...")] == lines[:4]
    for title in ("Your network", "What to expect with a player", "What you can change"):
        assert title in lines
    assert all(len(line) <= 100 for line in lines)
    assert "PCP" not in text
