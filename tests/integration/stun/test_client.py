"""Our client machines over real sockets on loopback, where there is no NAT."""

from __future__ import annotations

import socket

import pytest

from tests.support.server_process import ServerProcess
from tests.support.stun_driver import discover_tcp, discover_udp
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Filtering, Mapping


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_there_is_no_nat_on_loopback(two_addresses: ServerProcess, host: str) -> None:
    server = Endpoint(host, two_addresses.port("stun"))
    udp = discover_udp(server, two_addresses.port("stun2"))
    tcp = discover_tcp(server, two_addresses.port("stun2"))
    assert (udp.behaviour.mapping, tcp.behaviour.mapping) == (Mapping.NONE, Mapping.NONE)
    second = host == "127.0.0.1"
    assert udp.behaviour.filtering is (
        Filtering.ENDPOINT_INDEPENDENT if second else Filtering.ADDRESS_DEPENDENT
    )
    assert udp.certain_filtering is second
    assert udp.behaviour.hairpin is True
    for finding in (udp, tcp):
        assert finding.candidate is not None
        assert finding.candidate.address == host
        assert finding.candidate.port == finding.candidate.base_port
        assert finding.rtt is not None


def test_nobody_listens() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        server = Endpoint(*one.getsockname())
        assert discover_tcp(server, server.port).behaviour.mapping is Mapping.BLOCKED
        assert discover_udp(server, server.port).behaviour.mapping is Mapping.BLOCKED
