"""Sides over TCP: framing, the bounded queue, slow readers, mixed pairs."""

from __future__ import annotations

from tests.support.pairs import ALICE, BOB, PairRig, TcpSide, ticket
from wlnet.metrics import Limit
from wlnet.protocols.pairs import wire
from wlnet.protocols.pairs.stream import BATCH
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Side

ELSEWHERE = Endpoint("192.0.2.77", 7777)


def two(rig: PairRig) -> tuple[TcpSide, TcpSide]:
    host, guest = TcpSide(rig, ALICE), TcpSide(rig, BOB)
    host.bind(ticket(Side.HOST))
    guest.bind(ticket(Side.GUEST))
    return host, guest


def test_a_pair_over_tcp() -> None:
    rig = PairRig()
    host, guest = two(rig)
    assert (guest.bound.address, guest.bound.port, guest.bound.peer_bound) == (*BOB, True)
    host.say(b"hello")
    guest.say(b"world")
    assert (host.payloads(), guest.payloads()) == ([b"world"], [b"hello"])
    host.send(wire.encode_keepalive(host.bound.handle, b"12345678"))
    assert wire.decode_alive(host.messages[-1]) == (host.bound.handle, b"12345678", True)


def test_a_pair_over_tcp_and_udp() -> None:
    rig = PairRig()
    host = TcpSide(rig, ALICE)
    host.bind(ticket(Side.HOST))
    guest = rig.side(ticket(Side.GUEST), BOB)
    host.say(b"hello")
    guest.say(b"world")
    rig.pass_time(0)
    assert (host.payloads(), guest.payloads()) == ([b"world"], [b"hello"])
    # Its handle is worth nothing over UDP, even from the same address and port.
    rig.front.datagram(wire.data_head(host.bound.handle) + b"x", ALICE, ALICE)
    assert guest.payloads() == [b"hello"]


def test_bytes_may_come_one_by_one() -> None:
    rig = PairRig()
    host, guest = two(rig)
    third = TcpSide(rig, ELSEWHERE)
    bind = wire.encode_bind(wire.Bind(1, bytes(8), wire.NO_COOKIE, ticket(Side.HOST, "a" * 32)))
    for byte in wire.PREAMBLE + wire.frame(bind):
        third.stream.receive(bytes([byte]))
    rig.pass_time(0)
    assert third.bound.address == ELSEWHERE.host
    many = b"".join(wire.frame(wire.data_head(host.bound.handle) + bytes([n])) for n in range(100))
    host.stream.receive(many[:333])
    host.stream.receive(many[333:])
    rig.pass_time(0)
    assert guest.payloads() == [bytes([n]) for n in range(100)]


def test_moving_between_connections_and_to_udp() -> None:
    rig = PairRig()
    mine = ticket(Side.HOST)
    first, second = TcpSide(rig, ALICE), TcpSide(rig, ALICE)
    first.bind(mine)
    guest = rig.side(ticket(Side.GUEST), BOB)
    second.bind(mine)
    assert first.words() == ["MOVED"]
    assert first.closing
    first.stream.lost()
    second.say(b"second")
    third = rig.side(mine, ALICE)
    rig.pass_time(0)
    assert second.words() == ["MOVED"]
    third.say(b"third")
    assert guest.payloads() == [b"second", b"third"]


def test_a_lost_connection_may_come_again() -> None:
    rig = PairRig(idle=60)
    mine = ticket(Side.HOST)
    host, guest = TcpSide(rig, ALICE), rig.side(ticket(Side.GUEST), BOB)
    host.bind(mine)
    host.stream.lost()
    guest.say(b"lost")
    assert rig.pairs.figures.dropped_unbound == 1
    rig.pass_time(50)
    guest.keepalive()
    again = TcpSide(rig, ELSEWHERE)
    again.bind(mine)
    again.say(b"again")
    assert guest.payloads() == [b"again"]


def test_refusals_close() -> None:
    rig = PairRig()
    for bind, word in (((b"", 1), "BAD_TICKET"), ((ticket(Side.HOST), 9), "VERSION")):
        side = TcpSide(rig, ALICE)
        side.bind(*bind)
        assert side.words() == [word]
        assert side.closing
        side.stream.lost()
    assert rig.budget.held == 0
    assert len(rig.agenda) == 0


def test_endings_close() -> None:
    rig = PairRig()
    host, guest = two(rig)
    host.send(wire.encode_close(host.bound.handle, "CLOSED"))
    assert host.words() == []
    assert guest.words() == ["PEER_CLOSED"]
    assert host.closing
    assert guest.closing
    host.say(b"too late")
    host.stream.lost()
    guest.stream.lost()
    assert len(rig.pairs) == rig.budget.held == len(rig.agenda) == 0


