"""The rendezvous as the service builds it: an observation and a knock over real sockets."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any, cast

import msgspec
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase

from tests.support.lobby import Rig
from tests.unit.rendezvous.rig import Speaker
from wlnet.config.schema import Config
from wlnet.protocols.exchange.messages import Candidates, Probed
from wlnet.protocols.stun.shell_datagrams import DatagramMux
from wlnet.rendezvous.events import Verified
from wlnet.service.rendezvous_part import RendezvousPart
from wlnet.service.shared import Shared
from wlnet.steering.model import Candidate, CandidateKind, Transport
from wlnet.tickets.ticket import from_text

reactor: Any = _reactor


class _Ear(DatagramProtocol):
    noisy = False

    def __init__(self) -> None:
        self.got: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        got, self.got = self.got, Deferred()
        got.callback(datagram)


class PartTests(TestCase):
    """One lobby, one player, both on loopback."""

    timeout = 10

    def setUp(self) -> None:
        self.rig = Rig()
        shared = Shared(msgspec.convert({}, Config), reactor)
        self.part = RendezvousPart(shared, self.rig.lobby)
        self.addCleanup(self.part.stop)
        self.rig.office = replace(self.rig.office, extension=self.part.extension)
        self.ear = _Ear()
        port = reactor.listenUDP(0, self.ear, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.player = Speaker(self.rig.player("ann", address="::1"))

    def test_observation_then_knock(self) -> Deferred[None]:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind(("127.0.0.1", 0))
        mux = DatagramMux(reactor, [one])
        self.part.attach([mux])
        mux.start()
        self.addCleanup(mux.stop)
        ticket = from_text(self.player.hello.observe[0])
        answered = self.ear.got
        cast(Any, self.ear.transport).write(b"\x24" + ticket, ("127.0.0.1", mux.port))

        def observed(answer: bytes) -> Deferred[bytes]:
            assert (answer[0], len(answer)) == (0x25, 9)
            knocked = self.ear.got
            mine = Candidate(
                kind=CandidateKind.HOST, transport=Transport.UDP, address="127.0.0.1", port=self.port
            )
            assert self.player.say(Candidates(candidates=(mine,))) == []
            return knocked

        def knocked(packet: bytes) -> None:
            assert (packet[0], len(packet)) == (0x23, 17)
            [told] = self.player.say(Probed(token=packet[1:].hex()))
            assert isinstance(told, Verified)
            assert told.reached

        return answered.addCallback(observed).addCallback(knocked)
