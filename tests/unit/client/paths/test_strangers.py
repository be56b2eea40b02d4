"""What strangers, replays, floods and a hostile peer can and cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.paths.network import ATTEMPT, SECRET, pair
from wlnet.client.paths import limits
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.path import State
from wlnet.client.paths.pathset import PathSet
from wlnet.client.paths.words import Close, Listen, OpenDatagram, OpenStream
from wlnet.protocols.exchange.checks import Check, decode_check, encode_check
from wlnet.protocols.pairs.wire import frame
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import Family, PathKind, Side, Technique, Transport
from wlnet.steering.orders import Act, Order, SocketRule, Target

PEER = Endpoint("198.51.100.10", 40000)
STRANGER = Endpoint("203.0.113.66", 6666)
NONCES: Iterator[int] = count(1)


def step(number: int, order: Order, transport: Transport = Transport.UDP) -> StepOrder:
    return StepOrder(
        number=number,
        technique=Technique.PUNCH,
        transport=transport,
        family=Family.V4,
        kind=PathKind.PUNCHED,
        preference=number,
        deadline=5.0,
        guess=False,
        why="",
        order=order,
    )


AWAIT = Order(act=Act.AWAIT, local_ports=(40000,))
OPEN = Order(
    act=Act.OPEN,
    socket=SocketRule.NAMED,
    local_ports=(40000,),
    targets=(Target(*PEER),),
    repeat=0.1,
    budget=50,
)


def made(me: Side = Side.HOST, order: Order = AWAIT, transport: Transport = Transport.UDP) -> PathSet:
    paths = PathSet(me, ATTEMPT, SECRET, b"", Random(1).randbytes, 0.0)
    paths.add_plan([step(1, order, transport)], 0.0)
    return paths


def check(
    sender: Side = Side.GUEST,
    *,
    reply: bool = False,
    nominated: bool = False,
    number: int = 1,
    attempt: int = ATTEMPT,
    secret: bytes = SECRET,
    nonce: bytes | None = None,
) -> bytes:
    made = Check(
        reply=reply,
        attempt=attempt,
        step=number,
        sender=sender,
        nonce=next(NONCES).to_bytes(8, "big") if nonce is None else nonce,
        nominated=nominated,
    )
    return encode_check(made, secret)


def opened(paths: PathSet, now: float = 0.0) -> PathSet:
    """The peer's request and its reply to ours: a path from socket 1 to PEER."""
    paths.receive(1, check(), PEER, now)
    answer(paths, now)
    assert [path.state for path in paths.paths] == [State.ALIVE]
    return paths


def answer(paths: PathSet, now: float) -> None:
    paths.tick(now)
    for transmit in paths.transmits():
        if transmit.destination == PEER and transmit.data[0] == 0x21:
            request = decode_check(transmit.data, SECRET, attempt=ATTEMPT, me=Side.GUEST)
            paths.receive(1, check(reply=True, nonce=request.nonce), PEER, now)


def test_wrong_checks_have_no_effect_and_no_answer() -> None:
    paths = made()
    wrong = [
        check(secret=bytes(32)),
        check(attempt=ATTEMPT + 1),
        check(Side.HOST),  # our own, reflected
        check()[:-1] + b"x",
        check()[:-1],
        b"\x21" * 33,
    ]
    for packet in wrong:
        paths.receive(1, packet, PEER, 0.0)
    assert paths.paths == ()
    assert paths.transmits() == []
    assert paths.dropped[Dropped.FORGED] == 5
    assert paths.dropped[Dropped.JUNK] == 1


def test_step_that_was_not_ordered() -> None:
    paths = made()
    paths.receive(1, check(number=99), PEER, 0.0)
    assert (paths.paths, paths.transmits()) == ((), [])
    assert paths.dropped[Dropped.UNKNOWN_STEP] == 1


def test_replayed_request_has_no_effect() -> None:
    paths = made()
    packet = check(nominated=True)
    paths.receive(1, packet, PEER, 0.0)
    paths.transmits()
    paths.receive(1, packet, STRANGER, 0.1)
    assert [path.way.remote for path in paths.paths] == [PEER]
    assert paths.transmits() == []
    assert paths.dropped[Dropped.REPLAYED] == 1


def test_replayed_nomination_does_not_move_the_host() -> None:
    world, host, guest = pair("port-restricted", "port-restricted")
    world.begin()
    world.run(3)
    assert host.kind is PathKind.PUNCHED
    relayed = [data for _, transmit in guest.sent if (data := transmit.data)[:1] == b"\x2b"]
    nominations = [data[9:] for data in relayed if data[9] == 0x21 and data[10] == 1]
    assert nominations
    local = next(number for number, where in host.sockets.items() if where.port == 40000)
    for packet in nominations:
        host.paths.receive(local, packet, STRANGER, world.now)
    world.run(1)
    assert host.kind is PathKind.PUNCHED


