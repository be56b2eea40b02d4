from __future__ import annotations

import pytest

from tests.support.simnet_nat import SimNat
from tests.unit.client.gather.streams import Handler
from tests.unit.client.gather.world import PRIVATE, PUBLIC, World
from wlnet.client.gather.gathering import Gathering
from wlnet.client.gather.words import GatherOptions
from wlnet.client.net.network import Stream
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import CandidateKind, Family, Filtering, Transport

V4, V6 = Family.V4, Family.V6
TOKEN = bytes(range(16))


def check(attempt: int) -> bytes:
    """A framed check."""
    return b"\x00\x21\x21\x00" + attempt.to_bytes(4, "big") + bytes(27)


def public() -> tuple[World, Gathering, Gathering]:
    """Somebody with a public address in two attempts, and a stranger."""
    world = World(None, (PUBLIC,))
    world.survey()
    gatherings = world.gather(attempt=7), world.gather(attempt=8)
    world.net.advance(2)
    world.net.host("stranger", ["203.0.113.60"])
    return world, *gatherings


def dial(world: World, handler: Handler) -> Stream:
    stream = world.net.hosts["stranger"].connect(Endpoint(PUBLIC, 443), handler)
    world.net.advance(0.1)
    return stream


def test_all_attempts_share_it() -> None:
    world, first, second = public()
    for attempt in (7, 8):
        said = [said for _, said in world.events.candidates if said.attempt == attempt][-1]
        assert 443 in {
            one.port
            for one in said.candidates
            if (one.transport, one.kind) == (Transport.TCP, CandidateKind.HOST)
        }
    owners = {7: Handler(), 8: Handler()}
    for gathering, attempt in ((first, 7), (second, 8)):
        assert gathering.adopt_listener(V4, 443, owners[attempt].take) is not None
        assert gathering.adopt_listener(V4, 443, owners[attempt].take) is None
    for attempt in (8, 7):
        stream = dial(world, Handler())
        stream.write(check(attempt)[:5])
        world.net.advance(0.1)
        stream.write(check(attempt)[5:])
    world.net.advance(0.1)
    assert {attempt: owner.data for attempt, owner in owners.items()} == {7: check(7), 8: check(8)}


@pytest.mark.parametrize(
    "data", [check(9), b"GET / HTTP/1.1\r\n", bytes(40), b"\x16\x03\x01\x02\x00\x01\x00\x01"]
)
def test_who_is_for_nobody_is_refused(data: bytes) -> None:
    world, first, _ = public()
    owner, handler = Handler(), Handler()
    first.adopt_listener(V4, 443, owner.take)
    dial(world, handler).write(data)
    world.net.advance(0.1)
    assert handler.end is not None
    assert owner.stream is None


def test_the_first_frame_waits_for_its_owner() -> None:
    world, first, _ = public()
    owner = Handler()
    dial(world, Handler()).write(check(7))
    world.net.advance(0.5)
    first.adopt_listener(V4, 443, owner.take)
    world.net.advance(0.1)
    assert owner.data == check(7)


def test_a_knock_is_told_once() -> None:
    world, _, _ = public()
    dial(world, Handler()).write(b"\x23" + TOKEN)
    world.net.advance(0.5)
    assert world.events.tokens == [TOKEN.hex()]


def test_it_is_open_as_long_as_somebody_needs_it() -> None:
    world, first, second = public()
    owner = Handler()
    seat = second.adopt_listener(V4, 443, owner.take)
    first.close()
    second.close()
    dial(world, Handler()).write(check(8))
    world.net.advance(0.1)
    assert owner.data == check(8)
    assert seat is not None
    seat.close()
    assert owner.stream is not None
    owner.stream.abort()
    handler = Handler()
    dial(world, handler)
    assert handler.end is not None
    assert handler.end.reset
    third = world.gather(attempt=9)
    assert third.adopt_listener(V4, 443, owner.take) is not None


def test_somebody_else_has_it() -> None:
    world = World(None, (PUBLIC,))
    world.survey()
    world.player.listen(V4, lambda stream: None, port=443)
    gathering = world.gather()
    world.complete()
    assert 443 not in {one.port for one in world.events.last.candidates}
    assert "443" in gathering.notes[0]


def test_not_if_it_is_not_wanted() -> None:
    world = World(None, (PUBLIC,))
    world.survey()
    world.gather(GatherOptions(web_port=False))
    world.complete()
    assert 443 not in {one.port for one in world.events.last.candidates}


def test_private_addresses_do_not_touch_it() -> None:
    world = World(SimNat(PUBLIC), (PRIVATE,))
    world.survey()
    world.gather()
    world.complete()
    assert all(one.local.port != 443 for one in world.player.listeners)
    assert len(world.player.listeners) == 1


def test_a_public_ipv6_address_alone() -> None:
    world = World(SimNat(PUBLIC, v6=Filtering.ENDPOINT_INDEPENDENT), (PRIVATE, "2001:db8:7::10"))
    world.survey()
    world.gather()
    world.complete()
    assert {one.address for one in world.events.last.candidates if one.port == 443} == {"2001:db8:7::10"}
