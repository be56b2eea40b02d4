"""What the client machine finds out about NATs in memory, against the server's real answers."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.nat import PUBLIC, Nat, Network
from tests.support.stun import FIRST, Server
from wlnet.config.schema import Limits
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.discovery import BehaviourDiscovery
from wlnet.protocols.stun.findings import Finding, allocation_of, plausible_other
from wlnet.protocols.stun.wire import Endpoint, Kind, Message
from wlnet.steering.model import Allocation, CandidateKind, Family, Filtering, Mapping, Transport

SECONDS = ("203.0.113.2",)
GENEROUS = Limits(stun_change_burst=10_000, stun_burst=100_000)


def discover(
    nat: Nat,
    *,
    server: Server | None = None,
    sockets: int = 4,
    loss: float = 0.0,
    delay: float = 0.02,
    seed: int = 1,
) -> tuple[Finding, Network]:
    random = Random(seed)
    network = Network(
        server or Server(GENEROUS, seconds=SECONDS), nat, delay=delay, lost=lambda: random.random() < loss
    )
    locals_ = network.locals(sockets)
    discovery = BehaviourDiscovery(FIRST, 3479, locals_, lambda: random.randbytes(12), network.now)
    return network.run(discovery, locals_), network


MAPPINGS = (
    Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_DEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT,
)  # fmt: skip
FILTERINGS = (
    Filtering.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_DEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT,
)  # fmt: skip


@pytest.mark.parametrize(("mapping", "filtering"), list(product(MAPPINGS, FILTERINGS)))
def test_all_behaviours_with_two_addresses(mapping: Mapping, filtering: Filtering) -> None:
    finding, network = discover(Nat(mapping, filtering))
    behaviour = finding.behaviour
    assert (behaviour.mapping, behaviour.filtering) == (mapping, filtering)
    assert finding.certain_mapping
    assert finding.certain_filtering
    assert (finding.family, finding.transport) == (Family.V4, Transport.UDP)
    assert finding.rtt == pytest.approx(0.04)
    assert network.now - 1000 < 1.5
    candidate = finding.candidate
    assert candidate is not None
    assert (candidate.kind, candidate.address) == (CandidateKind.SERVER_REFLEXIVE, PUBLIC)
    assert candidate.base_port == network.locals(1)[0].port
    assert candidate.port == candidate.base_port


@pytest.mark.parametrize(("mapping", "filtering"), list(product(MAPPINGS, FILTERINGS)))
def test_with_one_address_the_finding_says_what_is_uncertain(mapping: Mapping, filtering: Filtering) -> None:
    finding, _ = discover(Nat(mapping, filtering), server=Server(GENEROUS))
    behaviour = finding.behaviour
    if mapping is Mapping.ADDRESS_DEPENDENT:
        assert behaviour.mapping is Mapping.ENDPOINT_INDEPENDENT
    else:
        assert behaviour.mapping is mapping
    assert finding.certain_mapping == (mapping in (Mapping.NONE, Mapping.ADDRESS_AND_PORT_DEPENDENT))
    if filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT:
        assert (behaviour.filtering, finding.certain_filtering) == (filtering, True)
    else:
        assert (behaviour.filtering, finding.certain_filtering) == (Filtering.ADDRESS_DEPENDENT, False)


@pytest.mark.parametrize("step", [1, 2, -1, 64])
@pytest.mark.parametrize("mapping", [Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT])
def test_sequential_ports(step: int, mapping: Mapping) -> None:
    finding, _ = discover(Nat(mapping, allocation=Allocation.SEQUENTIAL, step=step))
    assert (finding.behaviour.allocation, finding.behaviour.step) == (Allocation.SEQUENTIAL, step)
    assert finding.ports[:4] == tuple(30000 + step * number for number in range(1, 5))


@pytest.mark.parametrize("seed", range(20))
def test_random_ports(seed: int) -> None:
    nat = Nat(Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.RANDOM, seed=seed)
    finding, _ = discover(nat)
    assert (finding.behaviour.allocation, finding.behaviour.step) == (Allocation.RANDOM, 0)


def test_kept_ports() -> None:
    finding, _ = discover(Nat())
    assert finding.behaviour.allocation is Allocation.PRESERVING


@pytest.mark.parametrize("filtering", FILTERINGS)
@pytest.mark.parametrize("hairpin", [True, False])
def test_hairpinning(filtering: Filtering, hairpin: bool) -> None:
    finding, _ = discover(Nat(filtering=filtering, hairpin=hairpin))
    assert finding.behaviour.hairpin is hairpin


def test_blocked() -> None:
    finding, network = discover(Nat(Mapping.BLOCKED))
    assert finding.behaviour.mapping is Mapping.BLOCKED
    assert (finding.candidate, finding.rtt, finding.behaviour.hairpin) == (None, None, None)
    assert finding.behaviour.filtering is Filtering.UNKNOWN
    assert network.now - 1000 <= 3.0


def test_with_a_single_socket() -> None:
    finding, _ = discover(Nat(Mapping.ADDRESS_DEPENDENT), sockets=1)
    behaviour = finding.behaviour
    assert behaviour.mapping is Mapping.ADDRESS_DEPENDENT
    assert (behaviour.filtering, behaviour.hairpin) == (Filtering.UNKNOWN, None)
    assert finding.candidate is not None


def test_a_server_that_refuses_to_change_does_not_look_like_a_filter() -> None:
    stingy = Server(Limits(stun_change_rate=0.001, stun_change_burst=1), seconds=SECONDS)
    stingy.ask(
        wire.encode(Message(Kind.REQUEST, 1, bytes(12), ((3, bytes((0, 0, 0, 2))),))), Endpoint(PUBLIC, 9)
    )
    finding, _ = discover(Nat(filtering=Filtering.ENDPOINT_INDEPENDENT), server=stingy)
    assert finding.behaviour.filtering is Filtering.UNKNOWN
    assert finding.behaviour.mapping is Mapping.ENDPOINT_INDEPENDENT


def test_the_candidate_is_there_after_one_round_trip() -> None:
    server = Server()
    discovery = BehaviourDiscovery(
        FIRST, 3479, [Endpoint("10.0.0.1", 5)], iter([bytes([n]) * 12 for n in range(9)]).__next__, 0.0
    )
    first = discovery.transmits()[0]
    sent = server.ask(first.data, Endpoint(PUBLIC, 77), first.destination)
    assert sent is not None
    before = discovery.candidate
    assert discovery.receive(0, sent.data, FIRST, 0.04)
    assert not discovery.done
    after = discovery.candidate
    assert before is None
    assert after is not None
    assert (after.address, after.port) == (PUBLIC, 77)


def test_foreign_datagrams_are_left_to_others() -> None:
    identities = iter([bytes([n]) * 12 for n in range(9)])
    discovery = BehaviourDiscovery(FIRST, 3479, [Endpoint("10.0.0.1", 5)] * 2, identities.__next__, 0.0)
    other = wire.frame(0x0101, b"x" * 12, b"")
    for data in (b"", b"\x21check", b"\x40quic", other, other[:19], other + b"\0"):
        assert not discovery.receive(0, data, FIRST, 0.1)
    first = discovery.transmits()[0]
    sent = Server().ask(first.data)
    assert sent is not None
    assert not discovery.receive(1, sent.data, FIRST, 0.1)  # at the wrong socket
    assert not discovery.receive(0, sent.data, Endpoint("192.0.2.66", 3478), 0.1)  # of a stranger
    assert discovery.candidate is None


@pytest.mark.parametrize("mapping", MAPPINGS[1:])
def test_what_is_lost_is_sent_again(mapping: Mapping) -> None:
    """With a tenth of all datagrams lost each way nearly all is found out, and nothing takes too long."""
    right = 0
    for seed in range(100):
        finding, network = discover(Nat(mapping, Filtering.ADDRESS_DEPENDENT), loss=0.1, seed=seed)
        assert network.now - 1000 <= 3.0
        right += (finding.behaviour.mapping, finding.behaviour.filtering) == (
            mapping,
            Filtering.ADDRESS_DEPENDENT,
        )
    assert right >= 90


@settings(deadline=None)
@given(
    st.sampled_from((*MAPPINGS, Mapping.BLOCKED)),
    st.sampled_from(FILTERINGS),
    st.floats(0, 1),
    st.floats(0, 2),
    st.integers(1, 6),
    st.integers(0, 2**32),
)
def test_it_always_ends_in_time_and_sends_little(
    mapping: Mapping, filtering: Filtering, loss: float, delay: float, sockets: int, seed: int
) -> None:
    finding, network = discover(Nat(mapping, filtering), loss=loss, delay=delay, sockets=sockets, seed=seed)
    assert network.now - 1000 <= 3.0 + 1e-6
    assert network.sent <= 5 * (sockets + 2) + 12
    if finding.behaviour.mapping not in (Mapping.BLOCKED, Mapping.UNKNOWN):
        assert finding.candidate is not None
    if mapping is Mapping.BLOCKED:
        assert finding.behaviour.mapping is Mapping.BLOCKED


@given(st.binary(max_size=64), st.integers(0, 0xFFFF))
def test_bad_answers_do_no_harm(value: bytes, number: int) -> None:
    identities = iter([bytes([n]) * 12 for n in range(99)])
    discovery = BehaviourDiscovery(FIRST, 3479, [Endpoint("10.0.0.1", 5)] * 4, identities.__next__, 0.0)
    for socket, data, destination in discovery.transmits():
        transaction = wire.decode(data).transaction
        answer = wire.encode(Message(Kind.SUCCESS, 1, transaction, ((number, value),)))
        discovery.receive(socket, answer, destination, 0.1)
    discovery.tick(3.0)
    assert discovery.done


def test_no_local_socket() -> None:
    with pytest.raises(ValueError, match="socket"):
        BehaviourDiscovery(FIRST, 3479, [], lambda: bytes(12), 0.0)


@pytest.mark.parametrize(
    "other",
    ["203.0.113.1", "224.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "2001:db8::1"],
)
def test_other_addresses_nobody_is_sent_to(other: str) -> None:
    assert not plausible_other(FIRST, Endpoint(other, 3479))
    assert not plausible_other(FIRST, Endpoint("203.0.113.2", 0))
    assert plausible_other(FIRST, Endpoint("203.0.113.2", 3479))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], (Allocation.UNKNOWN, 0)),
        ([(1, 5)], (Allocation.UNKNOWN, 0)),
        ([(1, 5), (2, 6)], (Allocation.UNKNOWN, 0)),
        ([(1, 5), (2, 6), (3, 7)], (Allocation.SEQUENTIAL, 1)),
        ([(1, 5), (2, 7), (3, 8), (4, 9)], (Allocation.SEQUENTIAL, 1)),  # another program's came between
        ([(1, 5), (2, 5), (3, 6), (4, 7)], (Allocation.SEQUENTIAL, 1)),  # one mapping seen twice
        ([(1, 65534), (2, 65535), (3, 1024), (4, 1025)], (Allocation.SEQUENTIAL, 1)),  # it wrapped round
        ([(1, 1000), (2, 1500), (3, 2000), (4, 2500)], (Allocation.RANDOM, 0)),  # a step too long to be one
        ([(1, 900), (2, 17), (3, 50000), (4, 31)], (Allocation.RANDOM, 0)),
        ([(1, 1), (2, 2), (3, 9), (4, 4)], (Allocation.PRESERVING, 0)),
    ],
)
def test_allocations(samples: list[tuple[int, int]], expected: tuple[Allocation, int]) -> None:
    assert allocation_of(samples) == expected


class Watched(BehaviourDiscovery):
    """Asked after each datagram what is known by then."""

    early: Finding | None = None

    def receive(self, number: int, data: bytes, source: Endpoint, now: float) -> bool:
        taken = super().receive(number, data, source, now)
        if self.early is None and self.finding is None:
            self.early = self.so_far()
        return taken


@pytest.mark.parametrize(
    ("mapping", "allocation"),
    [
        (Mapping.ENDPOINT_INDEPENDENT, Allocation.PRESERVING),
        (Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL),
    ],
)
def test_what_is_known_before_the_end(mapping: Mapping, allocation: Allocation) -> None:
    random = Random(1)
    network = Network(Server(GENEROUS, seconds=SECONDS), Nat(mapping, allocation=allocation))
    places = network.locals(4)
    discovery = Watched(FIRST, 3479, places, lambda: random.randbytes(12), network.now)
    assert discovery.so_far() is None
    finding = network.run(discovery, places)
    early = discovery.early
    assert early is not None
    assert (early.behaviour.mapping, early.behaviour.allocation) == (mapping, allocation)
    assert early.behaviour.step == finding.behaviour.step
    assert (early.behaviour.filtering, early.behaviour.hairpin) == (Filtering.UNKNOWN, None)
    assert finding.behaviour.filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT
    assert discovery.so_far() is finding