def test_reply_counts_only_from_where_the_request_went() -> None:
    paths = made(Side.HOST, OPEN)
    paths.tick(0.0)
    sent = paths.transmits()
    request = decode_check(sent[0].data, SECRET, attempt=ATTEMPT, me=Side.GUEST)
    reply = check(reply=True, nonce=request.nonce)
    paths.receive(1, reply, STRANGER, 0.1)
    assert not paths.paths
    paths.receive(1, check(reply=True), PEER, 0.1)  # an invented nonce
    assert not paths.paths
    assert paths.dropped[Dropped.UNEXPECTED_REPLY] == 2
    paths.receive(1, reply, PEER, 0.1)
    assert [path.alive for path in paths.paths] == [True]
    paths.receive(1, reply, PEER, 0.2)
    assert paths.dropped[Dropped.UNEXPECTED_REPLY] == 3


def test_payloads_only_from_the_peer() -> None:
    paths = opened(made())
    paths.receive(1, b"\x40evil", STRANGER, 0.1)
    paths.receive(1, b"\x40good", PEER, 0.1)
    paths.receive(1, b"\x3fjunk", PEER, 0.1)
    paths.receive(1, b"\x40" + bytes(limits.MAX_PAYLOAD), PEER, 0.1)
    assert paths.delivered() == [b"\x40good"]
    assert (paths.dropped[Dropped.STRANGE], paths.dropped[Dropped.JUNK]) == (1, 2)


def test_guest_is_not_moved_by_the_host() -> None:
    paths = PathSet(Side.GUEST, ATTEMPT, SECRET, b"", Random(1).randbytes, 0.0)
    paths.add_plan([step(1, AWAIT)], 0.0)
    paths.receive(1, check(Side.HOST, nominated=True), PEER, 0.0)
    assert paths.current is None


def test_flood_of_strangers_is_not_read_and_the_peer_is_heard_all_the_same() -> None:
    paths = opened(made())
    forged = check(secret=bytes(32))
    for _ in range(5000):
        paths.receive(1, forged, STRANGER, 0.2)
    assert paths.dropped[Dropped.FORGED] == limits.STRANGE_BURST
    assert paths.dropped[Dropped.FLOOD] == 5000 - limits.STRANGE_BURST
    paths.transmits()
    paths.receive(1, check(), PEER, 0.2)
    assert [transmit.data[0] for transmit in paths.transmits()] == [0x22]


def test_flood_from_the_peers_own_endpoint() -> None:
    paths = opened(made())
    for _ in range(2000):
        paths.receive(1, check(), PEER, 0.2)
    assert len(paths.transmits()) <= limits.KNOWN_BURST
    assert paths.dropped[Dropped.FLOOD] >= 2000 - limits.KNOWN_BURST


def test_peer_that_comes_from_everywhere() -> None:
    paths = opened(made())
    for number in range(300):
        paths.receive(1, check(), Endpoint("198.51.100.77", 1024 + number), 0.2 + number / 50)
    assert len(paths.paths) == limits.MAX_PATHS
    assert paths.dropped[Dropped.PATHS] > 0
    assert [path.way.remote for path in paths.paths if path.alive] == [PEER]


def test_rate_of_replies() -> None:
    paths = made(Side.HOST, OPEN)
    for number in range(4000):  # the address is one of the plan: the most generous rate
        paths.receive(1, check(), Endpoint(PEER.host, 1024 + number), 0.0)
    assert len([one for one in paths.transmits() if one.data[0] == 0x22]) <= limits.ANSWER_BURST


def test_requests_remembered() -> None:
    paths = opened(made())
    for number in range(limits.MAX_NONCES + 100):
        paths.receive(1, check(), PEER, 1 + number / 100)
        paths.transmits()
    assert len(paths._checking._guard._seen) == limits.MAX_NONCES


def test_what_nobody_fetches_is_bounded() -> None:
    paths = opened(made())
    for _ in range(limits.MAX_TRANSMITS + 10):
        paths.send(b"\x40", 0.1)
    assert len(paths.transmits()) == limits.MAX_TRANSMITS
    for _ in range(limits.MAX_DELIVERED + 10):
        paths.receive(1, b"\x40", PEER, 0.1)
    assert len(paths.delivered()) == limits.MAX_DELIVERED
    assert paths.dropped[Dropped.TRANSMITS] >= 10
    assert paths.dropped[Dropped.DELIVERED] == 10


