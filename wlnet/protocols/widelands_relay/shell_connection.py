"""The relay over a Twisted transport: the reference shell, also for TLS and systems without epoll."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, cast
from typing import Protocol as Shape

from twisted.internet.interfaces import IPushProducer, ISSLTransport, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.protocols.widelands_relay.session import Session

if TYPE_CHECKING:
    from wlnet.protocols.widelands_relay.server import RelayFactory

_STEP = 65536
"""Most bytes given to the transport at a time: it holds at most about twice as much."""


class TcpTransport(Shape):
    """What the shells use of Twisted's TCP (or TLS) transports."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """ITCPTransport."""

    def getHandle(self) -> socket.socket:
        """ISystemHandle."""

    def pauseProducing(self) -> None:
        """IPushProducer."""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """IConsumer."""

    def unregisterProducer(self) -> None:
        """IConsumer."""

    def write(self, data: bytes) -> None:
        """ITransport."""

    def loseConnection(self) -> None:
        """ITransport."""

    def loseWriteConnection(self) -> None:
        """ITCPTransport."""

    def abortConnection(self) -> None:
        """ITCPTransport."""


class RelayConnection(Protocol):
    """What all shells share: the beginning and the end of a connection.

    :param address: where it comes from, an IP literal.
    """

    factory: RelayFactory
    session: Session
    tcp: TcpTransport

    def __init__(self, address: str, session_id: str) -> None:
        self.address = address
        self.session_id = session_id

    def connectionMade(self) -> None:
        """Twisted has accepted the connection."""
        relay = self.factory.relay
        self.tcp = cast(TcpTransport, self.transport)
        self.tcp.setTcpNoDelay(True)
        self.session = Session(relay, self, self.address, self.session_id)
        self.prepare()
        relay.connected(self.session, self.factory.banned(self.address))
        relay.outgoing.flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted has closed the socket, for whatever reason."""
        relay = self.factory.relay
        relay.lost(self.session)
        self.factory.gone(self)
        relay.outgoing.flush()

    def prepare(self) -> None:
        """Transport and session are there, nothing was said yet."""
        raise NotImplementedError

    def send(self, data: bytes | memoryview, /) -> int:
        """See :class:`~wlnet.relay.peer.Carrier`."""
        raise NotImplementedError

    def watch(self, wanted: bool) -> None:
        """See :class:`~wlnet.relay.peer.Carrier`."""
        raise NotImplementedError

    def finish(self) -> None:
        """See :class:`~wlnet.relay.peer.Carrier`."""
        raise NotImplementedError

    def abort(self) -> None:
        """See :class:`~wlnet.relay.peer.Carrier`."""
        raise NotImplementedError


@implementer(IPushProducer)
class StreamConnection(RelayConnection):
    """Reads and writes by the transport, which tells as to a producer when it has enough."""

    def __init__(self, address: str, session_id: str) -> None:
        super().__init__(address, session_id)
        self._full = False
        self._finishing = False

    def prepare(self) -> None:
        """The transport is to tell when it has enough."""
        self.tcp.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """One read; Twisted reads 64 KiB at most and takes the connections in turn."""
        relay = self.factory.relay
        relay.figures.bytes_in += len(data)
        self.session.feed(data)
        relay.outgoing.flush()

    def send(self, data: bytes | memoryview, /) -> int:
        """Give the transport some of *data*, unless it has enough."""
        if self._full:
            raise BlockingIOError
        taken = bytes(data[:_STEP])
        self.tcp.write(taken)
        return len(taken)

    def watch(self, wanted: bool) -> None:
        """Nothing to do: the transport tells by itself."""

    def pauseProducing(self) -> None:
        """The transport has enough."""
        self._full = True

    def resumeProducing(self) -> None:
        """The transport can take more."""
        self._full = False
        if self.session.awaits_writable:
            outgoing = self.factory.relay.outgoing
            outgoing.writable(self.session)
            outgoing.flush()

    def stopProducing(self) -> None:
        """The connection is gone; :meth:`connectionLost` follows."""

    def finish(self) -> None:
        """End our side once everything is written; closed when the other side has ended its own."""
        if self._finishing:
            return
        self._finishing = True
        self.tcp.unregisterProducer()
        if ISSLTransport.providedBy(self.transport) or not ITCPTransport.providedBy(self.transport):
            self.tcp.loseConnection()
        else:
            self.tcp.loseWriteConnection()

    def abort(self) -> None:
        """Drop the connection."""
        self.tcp.abortConnection()
