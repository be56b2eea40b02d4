"""Lossy lines, and strangers who send anything."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.sim_stun import FIRST
from tests.support.simnet_nat import SimNat
from tests.unit.client.gather.streams import Handler
from tests.unit.client.gather.world import PRIVATE, PUBLIC, World
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import CandidateKind, Family, Filtering, Transport

V4 = Family.V4
_COOKIE = b"\x21\x12\xa4\x42"
_STUN = st.builds(
    lambda kind, length, rest: bytes([kind % 4, kind // 4, length // 256, length % 256]) + _COOKIE + rest,
    st.integers(0, 255),
    st.integers(0, 65535),
    st.binary(max_size=60),
)
_OURS = st.builds(lambda first, rest: bytes([first]) + rest, st.integers(0x20, 0x2F), st.binary(max_size=40))
_ANYTHING = st.one_of(st.binary(max_size=80), _STUN, _OURS)


def test_a_tenth_lost_each_way() -> None:
    """Nearly always all is there in time, and what was lost is there soon after."""
    in_time = 0
    for seed in range(20):
        world = World(SimNat(PUBLIC))
        world.net.random.seed(seed)
        world.net.link(world.player, world.stun.host, loss=0.1)
        world.surveyor.start()
        world.net.advance(4)
        began = world.net.time
        world.gather()
        said = world.complete()
        assert world.net.time - began <= 1.5
        in_time += sum(one.kind is CandidateKind.SERVER_REFLEXIVE for one in said.candidates) == 2
        world.net.advance(12)
        assert len(world.events.of(CandidateKind.SERVER_REFLEXIVE, Transport.UDP)) == 1
    assert in_time >= 17


@settings(max_examples=150, deadline=None)
@given(st.lists(_ANYTHING, max_size=8), st.booleans(), st.booleans())
def test_strangers_change_nothing(packets: list[bytes], adopted: bool, as_server: bool) -> None:
    world = World(SimNat(PUBLIC, filtering=Filtering.ENDPOINT_INDEPENDENT))
    world.survey()
    gathering = world.gather()
    world.complete()
    before = world.events.last
    (outer,) = world.events.of(CandidateKind.SERVER_REFLEXIVE, Transport.UDP)
    got: list[bytes] = []
    if adopted:
        gathering.adopt_datagram(V4, outer.base_port, lambda data, source: got.append(data))
    stranger = world.net.host("stranger", ["203.0.113.66"])
    sender = world.stun.host if as_server else stranger
    socket = sender.open_datagram(V4, lambda data, source: None)
    for data in packets:
        socket.send(data, Endpoint(outer.address, outer.port))
    world.net.advance(1)
    assert world.events.last == before
    assert set(got) <= {data for data in packets if data and not 0x23 <= data[0] <= 0x25}
    gathering.close()
    world.surveyor.close()
    assert all(len(token) == 32 for token in world.events.tokens)


@settings(max_examples=150, deadline=None)
@given(st.lists(_ANYTHING, min_size=1, max_size=6), st.booleans())
def test_strangers_over_tcp(pieces: list[bytes], adopted: bool) -> None:
    world = World(None, (PUBLIC,))
    world.survey()
    gathering = world.gather()
    world.complete()
    before = world.events.last
    owner = Handler()
    ports = {one.port for one in world.events.of(CandidateKind.HOST, Transport.TCP)}
    assert 443 in ports
    for port in ports:
        if adopted:
            gathering.adopt_listener(V4, port, owner.take)
        handler = Handler()
        stream = (world.net.hosts.get("stranger") or world.net.host("stranger", ["203.0.113.66"])).connect(
            Endpoint(PUBLIC, port), handler
        )
        for data in pieces:
            stream.write(data)
            world.net.advance(0.05)
        stream.close()
    world.net.advance(8)
    assert world.events.last == before
    gathering.close()
    if not adopted:
        # Nobody is left; what an owner was given is his.
        assert not [one for one in world.player.streams if one.remote.host != FIRST]
    world.surveyor.close()


def test_a_network_that_changes_within_an_attempt() -> None:
    world = World(SimNat(PUBLIC), (PRIVATE,))
    world.survey()
    gathering = world.gather()
    world.net.advance(0.32)
    world.player.addresses = ()
    world.net.advance(4)
    assert world.changes == 1
    world.player.addresses = ("10.1.2.3",)
    world.net.advance(40)
    assert world.changes == 2
    gathering.close()
    world.surveyor.close()
    assert world.player.open == 0
