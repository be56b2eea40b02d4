"""The fast shell: all relay sockets in an epoll of their own, which the reactor sees as one descriptor.

Each wake of the reactor serves up to 256 ready sockets: one ``recv`` each, all frames of it handled, and at
the end one ``send`` for each receiver. A Twisted transport accepts the connection and closes it; between
these it is paused and this file reads and writes on its socket.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.protocols.widelands_relay.session import Session
from wlnet.protocols.widelands_relay.shell_connection import RelayConnection
from wlnet.relay.relay import Relay

_log = Logger(namespace="wlnet.relay")

_EVENTS = 256
"""Sockets served in one wake; the others are first in the next."""

_ROUND = 262144
"""Bytes read before what they caused is sent: one round must not fill the queue of a reader who keeps up."""

_Line = tuple[Callable[[int], bytes], Session, "DirectConnection"]


@implementer(IReadDescriptor)
class SocketPool:
    """The inner epoll.

    :param reactor: it watches the pool from the first socket on until :meth:`close`.
    """

    def __init__(self, reactor: IReactorFDSet, relay: Relay) -> None:
        self._reactor = reactor
        self._relay = relay
        self._lines: dict[int, _Line] = {}
        self._epoll = select.epoll()
        self._poll = self._epoll.poll
        self._watched = False

    def add(self, sock: socket.socket, session: Session, connection: DirectConnection) -> None:
        """Serve *sock* from now on.

        :raises OSError: the system cannot watch another one.
        """
        if not self._watched:
            self._watched = True
            self._reactor.addReader(self)
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._lines[sock.fileno()] = (sock.recv, session, connection)

    def watch_writing(self, number: int, wanted: bool) -> None:
        """Tell (or not) when the socket with this descriptor number can take more."""
        if number in self._lines:
            self._epoll.modify(number, select.EPOLLIN | select.EPOLLOUT if wanted else select.EPOLLIN)

    def remove(self, number: int) -> None:
        """Serve a socket no more; to be called before it is closed."""
        if self._lines.pop(number, None) is not None and not self._epoll.closed:
            self._epoll.unregister(number)

    def close(self) -> None:
        """Serve nobody any more. Harmless when repeated."""
        if self._watched:
            self._watched = False
            self._reactor.removeReader(self)
        self._lines.clear()
        self._epoll.close()

    def __len__(self) -> int:
        return len(self._lines)

    # IReadDescriptor

    def fileno(self) -> int:
        """The inner epoll's own descriptor; -1 when closed."""
        return -1 if self._epoll.closed else self._epoll.fileno()

    def logPrefix(self) -> str:
        """For Twisted's log."""
        return "relay"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops, or it gave the descriptor up because of a fault."""
        if self._lines:
            _log.warn("the reactor no longer serves {count} relay connections", count=len(self._lines))
        self._watched = False
        self.close()

    def doRead(self) -> None:
        """Some of the sockets are ready: one round of reads, then (or in between) the sends."""
        lines = self._lines
        flush = self._relay.outgoing.flush
        figures = self._relay.figures
        readable = select.EPOLLIN
        unflushed = 0
        for number, event in self._poll(0, _EVENTS):
            line = lines.get(number)
            if line is None:  # closed by what another one sent in this round
                continue
            receive, session, connection = line
            try:
                if event != readable and not self._other_event(session, event):
                    continue
                try:
                    data = receive(session.read_size)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                if data:
                    session.feed(data)
                    unflushed += len(data)
                    if unflushed >= _ROUND:
                        figures.bytes_in += unflushed
                        unflushed = 0
                        flush()
                else:
                    connection.ended()
            except Exception:  # a fault of ours must not stop the other games
                self._give_up(session)
        figures.bytes_in += unflushed
        try:
            flush()
        except Exception:
            _log.failure("fault in the relay when sending")

    def _give_up(self, session: Session) -> None:
        _log.failure("session {session}: fault in the relay", session=session.session_id)
        try:
            self._relay.abort(session)
        except Exception:
            _log.failure("session {session}: fault when ending it", session=session.session_id)

    def _other_event(self, session: Session, event: int) -> bool:
        """More than "readable": True if there is something to read as well."""
        if event & select.EPOLLOUT:
            self._relay.outgoing.writable(session)
        return bool(event & ~select.EPOLLOUT) and not session.closed


class DirectConnection(RelayConnection):
    """Reads and writes on the socket itself."""

    _socket: socket.socket

    def __init__(self, address: str, session_id: str, pool: SocketPool) -> None:
        super().__init__(address, session_id)
        self._pool = pool
        self._number = -1
        self._watching = False

    def prepare(self) -> None:
        """Take the socket over before Twisted reads from it."""
        self.tcp.pauseProducing()
        self._socket = self.tcp.getHandle()
        self._number = self._socket.fileno()
        self.session.send = self._socket.send  # the hot path: no function of ours in between
        try:
            self._pool.add(self._socket, self.session, self)
        except OSError:
            self.tcp.abortConnection()

    def send(self, data: bytes | memoryview, /) -> int:
        """Send on the socket."""
        return self._socket.send(data)

    def watch(self, wanted: bool) -> None:
        """Have the pool tell when the socket can take more."""
        if wanted != self._watching:
            self._watching = wanted
            self._pool.watch_writing(self._number, wanted)

    def finish(self) -> None:
        """End our side; what still comes is read and ignored until the other side has ended as well."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.factory.relay.abort(self.session)

    def ended(self) -> None:
        """The other side has ended the connection."""
        self._pool.remove(self._number)
        self.factory.relay.lost(self.session)
        self.tcp.loseConnection()

    def abort(self) -> None:
        """Drop the connection."""
        self._pool.remove(self._number)
        self.tcp.abortConnection()
