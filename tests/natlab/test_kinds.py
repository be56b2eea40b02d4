"""Every kind of router behaves as its name says."""

from __future__ import annotations

import shutil

import pytest

from tests.natlab import probe
from tests.natlab.kinds import KINDS, Passes
from tests.natlab.lab import Lab
from tests.natlab.probe import Observed

pytestmark = pytest.mark.natlab

SILENT = ("silent", "silent")
REFUSES = ("RST", "ICMP")
RANDOM = "APDM random"

TABLE = {
    "open": Observed("EIM", "EIF", True, "EIM", True, *REFUSES),
    "open-fw": Observed("EIM", "APDF", True, "EIM", True, *SILENT),
    "v6-fw": Observed("EIM", "APDF", True, "EIM", True, *SILENT),
    "full-cone": Observed("EIM", "EIF", True, "EIM", True, *SILENT),
    "restricted": Observed("EIM", "ADF", True, "EIM", True, *SILENT),
    "port-restricted": Observed("EIM", "APDF", True, "EIM", True, *SILENT),
    "pr-reject": Observed("EIM", "APDF", True, "EIM", True, *REFUSES),
    "pr-clash": Observed("EIM", "APDF", True, "EIM", True, *REFUSES),
    "eim-remap": Observed("EIM", "APDF", False, "EIM", False, *SILENT),
    "pr-collide": Observed(RANDOM, "APDF", False, RANDOM, False, *SILENT),
    "sym-seq": Observed("APDM +1", "APDF", False, "APDM +1", False, *SILENT),
    "sym-random": Observed(RANDOM, "APDF", False, RANDOM, False, *SILENT),
    "cgn": Observed("EIM", "APDF", False, "EIM", False, *SILENT),
    "cgn-sym": Observed(RANDOM, "APDF", False, RANDOM, False, *SILENT),
    "upnp": Observed("EIM", "APDF", True, "EIM", True, *SILENT),
    "upnp-sym": Observed(RANDOM, "APDF", False, RANDOM, False, *SILENT),
    "upnp-cgn": Observed("EIM", "APDF", False, "EIM", False, *SILENT),
    "udp-blocked": Observed("none", "-", None, "EIM", True, *SILENT),
    "tcp443": Observed("none", "-", None, "none", None, *SILENT),
}


def test_the_table_has_every_kind() -> None:
    assert list(TABLE) == list(KINDS)


@pytest.mark.parametrize("kind", TABLE)
def test_kind(lab: Lab, kind: str) -> None:
    if KINDS[kind].igd and shutil.which("miniupnpd") is None:
        pytest.skip("not installed: miniupnpd (see tests/natlab/packages.txt)")
    site = lab.site(kind)
    assert probe.observe(site.host, lab.server, site.public_ipv4) == TABLE[kind]
    through_443 = probe.tcp_endpoint(site.host, 0, lab.server, (lab.server.ipv4, 443))
    assert through_443 is not None
    assert through_443[0] == site.public_ipv4
    if KINDS[kind].router.passes is Passes.TCP_443:
        assert probe.tcp_endpoint(site.host, 0, lab.server, (lab.server.ipv4, 444)) is None


@pytest.mark.parametrize(
    ("kind", "kept"), [("pr-clash", False), ("pr-reject", True), ("port-restricted", True)]
)
def test_a_packet_that_came_too_early(lab: Lab, kind: str, kept: bool) -> None:
    """It takes the port from the flow of the other direction where the router itself answers it."""
    site = lab.site(kind)
    with probe.udp_servers(lab.server) as servers, probe.bound(site.host) as source:
        endpoint = probe.seen(source, servers[0])
        assert endpoint is not None
        servers[3].sendto(b"early", endpoint)
        assert (probe.seen(source, servers[3]) == endpoint) is kept
