"""Knocks over real sockets on loopback."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.trial.unittest import TestCase

from wlnet.rendezvous.shell_reach import Reach
from wlnet.steering.model import Transport

reactor: Any = _reactor

PACKET = b"\x23" + b"t" * 16


class ReachTests(TestCase):
    """A player's sockets, and the server's knocks."""

    timeout = 10

    def setUp(self) -> None:
        self.reach = Reach(reactor)
        self.addCleanup(self.reach.stop)

    def test_datagram(self) -> Deferred[None]:
        got: Deferred[bytes] = Deferred()

        class Ear(DatagramProtocol):
            noisy = False

            def datagramReceived(self, datagram: bytes, addr: object) -> None:
                got.callback(datagram)

        port = reactor.listenUDP(0, Ear(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.reach.knock(Transport.UDP, "127.0.0.1", port.getHost().port, PACKET, 2.0)
        return got.addCallback(self.assertEqual, PACKET)

    def test_connection(self) -> Deferred[None]:
        got: Deferred[bytes] = Deferred()

        class Ear(Protocol):
            heard = b""

            def dataReceived(self, data: bytes) -> None:
                self.heard += data

            def connectionLost(self, reason: object = None) -> None:
                got.callback(self.heard)

        factory = Factory.forProtocol(Ear)
        factory.noisy = False
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.reach.knock(Transport.TCP, "127.0.0.1", port.getHost().port, PACKET, 2.0)
        return got.addCallback(self.assertEqual, PACKET)

    def test_a_closed_door_is_silence(self) -> Deferred[None]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            closed = probe.getsockname()[1]
        self.reach.knock(Transport.TCP, "127.0.0.1", closed, PACKET, 0.5)
        self.reach.knock(Transport.UDP, "127.0.0.1", closed, PACKET, 0.5)
        done: Deferred[None] = Deferred()
        reactor.callLater(0.2, done.callback, None)
        return done