def test_waiting_payloads() -> None:
    paths = made()
    for number in range(limits.MAX_WAITING + 5):
        assert paths.send(b"\x40%d" % number, 0.0)
    assert paths.dropped[Dropped.WAITING] == 5
    opened(paths)
    assert paths.current is not None


def test_bad_payloads_are_refused() -> None:
    paths = opened(made())
    assert not paths.send(b"", 0.0)
    assert not paths.send(b"\x21", 0.0)
    assert not paths.send(b"\x40" + bytes(limits.MAX_PAYLOAD), 0.0)
    assert paths.dropped[Dropped.TOO_LONG] == 3


def test_orders_are_bounded() -> None:
    paths = PathSet(Side.GUEST, ATTEMPT, SECRET, b"", Random(1).randbytes, 0.0)
    huge = Order(
        act=Act.OPEN,
        socket=SocketRule.MANY,
        sockets=10**6,
        targets=tuple(Target("198.51.100.10", port) for port in range(1024, 3024)),
        repeat=0.001,
        budget=10**9,
    )
    paths.add_plan([step(number, huge) for number in range(1, 400)], 0.0)
    sockets = [wish for wish in paths.wishes() if isinstance(wish, OpenDatagram)]
    assert len(sockets) == limits.MAX_SOCKETS
    assert paths.dropped[Dropped.STEPS] == 399 - limits.MAX_STEPS
    assert len(paths.transmits()) <= limits.MAX_TRANSMITS


def test_connections_that_show_nothing_are_closed() -> None:
    order = Order(act=Act.AWAIT, local_ports=(40000,), listen=True)
    paths = made(Side.HOST, order, Transport.TCP)
    assert [type(wish) for wish in paths.wishes()] == [Listen]
    numbers = [paths.accepted(1, STRANGER, 0.0) for _ in range(limits.MAX_ACCEPTED + 3)]
    assert numbers.count(None) == 3
    assert paths.dropped[Dropped.ACCEPTED] == 3
    paths.tick(limits.ACCEPT_TIME)
    closed = {wish.socket for wish in paths.wishes() if isinstance(wish, Close)}
    assert closed == {number for number in numbers if number is not None}


def test_connection_begins_with_a_check() -> None:
    order = Order(act=Act.AWAIT, local_ports=(40000,), listen=True)
    paths = made(Side.HOST, order, Transport.TCP)
    for first in (b"GET / HTTP/1.1\r\n", frame(b"\x40payload"), frame(check(secret=bytes(32))), b"\0\0"):
        paths.wishes()
        number = paths.accepted(1, STRANGER, 0.0)
        assert number is not None
        paths.receive(number, first, STRANGER, 0.0)
        assert [wish.socket for wish in paths.wishes() if isinstance(wish, Close)] == [number]
    number = paths.accepted(1, PEER, 0.0)
    assert number is not None
    packet = frame(check())
    for at in range(len(packet)):
        paths.receive(number, packet[at : at + 1], PEER, 0.0)
    assert [path.way.socket for path in paths.paths] == [number]
    assert paths.delivered() == []


def test_connect_that_is_reset_is_repeated_and_another_one_is_not() -> None:
    order = Order(
        act=Act.OPEN,
        socket=SocketRule.NAMED,
        local_ports=(40000,),
        targets=(Target(*PEER),),
        listen=True,
        reset_retry=0.05,
        budget=3,
    )
    paths = made(Side.GUEST, order, Transport.TCP)
    times = []
    for turn in range(100):
        now = turn * 0.01
        paths.tick(now)
        for wish in paths.wishes():
            if isinstance(wish, OpenStream):
                assert (wish.local_port, wish.destination) == (40000, PEER)
                times.append(now)
                paths.closed(wish.socket, now, reset=True)
    assert times == [0.0, 0.05, 0.1]  # the budget
    paths = made(Side.GUEST, order, Transport.TCP)
    paths.tick(0.0)
    dialled = next(wish for wish in paths.wishes() if isinstance(wish, OpenStream))
    paths.closed(dialled.socket, 0.0)
    paths.tick(1.0)
    assert not [wish for wish in paths.wishes() if isinstance(wish, OpenStream)]


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=60)), max_size=30))
def test_any_bytes(packets: list[tuple[int, bytes]]) -> None:
    paths = opened(made())
    for socket, data in packets:
        paths.receive(socket, data, STRANGER, 0.1)
    assert [path.alive for path in paths.paths] == [True]
    assert paths.delivered() == []


def test_host_follows_only_to_a_path_it_has_checked_itself() -> None:
    paths = made()
    paths.receive(1, check(nominated=True), PEER, 0.0)
    assert paths.current is None
    (reply,) = paths.transmits()
    assert not decode_check(reply.data, SECRET, attempt=ATTEMPT, me=Side.GUEST).nominated
