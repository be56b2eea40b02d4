"""Peers that share a LAN or a carrier, and IPv6."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import pytest

from tests.natlab import punch_tcp, punch_udp
from tests.natlab.kinds import V6
from tests.natlab.lab import Lab
from tests.natlab.punch import Tricks
from tests.natlab.reach import crosses_v6, reaches, reaches_v6

pytestmark = pytest.mark.natlab

PUNCHERS = {"udp": punch_udp, "tcp": punch_tcp}


@pytest.mark.parametrize("puncher", PUNCHERS.values(), ids=list(PUNCHERS))
@pytest.mark.parametrize("hairpin", [False, True])
@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("kind", ["port-restricted", "full-cone"])
def test_same_lan(lab: Lab, kind: str, isolated: bool, hairpin: bool, puncher: ModuleType) -> None:
    home = lab.site(kind, hosts=2, isolated=isolated, hairpin=hairpin)
    one, other = home.hosts
    transport = next(name for name, module in PUNCHERS.items() if module is puncher)
    assert reaches(one, other, transport, 5000, (other.ipv4, 5000)) is not isolated
    views = [dataclasses.replace(home, hosts=[host]) for host in home.hosts]
    assert puncher.two_sided(lab.server, *views, Tricks()) is hairpin


@pytest.mark.parametrize("puncher", PUNCHERS.values(), ids=list(PUNCHERS))
@pytest.mark.parametrize("hairpin", [False, True])
def test_same_carrier(lab: Lab, hairpin: bool, puncher: ModuleType) -> None:
    carrier = lab.carrier(hairpin=hairpin)
    homes = [lab.site("port-restricted", carrier=carrier) for _ in range(2)]
    assert homes[0].public_ipv4 == homes[1].public_ipv4
    assert puncher.two_sided(lab.server, *homes, Tricks()) is hairpin


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_homes_of_a_carrier_do_not_reach_each_other_inside(lab: Lab, transport: str) -> None:
    carrier = lab.carrier()
    one, other = (lab.site("full-cone", carrier=carrier) for _ in range(2))
    assert reaches(other.host, lab.server, transport, 5000, (lab.server.ipv4, 5000))
    assert not reaches(one.host, other.host, transport, 5000, (other.router.wan, 5000))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ipv6(lab: Lab, transport: str) -> None:
    open_, firewalled = lab.site("port-restricted", v6=V6.OPEN), lab.site("v6-fw")
    carried = lab.site("cgn", v6=V6.OPEN)
    assert reaches_v6(firewalled.host, open_.host, transport)
    assert reaches_v6(lab.server, open_.host, transport)
    assert reaches_v6(firewalled.host, carried.host, transport)
    assert not reaches_v6(open_.host, firewalled.host, transport)
    assert not reaches_v6(lab.server, firewalled.host, transport)


def test_ipv6_punching(lab: Lab) -> None:
    one, other = lab.site("v6-fw"), lab.site("v6-fw")
    assert crosses_v6(one.host, other.host)
