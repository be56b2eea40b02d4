"""The connect-back check of build 19 games (docs/protocols/metaserver.md, "Build 19 games")."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.interfaces import IConnector, IDelayedCall, IReactorTCP, IReactorTime, ITransport
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

CALL = b"\x00\x03\x40"
"""What a game that listens echoes."""

_MARGIN = 1.0
"""Seconds the connection attempt may take beyond the time limit; by then it was stopped."""


class Prober:
    """Connects to a host's game port and waits for the echo.

    :param port: where build 19 games listen.
    """

    def __init__(self, reactor: IReactorTCP, port: int) -> None:
        self._reactor = reactor
        self._port = port

    def probe(self, address: str, timeout: float, answer: Callable[[bool], None]) -> None:
        """See :class:`wlnet.lobby.ports.ProberPort`."""
        factory = _ProbeFactory(cast(IReactorTime, self._reactor), timeout, answer)
        self._reactor.connectTCP(address, self._port, factory, timeout=timeout + _MARGIN)


class _ProbeFactory(ClientFactory):
    noisy = False

    def __init__(self, clock: IReactorTime, timeout: float, answer: Callable[[bool], None]) -> None:
        self._answer: Callable[[bool], None] | None = answer
        self._deadline: IDelayedCall = clock.callLater(timeout, self.settle, False)
        self._connector: IConnector | None = None

    def startedConnecting(self, connector: IConnector) -> None:
        self._connector = connector

    def buildProtocol(self, _: object) -> _Probe:
        return _Probe(self)

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.settle(False)

    def settle(self, reachable: bool) -> None:
        answer, self._answer = self._answer, None
        if self._deadline.active():
            self._deadline.cancel()
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.disconnect()
        if answer is not None:
            answer(reachable)


class _Probe(Protocol):
    def __init__(self, probe: _ProbeFactory) -> None:
        self._owner = probe
        self._heard = b""

    def connectionMade(self) -> None:
        cast(ITransport, self.transport).write(CALL)

    def dataReceived(self, data: bytes) -> None:
        self._heard = (self._heard + data)[: len(CALL)]
        if not CALL.startswith(self._heard):
            self._owner.settle(False)
        elif self._heard == CALL:
            self._owner.settle(True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._owner.settle(False)
