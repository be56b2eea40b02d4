"""The shells: sharing a port with other protocols, limits of connections."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor as _reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.support.stun import request
from wlnet.agenda import Agenda
from wlnet.config.schema import Limits
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.gate import ConnectionGate
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.endpoints import OwnEndpoints
from wlnet.protocols.stun.responder import Responder
from wlnet.protocols.stun.shell_datagrams import LONGEST, DatagramMux
from wlnet.protocols.stun.shell_streams import StreamMux
from wlnet.protocols.stun.wire import Endpoint

reactor: Any = _reactor


class Ear(Protocol):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = True

    def say(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data)

    def hang_up(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class TcpInMemory(StringTransportWithDisconnection):
    def setTcpNoDelay(self, enabled: bool) -> None:
        """ITCPTransport."""


class ShellTestCase(TestCase):
    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """Fires when *condition* holds."""

        @inlineCallbacks
        def wait() -> Any:
            for _ in range(2000):
                if condition():
                    return
                yield deferLater(reactor, 0.005)
            raise AssertionError("this never came true")

        return wait()


class Datagrams(ShellTestCase):
    def setUp(self) -> None:
        self.heard: list[tuple[bytes, Endpoint, Endpoint]] = []

    def mux(self, *hosts: str) -> DatagramMux:
        sockets = []
        port = 0
        for host in hosts:
            one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            if ":" in host:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.setblocking(False)
            one.bind((host, port))
            port = one.getsockname()[1]
            sockets.append(one)
        mux = DatagramMux(reactor, sockets)
        self.addCleanup(mux.stop)
        return mux

    def client(self, host: str) -> socket.socket:
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((host, 0))
        one.settimeout(5)
        self.addCleanup(one.close)
        return one

    @inlineCallbacks
    def test_first_bytes_decide(self) -> Any:
        mux = self.mux("0.0.0.0", "::")
        other: list[bytes] = []
        mux.register(range(4), lambda *heard: self.heard.append(heard))
        mux.register(range(0x20, 0x30), lambda data, source, local: other.append(data))
        mux.start()
        for host in ("127.0.0.1", "::1"):
            one = self.client(host)
            for data in (b"\x03stun", b"\x20first", b"\x2flast", b"\x30none", b"", b"\x21" + bytes(LONGEST)):
                one.sendto(data, (host, mux.port))
        yield self.until(lambda: mux.refused == 6 and len(other) == 4 and len(self.heard) == 2)
        assert other == [b"\x20first", b"\x2flast"] * 2
        assert [local for _, _, local in self.heard] == [
            Endpoint("127.0.0.1", mux.port), Endpoint("::1", mux.port),
        ]  # fmt: skip

    def test_a_first_byte_has_one_handler(self) -> None:
        mux = self.mux("127.0.0.1")
        mux.register(range(4), lambda *_: None)
        with pytest.raises(ValueError, match="first bytes"):
            mux.register((3, 4), lambda *_: None)
        mux.register((4,), lambda *_: None)

    @inlineCallbacks
    def test_sending_from_a_chosen_address(self) -> Any:
        mux = self.mux("0.0.0.0", "::")
        mux.start()
        one = self.client("127.0.0.1")
        assert mux.send(b"hello", Endpoint(*one.getsockname()), Endpoint("127.0.0.9", mux.port))
        yield self.until(lambda: True)
        assert one.recvfrom(100) == (b"hello", ("127.0.0.9", mux.port))
        # Nowhere to send to, or from: counted, not raised.
        assert not mux.send(b"x", Endpoint("127.0.0.1", 9), Endpoint("192.0.2.77", mux.port))
        assert not mux.send(b"x", Endpoint("::1", 9), Endpoint("127.0.0.1", mux.port))
        assert not mux.send(bytes(70_000), Endpoint("127.0.0.1", 9), Endpoint("127.0.0.1", mux.port))
        assert mux.unsent == 3

    @inlineCallbacks
    def test_a_handler_that_fails_harms_nobody(self) -> Any:
        mux = self.mux("127.0.0.1")

        def handle(data: bytes, source: Endpoint, local: Endpoint) -> None:
            if data == b"\0bad":
                raise RuntimeError("a fault of ours")
            self.heard.append((data, source, local))

        mux.register(range(4), handle)
        mux.start()
        one = self.client("127.0.0.1")
        for data in (b"\0bad", b"\0good"):
            one.sendto(data, ("127.0.0.1", mux.port))
        yield self.until(lambda: self.heard)
        assert self.heard[0][0] == b"\0good"
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    @inlineCallbacks
    def test_a_handler_may_stop_the_port(self) -> Any:
        mux = self.mux("127.0.0.1")

        def handle(data: bytes, source: Endpoint, local: Endpoint) -> None:
            self.heard.append((data, source, local))
            mux.stop()

        mux.register(range(4), handle)
        mux.start()
        one = self.client("127.0.0.1")
        for _ in range(3):
            one.sendto(b"\0", ("127.0.0.1", mux.port))
        yield self.until(lambda: self.heard)
        assert len(self.heard) == 1
        assert not mux.send(b"x", Endpoint("127.0.0.1", 9), Endpoint("127.0.0.1", mux.port))


class Streams(ShellTestCase):
    def start(self, total: int = 100, per_address: int = 100) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()
        trusted = TrustedNetworks()
        limits = Limits(stun_rate=0, stun_total_rate=0)
        responder = Responder(OwnEndpoints((1, 2)), limits, self.clock.seconds, self.metrics, trusted)
        self.gate = ConnectionGate(total, per_address, trusted)
        self.mux = StreamMux(responder, self.gate, self.agenda, 60.0, self.metrics)
        self.port = reactor.listenTCP(0, self.mux, interface="127.0.0.1")
        self.ears: list[Ear] = []

    @inlineCallbacks
    def tearDown(self) -> Any:  # type: ignore[override]
        for ear in self.ears:
            ear.hang_up()
        yield self.port.stopListening()
        self.mux.stop()
        yield self.until(lambda: all(ear.closed for ear in self.ears) and len(self.gate) == 0)

    @inlineCallbacks
    def connect(self) -> Any:
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", self.port.getHost().port)
        ear = yield endpoint.connect(Factory.forProtocol(Ear))
        self.ears.append(ear)
        return ear

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.agenda.run_due()

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.STUN, limit)

    @inlineCallbacks
    def test_many_requests_at_once(self) -> Any:
        self.start()
        ear = yield self.connect()
        ear.say(request() * 50)
        yield self.until(lambda: len(ear.heard) >= 50 * 44)
        answer = wire.decode(ear.heard[:44])
        assert answer.mapped() == Endpoint("127.0.0.1", ear.transport.getHost().port)
        assert ear.heard == ear.heard[:44] * 50

    @inlineCallbacks
    def test_another_protocol_gets_all_of_its_connections(self) -> Any:
        self.start(total=2)
        inner = Factory.forProtocol(Ear)
        made: list[Ear] = []

        def build(_: object) -> Ear:
            made.append(Ear())
            return made[-1]

        inner.buildProtocol = build  # type: ignore[method-assign, assignment]
        self.mux.register(b"WLP", inner)
        for _ in range(3):  # they do not count here, so a third is fine
            ear = yield self.connect()
            ear.say(b"WL")
            yield self.until(lambda: len(self.gate) == 1)
            ear.say(b"P hello")
            yield self.until(lambda: len(made) == len(self.ears) and made[-1].heard)
            ear.say(b" again")
            yield self.until(lambda: made[-1].heard == b"WLP hello again")
            assert len(self.gate) == 0
        made[0].say(b"answer")
        yield self.until(lambda: self.ears[0].heard == b"answer")
        self.pass_time(1000)
        assert not any(ear.closed for ear in self.ears)
        self.ears[1].hang_up()
        yield self.until(lambda: made[1].closed)

    def test_beginnings_that_could_be_something_else(self) -> None:
        self.start()
        self.mux.register(b"WLP", Factory())
        for beginning in (b"", b"\0abc", b"\3", b"W", b"WLPX"):
            with pytest.raises(ValueError, match="not free"):
                self.mux.register(beginning, Factory())

    @inlineCallbacks
    def test_a_protocol_may_refuse(self) -> Any:
        self.start()
        inner = Factory()
        inner.buildProtocol = lambda _: None  # type: ignore[method-assign, assignment]
        self.mux.register(b"WLP", inner)
        ear = yield self.connect()
        ear.say(b"WLP")
        yield self.until(lambda: ear.closed)

    @inlineCallbacks
    def test_what_nobody_speaks_is_closed(self) -> Any:
        self.start()
        self.mux.register(b"WLP", Factory())
        for said in (b"WLX", b"GET /", request()[:4] + bytes(16), wire.frame(1, bytes(12), bytes(4000))):
            ear = yield self.connect()
            ear.say(said)
            yield self.until(lambda: self.ears[-1].closed)
        assert self.limited(Limit.MALFORMED) == 4

    @inlineCallbacks
    def test_idle_connections_are_closed(self) -> Any:
        self.start()
        silent, asking, dripping = (yield self.connect()), (yield self.connect()), (yield self.connect())
        yield self.until(lambda: len(self.gate) == 3)
        self.pass_time(40)
        asking.say(request())
        dripping.say(request()[:10])
        yield self.until(lambda: asking.heard)
        self.pass_time(40)
        yield self.until(lambda: silent.closed and dripping.closed)
        assert not asking.closed
        assert self.limited(Limit.SILENCE) == 2
        self.pass_time(40)
        yield self.until(lambda: asking.closed)

    @inlineCallbacks
    def test_connections_are_limited(self) -> Any:
        self.start(total=2)
        yield self.connect()
        yield self.connect()
        third = yield self.connect()
        yield self.until(lambda: third.closed)
        assert self.limited(Limit.CONNECTIONS) == 1

    @inlineCallbacks
    def test_connections_of_one_address_are_limited(self) -> Any:
        self.start(per_address=2)
        peers = [IPv4Address("TCP", host, 9) for host in ("198.51.100.7",) * 3 + ("198.51.100.8",)]
        made = [self.mux.buildProtocol(peer) for peer in peers]
        assert [one is None for one in made] == [False, False, True, False]
        assert self.limited(Limit.CONNECTIONS_PER_ADDRESS) == 1
        for one in made:
            if one is not None:
                one.makeConnection(TcpInMemory())
                one.connectionLost(Failure(ConnectionDone()))
        assert len(self.gate) == 0
        yield self.connect()

    @inlineCallbacks
    def test_who_does_not_read_is_not_read_from(self) -> Any:
        self.start()
        ear = yield self.connect()
        ear.transport.pauseProducing()
        load = request() * 3000
        for _ in range(400):  # 24 MB of requests, 53 MB of answers
            ear.say(load)
        seen = -1
        while seen != self.mux.responder.answers:
            seen = self.mux.responder.answers
            yield deferLater(reactor, 0.1)
        assert 0 < seen < 400 * 3000 / 2
        ear.transport.resumeProducing()
        yield self.until(lambda: self.mux.responder.answers > seen)
