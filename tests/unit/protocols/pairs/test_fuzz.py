"""Anything at all, in every state, over UDP and TCP: nothing raises, and nobody gets more than he sent."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pairs import ALICE, BOB, PAIR, RELAY, PairRig, TcpSide, ticket
from wlnet.protocols.pairs import wire
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Side

STRANGER = Endpoint("2001:db8::9", 9)
SOURCES = (ALICE, BOB, STRANGER)
HOST, GUEST = ticket(Side.HOST), ticket(Side.GUEST, total=2000)
TICKETS = st.sampled_from([HOST, GUEST, ticket(Side.HOST), HOST[:-1] + b"x", b""])

BYTES = st.binary(max_size=200)
NOISE = st.tuples(st.integers(0x27, 0x30), BYTES).map(lambda one: bytes([one[0]]) + one[1])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("noise"), st.sampled_from(SOURCES), NOISE),
        st.tuples(st.just("bind"), st.sampled_from(SOURCES), TICKETS),
        st.tuples(st.just("data"), st.sampled_from(SOURCES), st.binary(max_size=1500)),
        st.tuples(st.just("keepalive"), st.sampled_from(SOURCES), BYTES),
        st.tuples(st.just("close"), st.sampled_from(SOURCES), BYTES),
        st.tuples(st.just("time"), st.sampled_from(SOURCES), st.just(b"")),
        st.tuples(st.just("revoke"), st.sampled_from(SOURCES), st.just(b"")),
    ),
    max_size=25,
)


class Strangers:
    """Send to a relay and note who gets how much."""

    def __init__(self) -> None:
        self.rig = PairRig()
        self.received: Counter[Endpoint] = Counter()

    def tell(self, data: bytes, source: Endpoint) -> None:
        rig = self.rig
        self.received[source] += len(data)
        before = len(rig.sent)
        rig.front.datagram(data, source, RELAY)
        proven = {seat.carrier.origin for seat in rig.pairs.seats.values() if seat.carrier is not None}
        for sent, destination, local in rig.sent[before:]:
            assert local == RELAY
            if destination == source and destination not in proven and sent[0] != wire.CLOSE:
                assert len(sent) <= len(data)

    def do(self, what: str, source: Endpoint, data: bytes) -> None:
        rig = self.rig
        handles = list(rig.pairs.seats) or [bytes(8)]
        handle = handles[len(data) % len(handles)]
        match what:
            case "noise":
                self.tell(data, source)
            case "bind":
                before = len(rig.sent)
                self.tell(wire.encode_bind(wire.Bind(1, b"12345678", wire.NO_COOKIE, data)), source)
                cookie = wire.decode_challenge(rig.sent[before][0])[1]
                self.tell(wire.encode_bind(wire.Bind(1, b"12345678", cookie, data)), source)
            case "data":
                self.tell(wire.data_head(handle) + data, source)
            case "keepalive":
                self.tell(wire.encode_keepalive(handle, (data + bytes(8))[:8]), source)
            case "close":
                self.tell(wire.encode_close(handle, "X") + data[:3], source)
            case "time":
                rig.pass_time(35)
            case "revoke":
                rig.pairs.revoke(PAIR)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_datagrams(steps: list[tuple[str, Endpoint, bytes]]) -> None:
    strangers = Strangers()
    rig = strangers.rig
    for what, source, data in steps:
        strangers.do(what, source, data)
        assert len(rig.pairs) <= 1
        assert len(rig.pairs.seats) <= 2
    answered: Counter[Endpoint] = Counter()
    for sent, destination, _ in rig.sent:
        if sent[0] != wire.DATA:
            answered[destination] += len(sent)
    for source in SOURCES:
        assert answered[source] <= strangers.received[source]
    rig.pairs.revoke(PAIR)
    assert len(rig.agenda) == 0


@settings(max_examples=200, deadline=None)
@given(
    st.booleans(),
    st.lists(st.one_of(BYTES, NOISE.map(wire.frame), TICKETS.map(
        lambda one: wire.frame(wire.encode_bind(wire.Bind(1, b"12345678", wire.NO_COOKIE, one)))
    )), max_size=10),
    st.booleans(),
)  # fmt: skip
def test_streams(greets: bool, pieces: list[bytes], binds: bool) -> None:
    rig = PairRig()
    guest = rig.side(GUEST, BOB)
    side = TcpSide(rig, ALICE)
    if binds:
        side.bind(HOST)
    elif greets:
        side.stream.receive(wire.PREAMBLE)
    for piece in pieces:
        side.stream.receive(piece)
        rig.pass_time(0)
        guest.say(b"x")
    rig.pass_time(20)
    side.stream.lost()
    rig.pairs.revoke(PAIR)
    assert rig.budget.held == 0
    assert len(rig.pairs) == len(rig.agenda) == 0
