"""The sockets of the link: the lobby listens (:class:`LinkServer`), relays dial (:class:`LinkClient`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IAddress, IPushProducer, IReactorCore
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.tcp import Server
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.agenda import Agenda, Appointment
from wlnet.config.schema import Config, Link
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.gate import ConnectionGate
from wlnet.link.backoff import Backoff
from wlnet.link.channel import Channel, Ending
from wlnet.link.messages import (
    FromLobby,
    FromRelay,
    RefusalReason,
    decode_from_lobby,
    decode_from_relay,
)
from wlnet.link.relay_end import LobbyLink, RelayEnd
from wlnet.link.relay_link import RelayLink
from wlnet.link.relays import Relays
from wlnet.link.wire import Role
from wlnet.metrics import Front, Limit, Metrics

_LINGER = 2.0
"""Seconds a closed connection may take to send what is queued."""

_REPEAT = 60.0
"""Seconds before the same complaint about the lobby is written again."""

M = TypeVar("M", FromLobby, FromRelay)


@implementer(IPushProducer)
class LinkConnection(Protocol, Generic[M]):
    """Moves the bytes of one channel; a :class:`~wlnet.link.channel.Pipe`."""

    transport: Server  # or Client; both are what is needed here

    def __init__(
        self, agenda: Agenda, connected: Callable[[LinkConnection[M]], Channel[M]],
        gone: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._agenda = agenda
        self._connected: Callable[[LinkConnection[M]], Channel[M]] = connected
        self._gone = gone
        self._channel: Channel[M] | None = None
        self._queue: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._linger: Appointment | None = None

    def connectionMade(self) -> None:
        """See IProtocol."""
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._channel = self._connected(self)

    def dataReceived(self, data: bytes) -> None:
        """See IProtocol."""
        if self._channel is not None:
            self._channel.receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See IProtocol."""
        if self._linger is not None:
            self._linger.cancel()
        self._queue.clear()
        self._held = 0
        if self._channel is not None:
            self._channel.end(Ending.CONNECTION)
        self._gone()

    def pauseProducing(self) -> None:
        """The other end does not read: queue from now on."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It reads again."""
        self._paused = False
        while self._queue and not self._paused:
            data = self._queue.popleft()
            self._held -= len(data)
            self.transport.write(data)
        if not self._paused and self._channel is not None:
            self._channel.drained()

    def stopProducing(self) -> None:
        """The connection is ending by itself."""

    def write(self, data: bytes) -> None:
        """See :class:`wlnet.link.channel.Pipe`."""
        if self._paused:
            self._queue.append(data)
            self._held += len(data)
        else:
            self.transport.write(data)

    def waiting(self) -> int:
        """See :class:`wlnet.link.channel.Pipe`."""
        return self._held

    def close(self) -> None:
        """See :class:`wlnet.link.channel.Pipe`."""
        self.transport.unregisterProducer()
        self.transport.writeSequence(list(self._queue))
        self._queue.clear()
        self._held = 0
        self._linger = self._agenda.after(_LINGER, self.transport.abortConnection)
        self.transport.loseConnection()

    def abort(self) -> None:
        """See :class:`wlnet.link.channel.Pipe`."""
        self.transport.unregisterProducer()
        self.transport.abortConnection()


