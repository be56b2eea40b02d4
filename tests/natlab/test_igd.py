"""Ports mapped by the real miniupnpd are reached by strangers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

from tests.natlab.lab import Lab
from tests.natlab.mapping_clients import Mapped, nat_pmp, pcp
from tests.natlab.reach import reaches
from tests.natlab.site import Host

pytestmark = [
    pytest.mark.natlab,
    pytest.mark.skipif(
        not (shutil.which("miniupnpd") and shutil.which("upnpc")),
        reason="not installed: miniupnpd, miniupnpc (see tests/natlab/packages.txt)",
    ),
]

NAT_PMP_NETWORK_FAILURE = 3
PCP_NOT_AUTHORIZED = 2
PCP_NO_RESOURCES = 8


@pytest.mark.parametrize("kind", ["upnp", "upnp-sym"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("ask", [nat_pmp, pcp])
def test_port_mapped(
    lab: Lab, kind: str, transport: str, ask: Callable[[Host, str, int, int], Mapped]
) -> None:
    home, stranger = lab.site(kind), lab.site("sym-random")
    before = reaches(stranger.host, home.host, transport, 5000, (home.public_ipv4, 5500))
    mapped = ask(home.host, transport, 5000, 5500)
    assert mapped == Mapped(0, home.public_ipv4, 5500)
    after = reaches(stranger.host, home.host, transport, 5000, (home.public_ipv4, 5500))
    assert (before, after) == (False, True)
    assert lab.server.ipv4 != home.public_ipv4
    assert reaches(lab.server, home.host, transport, 5000, (home.public_ipv4, 5500))


def test_port_443_for_who_can_get_out_there_only(lab: Lab) -> None:
    home, shut_in = lab.site("upnp"), lab.site("tcp443")
    assert pcp(home.host, "tcp", 5000, 443).result == 0
    assert pcp(home.host, "tcp", 5001, 5500).result == 0
    assert reaches(shut_in.host, home.host, "tcp", 5000, (home.public_ipv4, 443))
    assert not reaches(shut_in.host, home.host, "tcp", 5001, (home.public_ipv4, 5500))


def test_upnp_igd(lab: Lab) -> None:
    home, stranger = lab.site("upnp"), lab.site("port-restricted")
    asked = home.run(["upnpc", "-e", "game", "-a", home.host.ipv4, "5000", "5500", "TCP", "60"])
    assert f"ExternalIPAddress = {home.public_ipv4}" in asked.stdout
    assert reaches(stranger.host, home.host, "tcp", 5000, (home.public_ipv4, 5500))


def test_a_reboot_forgets_mapped_ports(lab: Lab) -> None:
    home, stranger = lab.site("upnp"), lab.site("port-restricted")
    assert pcp(home.host, "udp", 5000, 5500).result == 0
    home.router.reboot()
    assert not reaches(stranger.host, home.host, "udp", 5000, (home.public_ipv4, 5500))
    assert pcp(home.host, "udp", 5000, 5500).result == 0
    assert reaches(stranger.host, home.host, "udp", 5000, (home.public_ipv4, 5500))


def test_removal_needs_the_nonce(lab: Lab) -> None:
    """RFC 6887 wants it for renewals too; miniupnpd 2.3.1 takes those with any."""
    home, stranger, nonce = lab.site("upnp"), lab.site("port-restricted"), os.urandom(12)
    endpoint = (home.public_ipv4, 5500)
    assert pcp(home.host, "udp", 5000, 5500, nonce=nonce).result == 0
    assert pcp(home.host, "udp", 5000, 5500, nonce=nonce).result == 0
    assert pcp(home.host, "udp", 5000, 5500, lifetime=0).result == PCP_NOT_AUTHORIZED
    assert reaches(stranger.host, home.host, "udp", 5000, endpoint)
    assert pcp(home.host, "udp", 5000, 5500, lifetime=0, nonce=nonce).result == 0
    assert not reaches(lab.server, home.host, "udp", 5000, endpoint)


def test_behind_a_carrier_nothing_is_mapped(lab: Lab) -> None:
    """miniupnpd knows that its address is no public one."""
    home = lab.site("upnp-cgn")
    assert nat_pmp(home.host, "udp", 5000, 5500).result == NAT_PMP_NETWORK_FAILURE
    assert pcp(home.host, "udp", 5000, 5500).result == PCP_NO_RESOURCES


def test_behind_a_squatting_carrier_a_mapping_lies(lab: Lab) -> None:
    home, stranger = lab.site("upnp", carrier=lab.carrier(squats=True)), lab.site("port-restricted")
    mapped = pcp(home.host, "udp", 5000, 5500)
    assert mapped.result == 0
    assert mapped.address == home.router.wan != home.public_ipv4
    for address in (mapped.address, home.public_ipv4):
        assert not reaches(stranger.host, home.host, "udp", 5000, (address, mapped.port))
