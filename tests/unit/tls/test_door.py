"""The door between encryption and a protocol made for TCP, with a client's TLS in memory."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.certificates import NAME, Authority
from wlnet.agenda import Agenda
from wlnet.metrics import Front, Limit, Metrics
from wlnet.tls.shell_certificate import Certificate
from wlnet.tls.shell_door import LINGER, TlsFactory


class Transport(StringTransport):
    """Like TCP's."""

    def getHandle(self) -> str:
        return "the socket"


class Inner(Protocol):
    """A protocol that keeps what it gets."""

    def __init__(self) -> None:
        self.got = b""
        self.lost = 0

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.lost += 1


@implementer(IPullProducer)
class Puller:
    """Writes when asked."""

    def __init__(self) -> None:
        self.asked = 0

    def resumeProducing(self) -> None:
        self.asked += 1

    def stopProducing(self) -> None:
        """The connection is gone."""


class Factory(ServerFactory[Any]):
    """Lets in as many as are told."""

    def __init__(self) -> None:
        self.room = 1

    def buildProtocol(self, addr: object) -> Any:
        self.room -= 1
        return Inner() if self.room >= 0 else None


class Rig:
    """One connection and its client."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()
        self.factory = TlsFactory(
            Factory(), Certificate(*authority.issue(), time.time), self.agenda, self.metrics, 10
        )
        self.tls = self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
        self.tcp: Any = Transport()
        self.tls.makeConnection(self.tcp)
        self.door = self.tls.wrappedProtocol
        self.inner = self.door.wrappedProtocol
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = authority.client().wrap_bio(self._in, self._out, server_hostname=NAME)

    def shake(self) -> None:
        """Do the handshake."""
        for _ in range(5):
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self.carry()
        self.carry()

    def carry(self) -> None:
        """What both ends have written arrives."""
        data = self._out.read()
        if data:
            self.tls.dataReceived(data)
        self._in.write(self.tcp.value())
        self.tcp.clear()

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.agenda.run_due()

    def lose(self) -> None:
        """TCP says that the connection is gone."""
        self.tls.connectionLost(Failure(ConnectionDone()))

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.TLS, limit)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_both_ways(rig: Rig) -> None:
    rig.shake()
    rig.client.write(b"hello")
    rig.carry()
    assert rig.inner.got == b"hello"
    rig.inner.transport.write(b"welcome")
    rig.carry()
    assert rig.client.read() == b"welcome"
    assert len(rig.agenda) == 0


def test_nobody_let_in(rig: Rig) -> None:
    assert rig.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)) is None


def test_a_handshake_has_its_time(rig: Rig) -> None:
    rig.pass_time(9.9)
    assert not rig.tcp.disconnected
    rig.pass_time(0.1)
    assert rig.tcp.disconnected
    assert rig.limited(Limit.HANDSHAKE_TIME) == 1
    rig.lose()
    assert rig.inner.lost == 1
    assert len(rig.agenda) == 0


def test_no_handshake_at_all(rig: Rig) -> None:
    rig.tls.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
    assert rig.tcp.disconnecting
    rig.lose()
    assert rig.limited(Limit.MALFORMED) == 1
    assert (rig.inner.got, rig.inner.lost) == (b"", 1)
    assert len(rig.agenda) == 0


def test_who_only_looks_in_is_not_counted(rig: Rig) -> None:
    rig.lose()
    assert rig.limited(Limit.MALFORMED) == rig.limited(Limit.HANDSHAKE_TIME) == 0
    assert len(rig.agenda) == 0


def test_a_pulled_producer_is_asked_by_tcp_alone(rig: Rig) -> None:
    """Otherwise it would be asked again and again, whether there is something to do or not."""
    puller = Puller()
    rig.inner.transport.registerProducer(puller, False)
    assert (rig.tcp.producer, rig.tcp.streaming) == (puller, False)
    rig.shake()
    rig.inner.transport.unregisterProducer()
    assert rig.tcp.producer is None


def test_a_pushing_producer_hears_of_full_buffers(rig: Rig) -> None:
    heard: list[str] = []

    @implementer(IPushProducer)
    class Pusher:
        def pauseProducing(self) -> None:
            heard.append("pause")

        def resumeProducing(self) -> None:
            heard.append("resume")

        def stopProducing(self) -> None:
            heard.append("stop")

    rig.inner.transport.registerProducer(Pusher(), True)
    rig.shake()
    assert rig.tcp.streaming
    producer: Any = rig.tcp.producer
    producer.pauseProducing()
    producer.resumeProducing()
    assert heard[-2:] == ["pause", "resume"]


def test_the_socket(rig: Rig) -> None:
    assert rig.inner.transport.getHandle() == "the socket"


@pytest.mark.parametrize("answers", [True, False])
def test_the_end_is_said_and_not_waited_for_for_ever(rig: Rig, answers: bool) -> None:
    rig.shake()
    rig.inner.transport.write(b"last words")
    rig.inner.transport.loseConnection()
    rig.carry()
    assert rig.client.read(10) == b"last words"
    assert rig.client.read() == b"", "the end, as TLS says it"
    if answers:
        rig.client.unwrap()
        rig.carry()
        assert rig.tcp.disconnecting
    else:
        rig.pass_time(LINGER - 0.1)
        assert not rig.tcp.disconnected
        rig.pass_time(0.1)
        assert rig.tcp.disconnected
    rig.lose()
    assert rig.inner.lost == 1
    assert len(rig.agenda) == 0


def test_closing_one_direction_is_the_end_of_both(rig: Rig) -> None:
    rig.shake()
    rig.inner.transport.write(b"last words")
    rig.inner.transport.loseWriteConnection()
    rig.carry()
    assert rig.client.read(10) == b"last words"
    assert rig.client.read() == b"", "the end, as TLS says it"
    assert not rig.tcp.disconnected
    rig.inner.transport.abortConnection()
    assert rig.tcp.disconnected