class LinkServer(Factory):
    """Accepts the links of relays; what they say goes to *relays*.

    :param secret: the shared secret.
    :param nonce: 32 fresh random bytes at each call.
    """

    noisy = False

    def __init__(
        self, relays: Relays, secret: bytes, agenda: Agenda, config: Config, metrics: Metrics,
        nonce: Callable[[], bytes],
    ) -> None:  # fmt: skip
        self._relays = relays
        self._secret = secret
        self._agenda = agenda
        self._settings = config.link
        self._metrics = metrics
        self._nonce = nonce
        most = config.link.max_handshakes
        self._gate = ConnectionGate(most, max(1, most // 4), TrustedNetworks(config.limits.trusted_networks))

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """See IProtocolFactory."""
        host = _host(addr)
        refused = self._gate.enter(host)
        if refused is not None:
            self._metrics.limited(Front.LINK, Limit(refused.value))
            return None
        inside = True

        def leave() -> None:
            nonlocal inside
            if inside:
                inside = False
                self._gate.leave(host)

        def connected(pipe: LinkConnection[FromRelay]) -> Channel[FromRelay]:
            channel = Channel(
                Role.LOBBY, self._secret, self._nonce(), self._agenda, self._settings, pipe, decode_from_relay
            )
            local = _host(pipe.transport.getHost())
            channel.start(RelayLink(self._relays, channel, host, local, leave))
            return channel

        return LinkConnection(self._agenda, connected, leave)


class LinkClient:
    """Keeps a relay linked to its lobby: dials, and dials again.

    :param secret: the shared secret.
    :param nonce: 32 fresh random bytes at each call.
    :param jitter: a random number from 0 to 1 at each call.
    :raises ValueError: ``link.lobby`` is not HOST:PORT.
    """

    def __init__(
        self, reactor: IReactorCore, end: RelayEnd, secret: bytes, agenda: Agenda, settings: Link,
        nonce: Callable[[], bytes], jitter: Callable[[], float], log: Logger,
    ) -> None:  # fmt: skip
        host, port = split_address(settings.lobby)
        self._endpoint: Any = HostnameEndpoint(reactor, host, port, timeout=settings.handshake_timeout)
        self._end = end
        self._secret = secret
        self._agenda = agenda
        self._settings = settings
        self._nonce = nonce
        self._log = log
        self._backoff = Backoff(settings.reconnect_min, settings.reconnect_max, jitter)
        self._running = False
        self._dialling: Deferred[Any] | None = None
        self._again: Appointment | None = None
        self._channel: Channel[FromLobby] | None = None
        self._stopped: Deferred[None] | None = None
        self._open = False
        self._said = ("", 0.0)

    def start(self) -> None:
        """Dial now."""
        if not self._running:
            self._running = True
            self._dial()

    def stop(self) -> Deferred[None]:
        """Close the link and dial no more; fires when the connection is gone."""
        self._running = False
        if self._again is not None:
            self._again.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        done: Deferred[None] = Deferred()
        if self._open:
            self._stopped = done
            if self._channel is not None:
                self._channel.end(Ending.STOPPED)
        else:
            done.callback(None)
        return done

    def _dial(self) -> None:
        factory = Factory.forProtocol(lambda: LinkConnection(self._agenda, self._connected, self._gone))
        factory.noisy = False
        self._dialling = self._endpoint.connect(factory)
        self._dialling.addBoth(self._dialled)
        self._dialling.addErrback(
            lambda failure: self._log.failure("Dialling the lobby went wrong", failure=failure)
        )

    def _dialled(self, result: object) -> None:
        self._dialling = None
        if isinstance(result, Failure) and self._running:
            known = result.check(ConnectError, DNSLookupError)
            self._complain(result.getErrorMessage().rstrip(".") if known else repr(result.value))
            self._dial_later()

    def _connected(self, pipe: LinkConnection[FromLobby]) -> Channel[FromLobby]:
        channel = Channel(
            Role.RELAY, self._secret, self._nonce(), self._agenda, self._settings, pipe, decode_from_lobby
        )
        self._channel = channel
        self._open = True
        channel.start(LobbyLink(self._end, channel, self._welcomed, self._over))
        return channel

    def _welcomed(self) -> None:
        self._backoff.reset()
        self._said = ("", 0.0)
        self._log.info("Linked to the lobby at {lobby}", lobby=self._settings.lobby)

    def _over(self, ending: Ending, refusal: RefusalReason | None) -> None:
        self._channel = None
        if not self._running:
            return
        if refusal is RefusalReason.NAME_TAKEN:
            self._complain("another relay of this name is linked to it; give each relay its own relay.name")
        elif refusal is RefusalReason.TOO_MANY_RELAYS:
            self._complain("it has as many relays as it may (link.max_relays at the lobby)")
        else:
            self._complain(ending.value)
        self._dial_later()

    def _gone(self) -> None:
        self._open = False
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            stopped.callback(None)

    def _dial_later(self) -> None:
        self._again = self._agenda.after(self._backoff.next(), self._dial)

    def _complain(self, why: str) -> None:
        said, when = self._said
        now = self._agenda.now()
        if why == said and now - when < _REPEAT:
            return
        self._said = (why, now)
        self._log.warn(
            "No link to the lobby at {lobby}: {why}. Trying again.", lobby=self._settings.lobby, why=why
        )


def split_address(text: str) -> tuple[str, int]:
    """HOST:PORT, ADDRESS:PORT or [IPV6]:PORT.

    :raises ValueError: it is none of these; the message is for the operator.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 0
    if not colon or not host or not 0 < number <= 65535 or (":" in host and not bracketed):
        raise ValueError(f'link.lobby is "{text}", but must be HOST:PORT (an IPv6 address as [::1]:7398)')
    return host, number


def _host(address: object) -> str:
    return address.host if isinstance(address, IPv4Address | IPv6Address) else str(address)
