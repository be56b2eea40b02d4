"""The metaserver's thin shell: moves bytes between Twisted's transports and the sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.limits.budget import QueueBudget
from wlnet.limits.gate import ConnectionGate, Refused
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.metaserver.session import Office, Session
from wlnet.protocols.metaserver.wire import encode

CONGESTED = 65536
"""Bytes waiting for a client from which on its commands wait too, and it counts as slow."""

_REFUSED = {
    Refused.CONNECTIONS: Limit.CONNECTIONS,
    Refused.CONNECTIONS_PER_ADDRESS: Limit.CONNECTIONS_PER_ADDRESS,
}


@implementer(IPushProducer)
class MetaserverProtocol(Protocol):
    """One connection: a :class:`~wlnet.protocols.metaserver.conversation.Output` over a transport.

    Packets collect in a queue of whole packets and go out in one write a reactor turn. While the
    transport has enough to do, they stay in the queue, whose size is limited.
    """

    def __init__(self, factory: MetaserverFactory, address: str, session_id: str) -> None:
        self.factory: MetaserverFactory = factory
        self.address = address
        self.session_id = session_id
        self._session: Session | None = None
        self._queue: list[bytes] = []
        self._queued = 0
        self._in_transport = 0
        self._blocked = False
        self._closing = False
        self._finished = False
        self._gone = False
        self._abort: IDelayedCall | None = None

    # -- Twisted's side --------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """A client is there."""
        transport = self._transport
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        transport.registerProducer(self, True)
        self.factory.connections.add(self)
        self._session = Session(
            self.factory.office,
            self,
            address=self.address,
            reached_at=getattr(transport.getHost(), "host", ""),
            session_id=self.session_id,
        )
        self.note("connected from {address}")

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the client. A defect of ours costs this connection, nobody else's."""
        if self._session is None or self._closing:
            return
        try:
            self._session.receive(data)
        except Exception:
            self._failed()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The connection is gone."""
        self._gone = True
        self.factory.gate.leave(self.address)
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        self._forget_queue()
        session, self._session = self._session, None
        try:
            if session is not None:
                session.connection_lost()
        finally:
            self.note("disconnected")
            self.factory.gone(self)

    # -- IPushProducer: how the transport says whether it can take more ---------------------------

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if not self._blocked:
            self._blocked = True
            self.factory.budget.add(self._in_transport)

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._unblock()
        self.flush()

    def stopProducing(self) -> None:
        """The connection is gone; connectionLost follows."""

    # -- Output: the session's side --------------------------------------------------------------

    @property
    def held(self) -> int:
        """Bytes that wait for this client to read."""
        return self._queued + (self._in_transport if self._blocked else 0)

    @property
    def congested(self) -> bool:
        """So much waits that its commands should wait too."""
        return self.held > CONGESTED

    def send(self, packet: bytes) -> None:
        """See :class:`~wlnet.protocols.metaserver.conversation.Output`."""
        if self._gone or self._closing:
            return
        self._queue.append(packet)
        self._queued += len(packet)
        self.factory.budget.add(len(packet))
        self.factory.flush_soon(self)
        if self.held > self.factory.queue_limit:
            self.drop()

    def close(self) -> None:
        """See :class:`~wlnet.protocols.metaserver.conversation.Output`."""
        if not (self._gone or self._closing):
            self._closing = True
            self._abort = self.factory.reactor.callLater(self.factory.linger, self._give_up)
            self.factory.flush_soon(self)

    def pause(self) -> None:
        """See :class:`~wlnet.protocols.metaserver.conversation.Output`."""
        if not (self._gone or self._closing):
            self._transport.pauseProducing()

    def resume(self) -> None:
        """See :class:`~wlnet.protocols.metaserver.conversation.Output`."""
        if not (self._gone or self._closing):
            self._transport.resumeProducing()

    def note(self, what: str, **values: object) -> None:
        """See :class:`~wlnet.protocols.metaserver.conversation.Output`."""
        if self.factory.may_log(self.address):
            self.factory.log.info(what, session=self.session_id, address=self.address, **values)

    # -- output ----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Give the transport what is queued, if it can take it."""
        if self._gone or self._finished:
            return
        if self._queue and not self._blocked:
            data = b"".join(self._queue)
            self._forget_queue()
            self._in_transport = len(data)
            self._transport.write(data)
        if self._closing:
            if not self._queue:
                self._finish()
        elif self._session is not None and not self.congested:
            try:
                self._session.drained()
            except Exception:
                self._failed()

    def drop(self) -> None:
        """The client does not read: what it has not got is dropped, it is told why and closed."""
        self.factory.metrics.limited(Front.METASERVER, Limit.QUEUE)
        self.note("dropped: does not read, {held} bytes wait for it", held=self.held)
        self._forget_queue()
        session, self._session = self._session, None
        packet = encode("DISCONNECT", "CLIENT_TIMEOUT")
        self._queue.append(packet)
        self._queued += len(packet)
        self.factory.budget.add(len(packet))
        self.close()
        if session is not None:
            # Not from within a broadcast: losing a player changes the lists it goes through.
            self.factory.reactor.callLater(0, session.connection_lost)

    def cut(self) -> None:
        """The memory this connection holds is needed: close it at once, without last words."""
        self.factory.metrics.limited(Front.METASERVER, Limit.TOTAL_QUEUES)
        self.note("cut: all queues are full, {held} bytes wait for it", held=self.held)
        self._forget_queue()
        self._unblock()
        self._give_up()

    def _finish(self) -> None:
        """All is said: half-close, and read on, to nowhere, until the client closes too.

        Closing for good with bytes left unread would be a reset, and that can overtake the last words.
        """
        self._finished = True
        self._transport.unregisterProducer()
        self._transport.resumeProducing()
        self._transport.loseWriteConnection()

    def _give_up(self) -> None:
        self._closing = self._finished = True
        self._transport.abortConnection()

    def _failed(self) -> None:
        self.factory.log.failure("session {session} failed", session=self.session_id)
        self._give_up()

    def _unblock(self) -> None:
        if self._blocked:
            self._blocked = False
            self.factory.budget.add(-self._in_transport)
        self._in_transport = 0

    def _forget_queue(self) -> None:
        self.factory.budget.add(-self._queued)
        self._queue.clear()
        self._queued = 0
        if self._gone:
            self._unblock()

    @property
    def _transport(self) -> Connection:
        return cast(Connection, self.transport)