def test_nonsense_is_closed_at_once() -> None:
    rig = PairRig()
    bind = wire.frame(wire.encode_bind(wire.Bind(1, bytes(8), wire.NO_COOKIE, ticket(Side.HOST))))
    beginnings = [
        b"WLX",
        b"GET / HTTP/1.1",
        wire.PREAMBLE + b"\0\0",
        wire.PREAMBLE + (wire.MAX_MESSAGE + 1).to_bytes(2, "big"),
        wire.PREAMBLE + wire.frame(b"\x28short"),
        wire.PREAMBLE + wire.frame(wire.data_head(bytes(8)) + b"before BIND"),
        wire.PREAMBLE + bind + bind,
    ]
    for number, beginning in enumerate(beginnings):
        side = TcpSide(rig, ALICE)
        side.stream.receive(beginning)
        assert side.aborted, beginning
        side.stream.lost()
        assert rig.limited(Limit.MALFORMED) == number + 1
    host, _ = two(rig := PairRig())
    host.send(wire.data_head(b"notmine!") + b"x")
    assert host.aborted


def test_who_does_not_bind_is_closed() -> None:
    rig = PairRig(tcp_handshake_timeout=10)
    silent = TcpSide(rig, ALICE)
    silent.stream.receive(wire.PREAMBLE)
    host, _ = two(rig)
    rig.pass_time(10)
    assert silent.aborted
    assert not host.aborted
    assert rig.limited(Limit.HANDSHAKE_TIME) == 1


def test_a_slow_reader_misses_datagrams_and_keeps_its_place() -> None:
    rig = PairRig(tcp_queue=40_000, tcp_stall=15)
    host, guest = TcpSide(rig, ALICE), TcpSide(rig, BOB)
    host.bind(ticket(Side.HOST))
    guest.bind(ticket(Side.GUEST))
    guest.reads = False
    for number in range(100):
        host.say(bytes([number]) * 1000)
    assert rig.budget.held <= 40_000
    assert guest.stream.dropped == rig.limited(Limit.QUEUE) == 100 - 39
    rig.pass_time(14)
    guest.reads = True
    guest.read()
    rig.pass_time(0)
    assert guest.payloads() == [bytes([number]) * 1000 for number in range(39)]
    assert rig.budget.held == 0
    host.say(b"goes on")
    assert guest.payloads()[-1] == b"goes on"
    assert not guest.aborted


def test_who_reads_nothing_is_closed() -> None:
    rig = PairRig(tcp_stall=15)
    host, guest = two(rig)
    guest.reads = False
    host.say(b"x")
    rig.pass_time(14)
    host.say(b"y")
    rig.pass_time(1)
    assert guest.aborted
    assert not host.aborted
    guest.stream.lost()
    assert rig.budget.held == 0


def test_the_budget_of_the_process() -> None:
    rig = PairRig()
    host, guest = two(rig)
    rig.budget.limit = 3000
    guest.reads = False
    for _ in range(10):
        host.say(bytes(1000))
    assert rig.budget.held <= 3000
    assert rig.limited(Limit.TOTAL_QUEUES) == 8
    assert not guest.aborted


def test_the_connection_gets_no_more_than_a_batch_at_a_time() -> None:
    rig = PairRig()
    host, guest = two(rig)
    guest.reads = False
    for _ in range(50):
        host.say(bytes(1000))
    largest = 0
    while guest.waiting:
        largest = max(largest, len(guest.waiting))
        guest.waiting = b""
        guest.stream.drained()
    assert 1000 < largest <= BATCH


def test_half_a_message_is_no_sign_of_life() -> None:
    rig = PairRig(idle=60)
    host, guest = two(rig)
    frame = wire.frame(wire.encode_keepalive(host.bound.handle, b"12345678"))
    for place in range(len(frame) - 1):
        host.stream.receive(frame[place : place + 1])
        rig.pass_time(5)
    assert host.words() == ["IDLE"]
    assert host.closing
    host.stream.lost()
    guest.stream.lost()
    assert len(rig.pairs) == rig.budget.held == len(rig.agenda) == 0


def test_who_is_turned_away_is_counted_and_told() -> None:
    rig = PairRig(tcp_handshake_timeout=10)
    TcpSide(rig, ALICE).stream.receive(b"WLX")
    TcpSide(rig, BOB).stream.receive(wire.PREAMBLE + b"\0")
    rig.pass_time(10)
    assert rig.log == [f"malformed of {ALICE.host}", f"handshake_time of {BOB.host}"]
    assert rig.limited(Limit.MALFORMED) == rig.limited(Limit.HANDSHAKE_TIME) == 1
