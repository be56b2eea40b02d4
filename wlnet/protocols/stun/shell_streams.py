"""One TCP port for STUN and others, told apart by how a connection begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IPushProducer
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.agenda import Agenda
from wlnet.limits.gate import ConnectionGate, Refused
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.responder import Responder
from wlnet.protocols.stun.wire import Endpoint, StunError

LONGEST = 2048
"""Bytes of a message."""

_TYPE = 2
"""Bytes of a message's type, its first ones."""

_REFUSALS = {
    Refused.CONNECTIONS: Limit.CONNECTIONS,
    Refused.CONNECTIONS_PER_ADDRESS: Limit.CONNECTIONS_PER_ADDRESS,
}

_log = Logger(namespace="wlnet.stun")


class StreamMux(ServerFactory):
    """For the listening sockets of one TCP port.

    :param gate: counts connections until they are given to another protocol, which has limits of its own.
    :param idle_timeout: seconds without a request after which a connection is closed.
    :param may_log: asked with the address before a line about it.
    """

    noisy = False

    def __init__(
        self,
        responder: Responder,
        gate: ConnectionGate,
        agenda: Agenda,
        idle_timeout: float,
        metrics: Metrics,
        may_log: Callable[[str], bool] = lambda _address: True,
    ) -> None:
        self.responder = responder
        self.agenda = agenda
        self.idle_timeout = idle_timeout
        self.gate = gate
        self.others: dict[bytes, IProtocolFactory] = {}
        self.rest: IProtocolFactory | None = None
        self._metrics = metrics
        self._may_log = may_log
        self._connections: set[_Connection] = set()

    def register(self, beginning: bytes, factory: IProtocolFactory) -> None:
        """Give connections that begin so, these bytes included, to protocols of *factory*.

        :raises ValueError: it could also be the beginning of a STUN message or of another one's.
        """
        if (
            not beginning
            or beginning[0] < 4
            or any(beginning.startswith(other) or other.startswith(beginning) for other in self.others)
        ):
            raise ValueError("this beginning is not free")
        self.others[beginning] = factory

    def give_rest_to(self, factory: IProtocolFactory) -> None:
        """Give whatever is neither a STUN request nor registered to protocols of *factory*.

        Theirs must never begin with the type of a Binding request (00 01), nor with 00 00.
        """
        self.rest = factory

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection for *addr*; None (Twisted closes it) if there are too many."""
        address = str(getattr(addr, "host", addr))
        refused = self.gate.enter(address)
        if refused is not None:
            self.tell(address, _REFUSALS[refused])
            return None
        connection = _Connection(self, address, addr)
        self._connections.add(connection)
        return connection

    def leave(self, connection: _Connection) -> None:
        """*connection* is closed, or somebody else's."""
        if connection in self._connections:
            self._connections.discard(connection)
            self.gate.leave(connection.address)

    def tell(self, address: str, limit: Limit) -> None:
        """A connection from *address* hit a limit."""
        self._metrics.limited(Front.STUN, limit)
        if self._may_log(address):
            _log.info("closed a connection from {address}: {limit}", address=address, limit=limit.value)

    def stop(self) -> None:
        """Close the connections that are STUN's."""
        for connection in list(self._connections):
            connection.tcp.abortConnection()


@implementer(IPushProducer)
class _Connection(Protocol):
    """Finds out what a connection is, and answers if it is STUN."""

    def __init__(self, mux: StreamMux, address: str, peer: IAddress | None) -> None:
        self._mux = mux
        self._peer = peer
        self._buffer = b""
        self._decided = False
        self._closing = False
        self._inner: IProtocol | None = None
        self._last = mux.agenda.now()
        self.address = address

    def connectionMade(self) -> None:
        self.tcp = cast(Any, self.transport)
        self.tcp.setTcpNoDelay(True)
        self.tcp.registerProducer(self, True)
        here = self.tcp.getHost()
        self._local = Endpoint(here.host, here.port)
        self._source = Endpoint(self.address, getattr(self._peer, "port", 0))
        self._appointment = self._mux.agenda.after(self._mux.idle_timeout, self._idle)

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        if self._closing:
            return
        self._buffer += data
        if not self._decided and not self._decide():
            return
        try:
            self._answer()
        except StunError:
            self._close(Limit.MALFORMED)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._appointment.cancel()
        self._mux.leave(self)
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.connectionLost(reason)

    def pauseProducing(self) -> None:
        """The client does not read its answers: take no more requests."""
        self.tcp.pauseProducing()

    def resumeProducing(self) -> None:
        """It reads again."""
        self.tcp.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is gone; :meth:`connectionLost` follows."""

    def _decide(self) -> bool:
        """Whether this is known to be STUN."""
        if self._mux.rest is None:
            stun = self._buffer[0] < 4
        elif len(self._buffer) < _TYPE:
            return False
        else:
            stun = self._buffer[0] == 0 and self._buffer[1] < 2
        if stun:
            self._decided = True
            return True
        for beginning, factory in self._mux.others.items():
            if self._buffer.startswith(beginning):
                self._give_to(factory)
                return False
            if beginning.startswith(self._buffer):
                return False
        if self._mux.rest is not None:
            self._give_to(self._mux.rest)
        else:
            self._close(Limit.MALFORMED)
        return False

    def _give_to(self, factory: IProtocolFactory) -> None:
        self._appointment.cancel()
        self._mux.leave(self)
        self.tcp.unregisterProducer()
        inner = factory.buildProtocol(cast(IAddress, self._peer))
        if inner is None:
            self._closing = True
            self.tcp.loseConnection()
            return
        data, self._buffer = self._buffer, b""
        self._inner = inner
        inner.makeConnection(self.tcp)
        inner.dataReceived(data)

    def _answer(self) -> None:
        """Answer the complete messages of the buffer.

        :raises StunError: one of them is none, or too long.
        """
        buffer, position = self._buffer, 0
        answers: list[bytes] = []
        try:
            while len(buffer) - position >= wire.HEADER:
                length = wire.message_length(buffer[position : position + wire.HEADER])
                if length > LONGEST:
                    raise StunError("too long")
                if len(buffer) - position < length:
                    break
                answer = self._mux.responder.message(
                    buffer[position : position + length], self._source, self._local
                )
                position += length
                self._last = self._mux.agenda.now()
                if answer is not None:
                    answers.append(answer)
        finally:
            self._buffer = buffer[position:]
            if answers:
                self.tcp.write(b"".join(answers))

    def _idle(self) -> None:
        quiet = self._mux.agenda.now() - self._last
        if quiet < self._mux.idle_timeout:
            self._appointment = self._mux.agenda.after(self._mux.idle_timeout - quiet, self._idle)
            return
        self._mux.tell(self.address, Limit.SILENCE)
        self.tcp.abortConnection()

    def _close(self, limit: Limit) -> None:
        self._mux.tell(self.address, limit)
        self._closing = True
        self._buffer = b""
        self.tcp.unregisterProducer()
        self.tcp.loseConnection()
