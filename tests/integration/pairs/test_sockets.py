"""The relay of pairs on real sockets: both transports, both families, moving, slow readers, stopping."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support.pairs import ticket
from wlnet.config.schema import Config
from wlnet.moderation.sanctions import Kind, Target
from wlnet.protocols.pairs import wire
from wlnet.service.pairs_part import PairsPart
from wlnet.service.shared import Shared
from wlnet.service.stun_part import StunPart
from wlnet.service.ticker import Ticker
from wlnet.steering.model import Side

reactor: Any = _reactor


class Client:
    """One side on a non-blocking socket."""

    def __init__(self, family: str, kind: str, port: int, receive_buffer: int = 0) -> None:
        host = "::1" if family == "v6" else "127.0.0.1"
        self.tcp = kind == "tcp"
        self.socket = socket.socket(
            socket.AF_INET6 if family == "v6" else socket.AF_INET,
            socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM,
        )
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, port))
        self.socket.setblocking(False)
        self.buffer = b""
        self.over = False
        self.messages: list[bytes] = []
        self.handle = b""
        if self.tcp:
            self.socket.sendall(wire.PREAMBLE)

    def send(self, message: bytes) -> None:
        self.socket.sendall(wire.frame(message) if self.tcp else message)

    def say(self, payload: bytes) -> None:
        self.send(wire.data_head(self.handle) + payload)

    def read(self) -> bool:
        """Take what is there; whether the connection is closed."""
        while not self.over:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            if not self.tcp:
                self.messages.append(data)
                continue
            self.over = not data
            self.buffer += data
            while len(self.buffer) >= 2 and len(self.buffer) >= 2 + int.from_bytes(self.buffer[:2], "big"):
                length = int.from_bytes(self.buffer[:2], "big")
                self.messages.append(self.buffer[2 : 2 + length])
                self.buffer = self.buffer[2 + length :]
        return self.over

    def of(self, kind: int) -> list[bytes]:
        """Messages of that type so far."""
        self.read()
        return [message for message in self.messages if message[0] == kind]

    def payloads(self) -> list[bytes]:
        return [message[9:] for message in self.of(wire.DATA)]

    def words(self) -> list[str]:
        return [message[9:].decode() for message in (*self.of(wire.ERROR), *self.of(wire.CLOSE))]


def both(one: Client, other: Client) -> bool:
    return bool(one.payloads() and other.payloads())


def moved(client: Client) -> bool:
    return client.words() == ["MOVED"]


def got(client: Client, number: int) -> bool:
    return client.payloads() == [bytes([number])]


class Sockets(TestCase):
    def setUp(self) -> None:
        self.start()

    def start(self, **pairs: object) -> None:
        config = msgspec.convert({"stun": {"port": 0, "second_port": 0}, "pairs": pairs}, Config)
        self.shared = Shared(config, reactor)
        self.ticker = Ticker(self.shared.agenda, reactor)
        self.ticker.startService()
        self.stun = StunPart(self.shared)
        self.part = PairsPart(self.shared, self.stun, b"s" * 32)
        self.stun.start()
        self.clients: list[Client] = []

    @inlineCallbacks
    def tearDown(self) -> Any:  # type: ignore[override]
        self.part.stop()
        for client in self.clients:
            client.socket.close()
        yield self.stun.stop()
        yield self.until(lambda: self.shared.budget.held == 0)
        yield self.until(lambda: len(self.shared.agenda) == 0)
        self.ticker.stopService()

    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """Fires when *condition* holds."""

        @inlineCallbacks
        def wait() -> Any:
            for _ in range(2000):
                if condition():
                    return
                yield deferLater(reactor, 0.005)
            raise AssertionError(f"this never came true: {self.part.pairs.figures}")

        return wait()

    def ticket(self, side: Side, pair: str = "a" * 32) -> bytes:
        return ticket(side, pair, keys=self.part.keys(), expires=self.shared.wall() + 100)

    @inlineCallbacks
    def client(self, family: str, kind: str, mine: bytes, receive_buffer: int = 0) -> Any:
        """A client that tried to bind, with success or without."""
        place = self.part.place("::1" if family == "v6" else "127.0.0.1")
        assert place is not None
        client = Client(family, kind, place.udp_port, receive_buffer)
        self.clients.append(client)
        cookie = wire.NO_COOKIE
        if not client.tcp:
            client.send(wire.encode_bind(wire.Bind(1, b"12345678", cookie, mine)))
            yield self.until(lambda: client.of(wire.CHALLENGE))
            cookie = wire.decode_challenge(client.messages[0])[1]
        client.send(wire.encode_bind(wire.Bind(1, b"12345678", cookie, mine)))
        yield self.until(lambda: client.of(wire.BOUND) or client.of(wire.ERROR))
        for message in client.of(wire.BOUND):
            bound = wire.decode_bound(message)
            assert (bound.address, bound.port) == client.socket.getsockname()[:2]
            client.handle = bound.handle
        return client

    @inlineCallbacks
    def test_every_mixture(self) -> Any:
        kinds = [(family, kind) for family in ("v4", "v6") for kind in ("udp", "tcp")]
        for number, (first, second) in enumerate((a, b) for a in kinds for b in kinds):
            pair = f"{number:032x}"
            host = yield self.client(*first, self.ticket(Side.HOST, pair))
            guest = yield self.client(*second, self.ticket(Side.GUEST, pair))
            host.say(b"h" * 1400)
            guest.say(b"g")
            yield self.until(partial(both, host, guest))
            assert (host.payloads(), guest.payloads()) == ([b"g"], [b"h" * 1400])
        assert len(self.part.pairs) == 16

    @inlineCallbacks
    def test_moving(self) -> Any:
        mine = self.ticket(Side.HOST)
        guest = yield self.client("v4", "udp", self.ticket(Side.GUEST))
        old = None
        for number, (family, kind) in enumerate(
            [("v4", "udp"), ("v4", "udp"), ("v6", "tcp"), ("v6", "tcp"), ("v6", "udp")]
        ):
            host = yield self.client(family, kind, mine)
            if old is not None:
                yield self.until(partial(moved, old))
            guest.say(bytes([number]))
            host.say(bytes([number]))
            yield self.until(partial(got, host, number))
            old = host
        yield self.until(lambda: guest.payloads() == [bytes([number]) for number in range(5)])

    @inlineCallbacks
    def test_a_slow_reader_harms_nobody(self) -> Any:
        self.part.stop()
        yield self.stun.stop()
        self.ticker.stopService()
        self.start(tcp_stall=1, rate=10**9, burst=10**9, address_rate=0, total_rate=0)
        host = yield self.client("v4", "udp", self.ticket(Side.HOST))
        slow = yield self.client("v4", "tcp", self.ticket(Side.GUEST), 4096)
        others = []
        for side in (Side.HOST, Side.GUEST):
            other = yield self.client("v4", "tcp", self.ticket(side, "b" * 32))
            others.append(other)
        figures = self.part.pairs.figures
        while not figures.dropped_undelivered:
            for _ in range(50):
                host.say(bytes(1400))
            yield deferLater(reactor, 0)
            assert self.shared.budget.held <= 65536 + 4096
        others[0].say(b"unharmed")
        yield self.until(lambda: others[1].payloads() == [b"unharmed"])
        yield self.until(lambda: not slow.over and len(self.part.pairs.seats) == 3)  # closed, alone
        yield self.until(slow.read)

    @inlineCallbacks
    def test_rate(self) -> Any:
        host = yield self.client("v4", "udp", self.ticket(Side.HOST))
        guest = yield self.client("v4", "udp", self.ticket(Side.GUEST))
        figures = self.part.pairs.figures
        while not figures.dropped_rate:
            for _ in range(50):
                host.say(bytes(1400))
            yield deferLater(reactor, 0)
            guest.read()
        guest.say(b"unharmed")
        yield self.until(lambda: host.payloads() == [b"unharmed"])

    @inlineCallbacks
    def test_bans_take_effect_at_once(self) -> Any:
        host = yield self.client("v4", "udp", self.ticket(Side.HOST))
        guest = yield self.client("v6", "tcp", self.ticket(Side.GUEST))
        self.shared.sanctions.impose(
            Kind.BAN, Target.NETWORK, "127.0.0.0/8", reason="", by="test", duration=None
        )
        yield self.until(lambda: host.words() == ["BANNED"] and guest.words() == ["PEER_CLOSED"])
        yield self.until(lambda: guest.over)
        again = yield self.client("v4", "tcp", self.ticket(Side.HOST, "b" * 32))
        assert again.words() == ["BANNED"]

    @inlineCallbacks
    def test_connections_are_limited(self) -> Any:
        self.part.stop()
        yield self.stun.stop()
        self.ticker.stopService()
        self.start(tcp_connections=1)
        first = yield self.client("v4", "tcp", self.ticket(Side.HOST))
        second = Client("v4", "tcp", self.stun.datagrams[1].port)
        self.clients.append(second)
        yield self.until(second.read)
        assert b'front="pairs",limit="connections"} 1.0' in self.shared.metrics.exposition()
        assert not first.over

    @inlineCallbacks
    def test_stopping_tells_everybody(self) -> Any:
        host = yield self.client("v4", "udp", self.ticket(Side.HOST))
        guest = yield self.client("v4", "tcp", self.ticket(Side.GUEST))
        self.part.stop()
        yield self.until(lambda: host.words() == ["STOPPING"] and guest.words() == ["STOPPING"])
