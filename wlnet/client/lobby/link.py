"""The connection to a lobby, kept: connects, logs in, negotiates, and does all that again when it is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.dialing import Dialing, Unreachable
from wlnet.client.lobby.session import (
    Greeted,
    Heard,
    Line,
    LobbySession,
    Login,
    Over,
    Seated,
    SessionTimes,
    Trouble,
)
from wlnet.client.lobby.words import Ending, shown
from wlnet.client.net.network import Network, Stream, StreamEnd, Timer, TlsOptions
from wlnet.link.backoff import Backoff
from wlnet.protocols.exchange.messages import Hello, Said
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import Told


class LobbyLimits(Struct, frozen=True, kw_only=True):
    """How long a link tries, in seconds, and how much it holds.

    :ivar connect: for all addresses of the lobby together.
    :ivar shortest_pause: before the first further attempt, half to all of it.
    :ivar longest_pause: before any.
    :ivar busy_pause: the least if the lobby said that it cannot take us now.
    :ivar first_patience: until it gives up if the lobby was never reached.
    :ivar patience: until it gives up after it was reached once.
    :ivar waiting: bytes that may wait to be sent before the connection counts as lost.
    """

    connect: float = 10.0
    shortest_pause: float = 1.0
    longest_pause: float = 30.0
    busy_pause: float = 5.0
    first_patience: float = 30.0
    patience: float = 600.0
    waiting: int = 256 * 1024
    times: SessionTimes = SessionTimes()


class LobbyHandler(Protocol):
    """Who owns a link hears of it here; never within a call to the link."""

    def lobby_ready(self, name: str, hello: Hello) -> None:
        """Messages may be said; we are *name*. Comes after each connection: say again what it must know."""

    def lobby_tickets(self, hello: Hello) -> None:
        """The new tickets asked for."""

    def lobby_told(self, told: Told) -> None:
        """The rendezvous said something."""

    def lobby_line(self, text: str) -> None:
        """The lobby says something to the player."""

    def lobby_trouble(self, text: str) -> None:
        """Something went wrong that ends nothing."""

    def lobby_lost(self, text: str, again: float) -> None:
        """There is no connection now; it is tried again in so many seconds."""

    def lobby_gone(self, text: str) -> None:
        """The link has given up; the last call. *text* says why and what to do."""


class LobbyLink:
    """A player's link to one lobby; begins to connect when it is made.

    :param ca_file: PEM file of authorities to trust instead of the system's (TLS).
    """

    def __init__(
        self,
        network: Network,
        address: LobbyAddress,
        login: Login,
        handler: LobbyHandler,
        *,
        ca_file: str | None = None,
        limits: LobbyLimits | None = None,
    ) -> None:
        self._network = network
        self._address = address
        self._login = login
        self._handler = handler
        self._limits = limits or LobbyLimits()
        self._tls = TlsOptions(name=address.host, ca_file=ca_file) if address.tls else None
        self._backoff = Backoff(self._limits.shortest_pause, self._limits.longest_pause, self._jitter)
        self._dialing: Dialing | None = None
        self._stream: Stream | None = None
        self._session: LobbySession | None = None
        self._timer: Timer | None = None
        self._closed = False
        self._timer_at = 0.0
        self._reached = False
        self._ready_since: float | None = None
        self._away_since = network.now()
        self._later(0.0, self._resolve)

    @property
    def ready(self) -> bool:
        """Messages may be said now."""
        return self._session is not None and self._session.ready

    @property
    def server(self) -> Endpoint | None:
        """The lobby's end of the connection; None: there is none."""
        return self._stream.remote if self._stream is not None else None

    def say(self, message: Said) -> bool:
        """Say *message* to the rendezvous.

        :returns: False if there is no connection: say it again after ``lobby_ready``, if it still matters.
        :raises ValueError: it is longer than the lobby takes.
        """
        if self._session is None or not self._session.ready:
            return False
        self._session.say(message)
        self._flush()
        return True

    def negotiate(self) -> bool:
        """Ask for new tickets; False if there is no connection."""
        if self._session is None or not self._session.ready:
            return False
        self._session.negotiate()
        self._flush()
        return True

    def reconnect(self) -> None:
        """The connection is dead, as far as the owner can tell: another one, soon.

        Without a goodbye, which might still arrive and end the seat that is to be taken up again.
        """
        if self._stream is not None:
            self._abandon("it does not answer")

    def close(self) -> None:
        """Log out and close; the handler hears nothing more."""
        if self._closed:
            return
        self._closed = True
        self._stop_timer()
        if self._dialing is not None:
            self._dialing.cancel()
        session, self._session = self._session, None
        stream, self._stream = self._stream, None
        if stream is not None:
            if session is not None:
                session.leave()
                stream.write(session.transmits())
            stream.close()

    # -- connecting ------------------------------------------------------------------------------

    def _resolve(self) -> None:
        self._network.resolve(self._address.host, self._resolved)

    def _resolved(self, found: tuple[str, ...] | OSError) -> None:
        if self._closed:
            return
        if isinstance(found, OSError):
            self._failed(
                f"The name {self._address.host} cannot be found: {shown(found.strerror or str(found))}."
            )
            return
        self._dialing = Dialing(
            self._network,
            found,
            self._address.port,
            _Incoming(self),
            self._dialed,
            tls=self._tls,
            timeout=self._limits.connect,
        )

    def _dialed(self, result: Stream | Unreachable) -> None:
        self._dialing = None
        if isinstance(result, Unreachable):
            reason = shown(result.text).rstrip(".") or "no answer"
            if result.untrusted:
                self._give_up(
                    f"The lobby {self._address} showed a certificate that cannot be trusted: {reason}. "
                    "If it is your own authority's, name that with --ca FILE."
                )
            else:
                self._failed(f"The lobby {self._address} cannot be reached: {reason}.")
            return
        self._stream = result
        self._session = LobbySession(self._login, self._network.now(), self._limits.times)
        self._take()

    # -- the stream ------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """For the stream's handler."""
        if self._session is not None:
            self._session.receive(data, self._network.now())
            self._take()

    def stream_closed(self, text: str) -> None:
        """For the stream's handler."""
        if self._session is not None:
            self._session.closed(text)
            self._take()

    def _take(self) -> None:
        """Send, tell, and appoint the next look at the clock."""
        session = self._session
        if session is None:
            return
        self._flush()
        for event in session.events():
            if self._closed or self._session is not session:
                return
            match event:
                case Seated():
                    self._login = session.login
                case Greeted(hello):
                    self._greeted(session.name, hello)
                case Heard(told):
                    self._handler.lobby_told(told)
                case Line(text):
                    self._handler.lobby_line(text)
                case Trouble(text):
                    self._handler.lobby_trouble(text)
                case Over():
                    self._over(event)
                    return
        if not self._closed and self._session is session:
            self._watch(session)

    def _greeted(self, name: str, hello: Hello) -> None:
        if self._ready_since is not None:
            self._handler.lobby_tickets(hello)
            return
        self._ready_since = self._network.now()
        self._reached = True
        self._handler.lobby_ready(name, hello)

    def _over(self, over: Over) -> None:
        self._stop_timer()
        now = self._network.now()
        self._session = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        since, self._ready_since = self._ready_since, None
        if since is not None:
            self._away_since = now
            if now - since >= self._limits.longest_pause:
                self._backoff.reset()
        if over.ending is Ending.REFUSED:
            self._give_up(over.text)
        else:
            self._failed(over.text, self._limits.busy_pause if over.ending is Ending.BUSY else 0.0)

    def _flush(self) -> None:
        if self._session is None or self._stream is None:
            return
        data = self._session.transmits()
        if data:
            self._stream.write(data)
        if self._stream.waiting > self._limits.waiting:
            self._abandon("it does not read what we send")

    def _abandon(self, text: str) -> None:
        """Told later, not within the call that noticed it."""

        def due() -> None:
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.abort()
            self.stream_closed(text)

        self._stop_timer()
        self._later(0.0, due)

    # -- time ------------------------------------------------------------------------------------

    def _watch(self, session: LobbySession) -> None:
        deadline = session.next_deadline()
        if deadline is None:
            return
        if self._timer is not None and self._timer_at <= deadline:
            return  # it comes no later and looks then
        self._stop_timer()
        self._later(max(0.0, deadline - self._network.now()), self._tick)

    def _tick(self) -> None:
        if self._session is not None:
            self._session.tick(self._network.now())
            self._take()

    def _failed(self, text: str, least: float = 0.0) -> None:
        """Try again later, or not at all."""
        now, limits = self._network.now(), self._limits
        pause = max(least, self._backoff.next())
        patience = limits.patience if self._reached else limits.first_patience
        if now + pause - self._away_since > patience:
            self._give_up(f"{text} It was tried for {now - self._away_since:.0f} seconds.")
            return
        self._later(pause, self._resolve)
        self._handler.lobby_lost(text, pause)

    def _give_up(self, text: str) -> None:
        self._closed = True
        self._stop_timer()
        self._handler.lobby_gone(text)

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        def due() -> None:
            self._timer = None
            if not self._closed:
                call()

        self._timer_at = self._network.now() + delay
        self._timer = self._network.call_later(delay, due)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _jitter(self) -> float:
        return int.from_bytes(self._network.random_bytes(2), "big") / 65535


class _Incoming:
    """The stream's side of a link."""

    def __init__(self, link: LobbyLink) -> None:
        self._link = link

    def connected(self, local: Endpoint) -> None:
        """The dialing has told the link."""

    def received(self, data: bytes) -> None:
        self._link.received(data)

    def ended(self) -> None:
        self._link.stream_closed("")

    def drained(self) -> None:
        """The link writes little and waits for nothing."""

    def closed(self, end: StreamEnd) -> None:
        self._link.stream_closed(end.text)
