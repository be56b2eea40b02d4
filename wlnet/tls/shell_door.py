"""Encrypts what a factory's protocols say; they do not notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IHandshakeListener, IProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.agenda import Agenda, Appointment
from wlnet.metrics import Front, Limit, Metrics
from wlnet.tls.shell_certificate import Certificate

LINGER = 5.0
"""Seconds a client has to answer the end of TLS before the connection is cut."""

_log = Logger(namespace="wlnet.tls")


class TlsFactory(WrappingFactory[ProtocolWrapper]):
    """The protocols of *inner* over TLS. Their limits hold from the first byte of the handshake on.

    :param handshake_timeout: seconds.
    :param may_log: asked with the address before a line about it.
    """

    noisy = False

    def __init__(
        self,
        inner: IProtocolFactory,
        certificate: Certificate,
        agenda: Agenda,
        metrics: Metrics,
        handshake_timeout: float,
        may_log: Callable[[str], bool] = lambda _address: True,
    ) -> None:
        super().__init__(inner)
        self.agenda = agenda
        self.handshake_timeout = handshake_timeout
        self._metrics = metrics
        self._may_log = may_log
        self._tls: Any = TLSMemoryBIOFactory(certificate, False, self)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A connection for *addr*; None if *inner* lets none in."""
        inner = self.wrappedFactory.buildProtocol(addr)
        if inner is None:
            return None
        return TLSMemoryBIOProtocol(self._tls, Door(self, inner, str(getattr(addr, "host", addr))))

    def failed(self, address: str, limit: Limit) -> None:
        """A connection from *address* ended before it was encrypted."""
        self._metrics.limited(Front.TLS, limit)
        if self._may_log(address):
            _log.info("no TLS with {address}: {limit}", address=address, limit=limit.value)


@implementer(IHandshakeListener)
class Door(ProtocolWrapper):
    """Between the encryption and a protocol made for TCP, whose transport it is."""

    def __init__(self, factory: TlsFactory, inner: IProtocol, address: str) -> None:
        super().__init__(cast(Any, factory), inner)
        self._doors = factory
        self._address = address
        self._encrypted = False
        self._pulls = False
        self._timer: Appointment | None = None

    # -- from the encryption ---------------------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """Begin."""
        self._timer = self._doors.agenda.after(self._doors.handshake_timeout, self._too_slow)
        super().makeConnection(transport)

    def handshakeCompleted(self) -> None:
        """See IHandshakeListener."""
        self._encrypted = True
        self._stop_timer()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        if not self._encrypted and reason.check(SSL.Error) is not None:
            self._doors.failed(self._address, Limit.MALFORMED)
        self._stop_timer()
        super().connectionLost(reason)

    # -- for the protocol ------------------------------------------------------------------------

    def getHandle(self) -> object:
        """The socket."""
        return self._tcp.getHandle()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """A producer that is pulled is asked by TCP when all is sent; TLS would ask it without a pause."""
        self._pulls = not streaming
        if self._pulls:
            self._tcp.registerProducer(producer, False)
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """The reverse."""
        if self._pulls:
            self._pulls = False
            self._tcp.unregisterProducer()
        else:
            super().unregisterProducer()

    def loseConnection(self) -> None:
        """Say that this is the end, and close when the client has said it too or has had the time to."""
        if not self.disconnecting:
            self._stop_timer()
            self._timer = self._doors.agenda.after(LINGER, self.abortConnection)
            super().loseConnection()

    def loseWriteConnection(self) -> None:
        """The same, for TLS has no half-closed connections; when to cut it is for the protocol to say."""
        if not self.disconnecting:
            super().loseConnection()

    def abortConnection(self) -> None:
        """Cut it."""
        self.disconnecting = 1
        self._tls.abortConnection()

    # -- parts -----------------------------------------------------------------------------------

    @property
    def _tls(self) -> Any:
        return self.transport

    @property
    def _tcp(self) -> Any:
        return cast(Protocol, self.transport).transport

    def _too_slow(self) -> None:
        self._timer = None
        self._doors.failed(self._address, Limit.HANDSHAKE_TIME)
        self.abortConnection()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
