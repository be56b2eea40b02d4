"""Sides over TCP: the connections of the port shared with STUN that begin with ``WLP``."""

from __future__ import annotations

import socket
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IPullProducer
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.agenda import Agenda, Appointment
from wlnet.limits.budget import QueueBudget
from wlnet.limits.gate import ConnectionGate, Refused
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.pairs.stream import BATCH, StreamSide
from wlnet.protocols.stun.wire import Endpoint
from wlnet.relay.pairs import Pairs

LINGER = 5.0
"""Seconds a client has to read why its connection is closed."""

_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)  # of Linux; Python 3.11 has no name for it
_REFUSALS = {
    Refused.CONNECTIONS: Limit.CONNECTIONS,
    Refused.CONNECTIONS_PER_ADDRESS: Limit.CONNECTIONS_PER_ADDRESS,
}


class PairFactory(ServerFactory):
    """To be registered at a :class:`~wlnet.protocols.stun.shell_streams.StreamMux`.

    :param gate: counts these connections.
    """

    noisy = False

    def __init__(
        self, pairs: Pairs, gate: ConnectionGate, agenda: Agenda, metrics: Metrics, budget: QueueBudget
    ) -> None:
        self.pairs = pairs
        self.gate = gate
        self.agenda = agenda
        self.metrics = metrics
        self.budget = budget
        self.connections: set[PairProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection for *addr*; None (it is closed then) if there are too many."""
        source = Endpoint(str(getattr(addr, "host", addr)), getattr(addr, "port", 0))
        refused = self.gate.enter(source.host)
        if refused is not None:
            self.metrics.limited(Front.PAIRS, _REFUSALS[refused])
            return None
        connection = PairProtocol(self, source)
        self.connections.add(connection)
        return connection

    def stop(self) -> None:
        """Close what is still open; sides hear why from :meth:`wlnet.relay.pairs.Pairs.stop` before."""
        for connection in list(self.connections):
            connection.abort()


@implementer(IPullProducer)
class PairProtocol(Protocol):
    """Moves the bytes of one :class:`~wlnet.protocols.pairs.stream.StreamSide`."""

    def __init__(self, factory: PairFactory, source: Endpoint) -> None:
        self._factory = factory
        self._source = source
        self._linger: Appointment | None = None

    def connectionMade(self) -> None:
        """Begin."""
        factory = self._factory
        self.tcp = cast(Any, self.transport)
        self.tcp.setTcpNoDelay(True)
        # What waits shall wait in our own queue, which drops, and not in the kernel, which delays.
        self.tcp.getHandle().setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, BATCH)
        self._side = StreamSide(
            factory.pairs, self._source, self, factory.agenda, factory.metrics, factory.budget
        )
        self.tcp.registerProducer(self, False)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self._side.receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        factory = self._factory
        if self._linger is not None:
            self._linger.cancel()
        if self in factory.connections:
            factory.connections.discard(self)
            factory.gate.leave(self._source.host)
        self._side.lost()

    def write(self, data: bytes) -> None:
        """See :class:`~wlnet.protocols.pairs.stream.Wires`."""
        self.tcp.write(data)

    def close(self) -> None:
        """See :class:`~wlnet.protocols.pairs.stream.Wires`."""
        self.tcp.unregisterProducer()
        self.tcp.loseConnection()
        self._linger = self._factory.agenda.after(LINGER, self.abort)

    def abort(self) -> None:
        """See :class:`~wlnet.protocols.pairs.stream.Wires`."""
        self.tcp.abortConnection()

    def resumeProducing(self) -> None:
        """The kernel has taken all that was written."""
        self._side.drained()

    def stopProducing(self) -> None:
        """The connection is gone; :meth:`connectionLost` follows."""
