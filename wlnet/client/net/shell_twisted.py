"""Sockets under Twisted: any reactor with ``IReactorFDSet`` (all but the IOCP one)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReadWriteDescriptor
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.client.net.network import T
from wlnet.client.net.shell_loop import guarded
from wlnet.client.net.shell_sockets import SocketNetwork


class TwistedNetwork(SocketNetwork):
    """See :class:`wlnet.client.net.network.Network`.

    :param reactor: with ``IReactorFDSet``, ``IReactorTime`` and ``IReactorThreads``; None: the global one.
    """

    def __init__(self, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it
        super().__init__(_TwistedLoop(reactor))


class _Timer:
    def __init__(self, delayed: IDelayedCall) -> None:
        self._delayed = delayed

    def cancel(self) -> None:
        if self._delayed.active():
            self._delayed.cancel()


@implementer(IReadWriteDescriptor)
class _Watched:
    """A socket as the reactor sees it."""

    def __init__(
        self, reactor: Any, sock: socket.socket, readable: Callable[[], None], writable: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._descriptor = sock.fileno()
        self._readable = readable
        self._writable = writable
        self._reads = False
        self._writes = False

    def reading(self, wanted: bool) -> None:
        if wanted != self._reads:
            self._reads = wanted
            (self._reactor.addReader if wanted else self._reactor.removeReader)(self)

    def writing(self, wanted: bool) -> None:
        if wanted != self._writes:
            self._writes = wanted
            (self._reactor.addWriter if wanted else self._reactor.removeWriter)(self)

    def stop(self) -> None:
        self.reading(False)
        self.writing(False)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "wlnet client"

    def doRead(self) -> None:
        self._readable()

    def doWrite(self) -> None:
        self._writable()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor saw an error and forgot the socket; which error it is, a call on the socket tells."""
        reads, self._reads = self._reads, False
        writes, self._writes = self._writes, False
        self.reading(reads)
        self.writing(writes)
        if writes:
            self._writable()
        if self._reads:
            self._readable()


class _TwistedLoop:
    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def watch(
        self, sock: socket.socket, readable: Callable[[], None], writable: Callable[[], None]
    ) -> _Watched:
        return _Watched(self._reactor, sock, readable, writable)

    def call_later(self, delay: float, call: Callable[[], None]) -> _Timer:
        return _Timer(self._reactor.callLater(max(0.0, delay), guarded, self, "timer", call))

    def in_thread(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        def finished(result: T | Failure) -> None:
            if isinstance(result, Failure):
                error = result.value
                guarded(
                    self,
                    "thread done",
                    done,
                    error if isinstance(error, Exception) else Exception(str(error)),
                )
            else:
                guarded(self, "thread done", done, result)

        deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work).addBoth(finished)

    def failed(self, what: str, error: Exception) -> None:
        self.log.failure("mistake in {what}", Failure(error), what=what)
