"""The client machine over TCP, against the server's real answers."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.nat import PUBLIC, Nat
from tests.support.stun import FIRST, Server
from wlnet.protocols.stun.findings import Finding
from wlnet.protocols.stun.stream_discovery import StreamDiscovery
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, CandidateKind, Filtering, Mapping, Transport

SECONDS = ("203.0.113.2",)
RTT = 0.05


def make(start: float = 0.0) -> StreamDiscovery:
    random = Random(1)
    return StreamDiscovery(FIRST, 3479, lambda: random.randbytes(12), start)


def discover(nat: Nat, server: Server | None = None, *, pieces: bool = False, closed: int = 0) -> Finding:
    """All connections come up unless the NAT blocks them or they go to port *closed*."""
    server = server or Server(seconds=SECONDS)
    discovery = make()
    now = 0.0
    while wanted := discovery.connects():
        for connect in wanted:
            local = Endpoint(nat.host, 40000 + 7919 * connect.port_group % 1000)
            outside = nat.out(local, connect.destination)
            if outside is None or connect.destination.port == closed:
                discovery.failed(connect.number, now)
                continue
            request = discovery.connected(connect.number, local, now)
            reply = server.responder.message(request, outside, connect.destination)
            assert reply is not None
            now += RTT
            for piece in [reply[:9], reply[9:30], reply[30:]] if pieces else [reply]:
                discovery.receive(connect.number, piece, now)
    assert discovery.finding is not None
    return discovery.finding


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize(
    "mapping",
    [
        Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_DEPENDENT,
        Mapping.ADDRESS_AND_PORT_DEPENDENT,
    ],
)  # fmt: skip
def test_all_mappings(mapping: Mapping, pieces: bool) -> None:
    finding = discover(Nat(mapping), pieces=pieces)
    assert (finding.behaviour.mapping, finding.certain_mapping) == (mapping, True)
    assert (finding.behaviour.filtering, finding.behaviour.hairpin) == (Filtering.UNKNOWN, None)
    assert finding.transport is Transport.TCP
    assert finding.rtt == pytest.approx(RTT)
    candidate = finding.candidate
    assert candidate is not None
    assert (candidate.kind, candidate.transport) == (CandidateKind.SERVER_REFLEXIVE, Transport.TCP)
    assert (candidate.address, candidate.port, candidate.base_port) == (PUBLIC, 40000, 40000)


def test_with_one_address() -> None:
    finding = discover(Nat(Mapping.ADDRESS_DEPENDENT), Server())
    assert (finding.behaviour.mapping, finding.certain_mapping) == (Mapping.ENDPOINT_INDEPENDENT, False)


@pytest.mark.parametrize("mapping", [Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT])
def test_sequential_ports(mapping: Mapping) -> None:
    finding = discover(Nat(mapping, allocation=Allocation.SEQUENTIAL, step=2))
    assert (finding.behaviour.allocation, finding.behaviour.step) == (Allocation.SEQUENTIAL, 2)


def test_random_ports() -> None:
    finding = discover(Nat(Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.RANDOM))
    assert finding.behaviour.allocation is Allocation.RANDOM


def test_blocked_at_once_and_by_silence() -> None:
    finding = discover(Nat(Mapping.BLOCKED))
    assert (finding.behaviour.mapping, finding.candidate) == (Mapping.BLOCKED, None)
    discovery = make(100.0)
    assert len(discovery.connects()) == 5
    assert discovery.next_deadline() == 105.0
    discovery.tick(104.0)
    assert not discovery.done
    discovery.tick(105.0)
    assert discovery.finding is not None
    assert discovery.finding.behaviour.mapping is Mapping.BLOCKED
    assert discovery.next_deadline() is None


def test_the_second_port_blocked() -> None:
    finding = discover(Nat(), closed=3479)
    assert (finding.behaviour.mapping, finding.certain_mapping) == (Mapping.ENDPOINT_INDEPENDENT, False)
    finding = discover(Nat(), Server(), closed=3479)
    assert finding.behaviour.mapping is Mapping.UNKNOWN
    assert finding.candidate is not None


def test_something_that_is_no_stun_server() -> None:
    discovery = make()
    for connect in discovery.connects():
        discovery.connected(connect.number, Endpoint("10.0.0.1", 40000), 0.0)
        discovery.receive(connect.number, b"HTTP/1.1 400 Bad Request\r\n\r\n", 0.1)
    assert discovery.finding is not None
    assert discovery.finding.behaviour.mapping is Mapping.UNKNOWN


@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=80)), max_size=20))
def test_any_bytes_do_no_harm(said: list[tuple[int, bytes]]) -> None:
    discovery = make()
    for connect in discovery.connects():
        discovery.connected(connect.number, Endpoint("10.0.0.1", 40000), 0.0)
    for number, data in said:
        discovery.receive(number, data, 0.1)
    discovery.tick(5.0)
    assert discovery.finding is not None
    assert discovery.finding.candidate is None
