"""A relay behind real sockets, and a client that notes what it hears."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.support.relay import Frame, decode
from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.budget import QueueBudget
from wlnet.limits.gate import ConnectionGate
from wlnet.metrics import Metrics
from wlnet.protocols.widelands_relay import wire
from wlnet.protocols.widelands_relay.server import RelayFactory
from wlnet.relay.relay import Relay

reactor: Any = _reactor
DEADLINE = 20.0


def make_certificate() -> tuple[crypto.PKey, crypto.X509]:
    """A key and a self-signed certificate for one test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return crypto.PKey.from_cryptography_key(key), crypto.X509.from_cryptography(certificate)


class Player(Protocol):
    """Decodes what it hears; may stop reading."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.bytes = 0
        self.keep = True
        self.closed = False
        self._rest = b""

    def dataReceived(self, data: bytes) -> None:
        self.bytes += len(data)
        if self.keep:
            frames, self._rest = decode(self._rest + data)
            self.frames += frames

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = True

    def say(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def stop_reading(self) -> None:
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def read_on(self) -> None:
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def hang_up(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def named(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame[0] == kind]


class RelayTestCase(TestCase):
    """Starts a relay with the room ``game`` and takes it down in order."""

    direct: bool
    timeout = 60

    def setUp(self) -> None:
        self.closed_rooms: list[str] = []
        self.bans: dict[str, str] = {}
        self.players: list[Player] = []
        self.ports: list[IListeningPort] = []

    def start(self, *, total: int = 1000, **settings: Any) -> None:
        agenda = Agenda(reactor.seconds)
        self.metrics = Metrics()
        self.budget = QueueBudget(1 << 26)
        self.relay = Relay(
            msgspec.structs.replace(schema.Relay(), **settings),
            schema.Limits(),
            agenda,
            self.metrics,
            self.budget,
            self,
        )
        self.relay.open_room("room", "game", "pw", "")
        self.gate = ConnectionGate(total, 10, TrustedNetworks())
        self.factory = RelayFactory(self.relay, self.gate, self.bans.get, reactor=reactor, direct=self.direct)
        ticker = LoopingCall(agenda.run_due)
        ticker.start(0.02)
        self.addCleanup(ticker.stop)
        self.addCleanup(self.stop)
        self.listen("127.0.0.1")

    def room_hosted(self, room_id: str) -> None:
        """RelayObserver."""

    def room_closed(self, room_id: str) -> None:
        self.closed_rooms.append(room_id)

    def listen(self, interface: str) -> int:
        port = reactor.listenTCP(0, self.factory, interface=interface)
        self.ports.append(port)
        return int(port.getHost().port)

    def number(self) -> int:
        """The first listening port."""
        address: Any = self.ports[0].getHost()
        return int(address.port)

    @inlineCallbacks
    def stop(self) -> Any:
        for port in self.ports:
            yield port.stopListening()
        yield self.factory.stop()
        assert len(self.gate) == 0
        yield self.until(lambda: all(player.closed for player in self.players))

    @inlineCallbacks
    def until(self, condition: Callable[[], object], seconds: float = DEADLINE) -> Any:
        """Wait for *condition*, fail after *seconds*."""
        end = reactor.seconds() + seconds
        while not condition():
            assert reactor.seconds() < end, "it did not happen in time"
            yield deferLater(reactor, 0.005, lambda: None)

    def connect(self, host: str = "127.0.0.1", port: int | None = None) -> Deferred[Player]:
        endpoint = HostnameEndpoint(reactor, host, port or self.number())
        connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(Player))

        def made(player: Player) -> Player:
            self.players.append(player)
            return player

        return connecting.addCallback(made)

    @inlineCallbacks
    def join(self, password: bytes = b"client", game: bytes = b"game", **where: Any) -> Any:
        player: Player = yield self.connect(**where)
        player.say(wire.hello(1, game, password))
        yield self.until(lambda: player.frames)
        assert player.frames[0] == ("Welcome", 1, game.decode()), player.frames
        return player

    @inlineCallbacks
    def joins(self, count: int) -> Any:
        players = []
        for _ in range(count):
            player = yield self.join()
            players.append(player)
        return players
