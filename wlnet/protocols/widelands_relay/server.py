"""The relay's front door: whom it lets in, over which shell, and how it is closed."""

from __future__ import annotations

import select
from collections.abc import Callable
from itertools import count
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorFDSet, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger

from wlnet.limits.gate import ConnectionGate, Refused
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay.shell_connection import RelayConnection, StreamConnection
from wlnet.protocols.widelands_relay.shell_epoll import DirectConnection, SocketPool
from wlnet.relay.relay import Relay

_log = Logger(namespace="wlnet.relay")

_STOP_MARGIN = 1.0
"""Seconds beyond ``relay.close_linger`` after which :meth:`RelayFactory.stop` aborts what is left."""

_REFUSALS = {
    Refused.CONNECTIONS: Limit.CONNECTIONS,
    Refused.CONNECTIONS_PER_ADDRESS: Limit.CONNECTIONS_PER_ADDRESS,
}


def _always(_address: str) -> bool:
    return True


class RelayFactory(ServerFactory):
    """Makes a connection of *relay* of everything that is accepted; for any number of TCP ports.

    :param gate: counts connections, of this and perhaps other factories.
    :param banned: given an address, says why it is banned, or None.
    :param reactor: must provide IReactorFDSet as well for the fast shell.
    :param may_log: asked with the address before a line about a refused connection.
    :param direct: serve the sockets past their transports (TCP only, needs epoll); False for TLS ports.
        None: if system and reactor can.
    """

    noisy = False

    def __init__(
        self,
        relay: Relay,
        gate: ConnectionGate,
        banned: Callable[[str], str | None],
        *,
        reactor: IReactorTime,
        may_log: Callable[[str], bool] = _always,
        direct: bool | None = None,
    ) -> None:
        self.relay = relay
        self.banned = banned
        self._gate = gate
        self._reactor = reactor
        self._may_log = may_log
        self._numbers = count(1)
        self._connections: set[RelayConnection] = set()
        self._pool: SocketPool | None = None
        self._stopping = False
        self._waiting: list[Deferred[None]] = []
        if direct is None:
            direct = hasattr(select, "epoll") and IReactorFDSet.providedBy(reactor)
        if direct:
            self._pool = SocketPool(cast(IReactorFDSet, reactor), relay)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """A connection for *addr*; None (Twisted closes it) if there are too many."""
        address = str(getattr(addr, "host", addr))
        if self._stopping:
            return None
        refused = self._gate.enter(address)
        if refused is not None:
            self.relay.limited(_REFUSALS[refused])
            if self._may_log(address):
                _log.info(
                    "refused a connection from {address}: {limit}", address=address, limit=refused.value
                )
            return None
        session_id = f"r{next(self._numbers):x}"
        connection: RelayConnection
        if self._pool is not None:
            connection = DirectConnection(address, session_id, self._pool)
        else:
            connection = StreamConnection(address, session_id)
        connection.factory = self
        self._connections.add(connection)
        return connection

    def gone(self, connection: RelayConnection) -> None:
        """*connection* is closed."""
        self._connections.discard(connection)
        self._gate.leave(connection.address)
        self._finish_stop()

    def stopFactory(self) -> None:
        """The last port was closed: so are the connections."""
        self.stop()

    def stop(self) -> Deferred[None]:
        """Disconnect everybody with a reason. Fires when all are gone, at the latest ``relay.close_linger``
        and a second later; nobody is let in any more.
        """
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if not self._stopping:
            self._stopping = True
            self.relay.close()
            self._deadline = self._reactor.callLater(
                self.relay.settings.close_linger + _STOP_MARGIN, self._abort_all
            )
        self._finish_stop()
        return done

    def _abort_all(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    def _finish_stop(self) -> None:
        if self._connections or not self._stopping:
            return
        if self._deadline.active():
            self._deadline.cancel()
        if self._pool is not None:
            self._pool.close()
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)
