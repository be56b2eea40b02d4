"""The laboratory itself: nothing of it stays, two do not disturb each other, it is quick to build."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.natlab import names, probe
from tests.natlab.kinds import KINDS
from tests.natlab.lab import Lab

pytestmark = pytest.mark.natlab

ROOT = Path(__file__).parents[2]
VICTIM = """
import sys, time
from tests.natlab.lab import Lab
with Lab() as lab:
    site = lab.site("port-restricted", delay=0.01)
    site.popen(["sleep", "600"])
    lab.server.namespace.processes.clear()
    print(site.host.namespace.name, flush=True)
    time.sleep(600)
"""


def mine() -> list[str]:
    return names.namespaces(f"{names.PREFIX}-{os.getpid()}-")


def test_nothing_stays(possible: None) -> None:
    before = mine()
    with Lab() as lab:
        site = lab.site("port-restricted", delay=0.01)
        sleeper = site.popen(["sleep", "600"])
        assert len(mine()) == len(before) + 4
        assert site.run(["ip", "route", "get", lab.server.ipv4]).returncode == 0
    assert sleeper.returncode is not None
    assert mine() == before


def test_nothing_stays_after_a_failure(possible: None) -> None:
    before = mine()
    with pytest.raises(RuntimeError, match="test fails"), Lab() as lab:  # noqa: PT012
        lab.site("sym-random")
        raise RuntimeError("test fails")
    assert mine() == before


def test_leftovers_of_a_killed_process_are_swept(possible: None) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        name = victim.stdout.readline().strip()
        with Lab():
            assert names.namespaces(name), "what belongs to a living process stays"
        os.kill(victim.pid, signal.SIGKILL)
    assert names.namespaces(name)
    with Lab():
        assert not names.namespaces(name)
    assert not names.processes_in([name])


def test_two_at_a_time(possible: None) -> None:
    """The same addresses in both, and neither hears the other."""
    with Lab() as one, Lab() as other:
        sites = [lab.site("port-restricted") for lab in (one, other)]
        assert sites[0].public_ipv4 == sites[1].public_ipv4
        with probe.udp_servers(one.server) as servers, probe.udp_servers(other.server) as others:
            with probe.bound(sites[0].host) as source:
                assert probe.seen(source, servers[0]) is not None
            others[0].setblocking(False)
            with pytest.raises(BlockingIOError):
                others[0].recv(100)


def test_sites_are_built_quickly(lab: Lab) -> None:
    kinds = [name for name, kind in KINDS.items() if not kind.igd]
    start = time.monotonic()
    for kind in kinds:
        lab.site(kind)
    assert (time.monotonic() - start) / len(kinds) < 0.5


def test_wishes_that_do_not_go_together(lab: Lab) -> None:
    with pytest.raises(ValueError, match="2 hosts at a home that is open"):
        lab.site("open", hosts=2)
    with pytest.raises(ValueError, match="open behind a carrier"):
        lab.site("open", carrier=lab.carrier())