class MetaserverFactory(ServerFactory[MetaserverProtocol]):
    """Accepts clients of the lobby.

    :param gate: counts connections.
    :param budget: counts what all queues of the process hold.
    :param queue_limit: bytes that may wait for one client.
    :param linger: seconds a client may take to read the last words.
    :param may_log: whether a line about an address may still be logged.
    """

    log = Logger()
    noisy = False

    def __init__(
        self,
        office: Office,
        *,
        gate: ConnectionGate,
        budget: QueueBudget,
        metrics: Metrics,
        reactor: IReactorTime,
        queue_limit: int,
        linger: float,
        new_session_id: Callable[[], str],
        may_log: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.office = office
        self.gate = gate
        self.budget = budget
        self.metrics = metrics
        self.reactor = reactor
        self.queue_limit = queue_limit
        self.linger = linger
        self.may_log = may_log
        self.connections: set[MetaserverProtocol] = set()
        self._new_session_id = new_session_id
        self._dirty: dict[MetaserverProtocol, None] = {}
        self._flush: IDelayedCall | None = None
        self._stopping = False
        self._waiting: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> MetaserverProtocol | None:
        """Let a connection in, or (None) close it at once."""
        address = str(getattr(addr, "host", ""))
        if self._stopping:
            return None
        refused = self.gate.enter(address)
        if refused is not None:
            self.metrics.limited(Front.METASERVER, _REFUSED[refused])
            if self.may_log(address):
                self.log.info("refused a connection: {limit}", limit=refused.value, address=address)
            return None
        return MetaserverProtocol(self, address, self._new_session_id())

    def flush_soon(self, connection: MetaserverProtocol) -> None:
        """Flush *connection* at the end of this reactor turn, with all others."""
        self._dirty[connection] = None
        if self._flush is None:
            self._flush = self.reactor.callLater(0, self._flush_all)

    def close_all(self) -> Deferred[None]:
        """The server stops: nobody is let in any more, everybody gets what was queued for him and is closed.

        Fires when all are gone, at the latest after ``linger``.
        """
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self._stopping = True
        for connection in list(self.connections):
            connection.close()
            connection.flush()
        self._finish_stop()
        return done

    def gone(self, connection: MetaserverProtocol) -> None:
        """*connection* is closed."""
        self.connections.discard(connection)
        self._finish_stop()

    def _finish_stop(self) -> None:
        if self._stopping and not self.connections:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.callback(None)

    def _flush_all(self) -> None:
        self._flush = None
        dirty, self._dirty = self._dirty, {}
        for connection in dirty:
            connection.flush()
        while self.budget.exhausted and self._cut_fullest():
            pass

    def _cut_fullest(self) -> bool:
        """All queues of the process are too large: the fullest of ours goes, if there is a slow one."""
        fullest = max(self.connections, key=lambda connection: connection.held, default=None)
        if fullest is None or fullest.held <= CONGESTED:
            return False
        fullest.cut()
        return True
