"""A metaserver on real sockets over the rig of :mod:`tests.support.lobby`, and clients of it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from itertools import count

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from tests.support.lobby import Packet, Rig
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.budget import QueueBudget
from wlnet.limits.gate import ConnectionGate
from wlnet.protocols.metaserver.server import MetaserverFactory, MetaserverProtocol
from wlnet.protocols.metaserver.wire import encode

assert isinstance(_reactor, PosixReactorBase)
reactor: PosixReactorBase = _reactor


async def until(what: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until *what* is true."""
    end = reactor.seconds() + seconds
    while not what():
        assert reactor.seconds() < end, "it did not happen in time"
        await deferLater(reactor, 0.005)


class Wire(Protocol):
    """A client that reads all there is; ``on_packet`` may answer."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.ended: Failure | None = None
        self.on_packet: Callable[[Packet], None] = lambda packet: None
        self._raw = b""

    def dataReceived(self, data: bytes) -> None:
        self._raw += data
        while len(self._raw) >= 2 and len(self._raw) >= (length := int.from_bytes(self._raw[:2], "big")):
            body, self._raw = self._raw[2:length], self._raw[length:]
            packet = tuple(field.decode("utf-8", "surrogateescape") for field in body.split(b"\0")[:-1])
            self.packets.append(packet)
            self.on_packet(packet)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = reason

    def say(self, *fields: str) -> None:
        self.raw(encode(*fields))

    def raw(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def said(self, command: str) -> list[Packet]:
        return [packet for packet in self.packets if packet[0] == command]

    async def hears(self, command: str, times: int = 1) -> Packet:
        await until(lambda: len(self.said(command)) >= times or self.ended)
        assert len(self.said(command)) >= times, (self.packets[-3:], self.ended)
        return self.said(command)[times - 1]

    async def end(self) -> Failure:
        await until(lambda: self.ended)
        assert self.ended is not None
        return self.ended


class Server:
    """The shell on 127.0.0.1 and ::1; the agenda's clock is turned by hand (``rig.wait``)."""

    def __init__(
        self,
        rig: Rig,
        *,
        connections: int = 4000,
        queue: int = 262144,
        budget: int = 2**28,
        linger: float = 5.0,
    ) -> None:
        self.rig = rig
        self.budget = QueueBudget(budget)
        self.gate = ConnectionGate(connections, 30, TrustedNetworks())
        numbers = count(1)
        self.factory = MetaserverFactory(
            rig.office,
            gate=self.gate,
            budget=self.budget,
            metrics=rig.metrics,
            reactor=reactor,
            queue_limit=queue,
            linger=linger,
            new_session_id=lambda: f"m{next(numbers)}",
        )
        self.ports = [reactor.listenTCP(0, self.factory, interface=host) for host in ("127.0.0.1", "::1")]

    def address(self, host: str = "127.0.0.1") -> tuple[str, int]:
        port: Port = self.ports[":" in host]
        return host, port.getHost().port

    async def connect(self, host: str = "127.0.0.1") -> Wire:
        made: Deferred[Wire] = Deferred()

        class Maker(ClientFactory):
            noisy = False

            def buildProtocol(self, _: object) -> Wire:
                wire = Wire()
                wire.connectionMade = lambda: made.callback(wire)  # type: ignore[method-assign]
                return wire

            def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
                made.errback(reason)

        reactor.connectTCP(*self.address(host), Maker(), timeout=5)
        return await made

    async def player(self, name: str, host: str = "127.0.0.1") -> Wire:
        wire = await self.connect(host)
        wire.say("LOGIN", "6", name, "1.1", "false", f"nonce of {name}")
        await wire.hears("TIME")
        return wire

    async def deaf(self, name: str) -> socket.socket:
        """A player who is logged in, and whose client reads nothing from then on."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(self.address())
        sock.setblocking(False)
        sock.send(encode("LOGIN", "6", name, "1.1", "false", f"nonce of {name}"))
        await until(lambda: self.rig.lobby.hall.roster.live(name))
        return sock

    def connection_of(self, name: str) -> MetaserverProtocol | None:
        """The server's end of a player's connection."""
        for connection in self.factory.connections:
            if connection._session is not None and connection._session.name == name:
                return connection
        return None

    async def stop(self, *clients: Wire | socket.socket) -> None:
        for client in clients:
            if isinstance(client, socket.socket):
                client.close()
            elif client.ended is None:
                client.transport.abortConnection()  # type: ignore[union-attr]
                await client.end()
        for port in self.ports:
            await port.stopListening()
        for connection in list(self.factory.connections):
            connection._transport.abortConnection()
        await until(lambda: not self.factory.connections)
        await deferLater(reactor, 0)


def reset(sock: socket.socket) -> None:
    """Close so that the other end sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
