"""A game's connection to the lobby: accepted here, made again there, and kept while the lobby is away."""

from __future__ import annotations

from typing import Protocol

from wlnet.agent.options import AgentOptions
from wlnet.agent.passage import Event, Passage
from wlnet.client.lobby.dialing import Dialing, Unreachable
from wlnet.client.net.network import Network, Stream, StreamEnd, Timer, TlsOptions
from wlnet.protocols.exchange.messages import Said
from wlnet.protocols.metaserver.wire import encode
from wlnet.protocols.stun.wire import Endpoint

_PING = encode("PING")
_READ_AHEAD = 64 * 1024
"""Bytes that may wait for one side before the other one is not read."""


class ConnectionUser(Protocol):
    """Who owns a connection hears of it here."""

    def connection_event(self, connection: Connection, event: Event) -> None:
        """What :class:`~wlnet.agent.passage.Passage` noticed."""

    def connection_note(self, text: str) -> None:
        """A sentence for the player."""

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """The lobby is away; the game keeps its connection for now."""

    def connection_over(self, connection: Connection) -> None:
        """The game's connection is closed; said once, last."""


class Connection:
    """One of them. It is the handler of the game's stream.

    :param game: accepted; read from :meth:`begin` on.
    :ivar seated: the game is logged in.
    """

    def __init__(self, network: Network, options: AgentOptions, game: Stream, user: ConnectionUser) -> None:
        self._network = network
        self._options = options
        self._user = user
        self._game: Stream | None = game
        self._lobby: Stream | None = None
        self._passage = Passage(exchange=False, here=self._here(game))
        self._tls: TlsOptions | None = None
        self._addresses: tuple[str, ...] = ()
        self._dialing: Dialing | None = None
        self._away = False
        self._away_since = 0.0
        self._timer: Timer | None = None
        self._over = False
        self.reached = False
        """The lobby was there once."""
        self.seated = False
        game.pause()

    def begin(self, addresses: tuple[str, ...], tls: TlsOptions | None, *, exchange: bool) -> None:
        """Connect to the lobby."""
        if self._game is None:
            return
        self._addresses, self._tls = addresses, tls
        self._passage = Passage(exchange=exchange, here=self._here(self._game))
        self._dial()

    def _here(self, game: Stream) -> tuple[str, ...]:
        own = game.local.host
        return (own, *(one for one in self._options.addresses if one != own))

    # -- for the owner ---------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """:meth:`say` may be used."""
        return self._lobby is not None and self._passage.negotiated

    @property
    def lobby(self) -> Endpoint | None:
        """The lobby's end."""
        return self._lobby.remote if self._lobby is not None else None

    def say(self, message: Said) -> None:
        """Something of the exchange.

        :raises ValueError: it is longer than the server takes.
        """
        self._passage.say(message)
        self._flush()

    def negotiate(self) -> None:
        """Ask for new tickets."""
        self._passage.negotiate()
        self._flush()

    def direct(self, game: str, *, here: bool) -> None:
        """See :meth:`~wlnet.agent.passage.Passage.direct`."""
        self._passage.direct(game, here=here)
        self._flush()

    def give_up_lobby(self, reason: str) -> None:
        """The lobby does not answer: it counts as lost."""
        if self._lobby is not None:
            self._lobby.abort()
            self._lobby_gone(reason)

    def close(self) -> None:
        """Both ends, politely."""
        self._end()

    # -- the lobby -------------------------------------------------------------------------------

    @property
    def unknown_there(self) -> bool:
        """See :attr:`~wlnet.agent.passage.Passage.unknown_there`."""
        return self._passage.unknown_there

    def _again(self) -> None:
        """Perhaps it is at another address now."""
        self._timer = None
        self._network.resolve(self._options.lobby.host, self._resolved)

    def _resolved(self, found: tuple[str, ...] | OSError) -> None:
        if self._over:
            return
        if not isinstance(found, OSError) and found:
            self._addresses = found
        self._dial()

    def _dial(self) -> None:
        self._dialing = Dialing(
            self._network,
            self._addresses,
            self._options.lobby.port,
            _Lobby(self),
            self._dialed,
            tls=self._tls,
            timeout=self._options.connect,
        )

    def _dialed(self, result: Stream | Unreachable) -> None:
        self._dialing = None
        if isinstance(result, Unreachable):
            if self._away:
                self._wait()
                return
            self._user.connection_note(f"The lobby {self._options.lobby} cannot be reached: {result.text}.")
            self._end()
            return
        if self._away:
            # It is back. The game logs in again by itself when its connection breaks.
            result.abort()
            self._end()
            return
        self._lobby = result
        self.reached = True
        self._flush()
        if self._game is not None:
            self._game.resume()

    def lobby_said(self, data: bytes) -> None:
        """Bytes of the lobby."""
        self._passage.server_said(data)
        self._work()
        if self._game is not None and self._lobby is not None and self._game.waiting > _READ_AHEAD:
            self._lobby.pause()

    def lobby_roomy(self) -> None:
        """The lobby takes more."""
        if self._game is not None:
            self._game.resume()

    def lobby_ended(self) -> None:
        """The lobby says nothing more."""
        if self._lobby is not None:
            self._lobby.close()
            self._lobby_gone("The connection to the lobby was lost.")

    def _lobby_gone(self, reason: str) -> None:
        self._lobby = None
        if self._over:
            return
        # Whoever was told why, and whoever had not come in yet, is to see the end of it.
        if not self.seated or self._passage.dismissed:
            self._end()
            return
        self._away = True
        self._away_since = self._network.now()
        if self._game is not None:
            self._game.resume()
        self._user.connection_lost(self, reason)
        self._wait()

    def _wait(self) -> None:
        if self._network.now() - self._away_since > self._options.lobby_grace:
            self._user.connection_note("The lobby did not come back.")
            self._end()
            return
        if self._game is not None:
            self._game.write(_PING)  # without any for minutes, released games log in anew
        self._timer = self._network.call_later(self._options.retry, self._again)

    # -- the game (StreamHandler) ----------------------------------------------------------------

    def connected(self, local: Endpoint) -> None:
        """It was accepted."""

    def received(self, data: bytes) -> None:
        """Bytes of the game; nobody is there for them while the lobby is away."""
        if self._away or self._over:
            return
        self._passage.game_said(data)
        self._work()
        if self._game is not None and self._lobby is not None and self._lobby.waiting > _READ_AHEAD:
            self._game.pause()

    def ended(self) -> None:
        """The game leaves."""
        self._end()

    def drained(self) -> None:
        """The game takes more."""
        if self._lobby is not None:
            self._lobby.resume()

    def closed(self, end: StreamEnd) -> None:  # noqa: ARG002  either way the game is gone
        """It is gone."""
        self._game = None
        self._end()

    # -- inside ----------------------------------------------------------------------------------

    def _work(self) -> None:
        for event in self._passage.events():
            self._user.connection_event(self, event)
        self._flush()

    def _flush(self) -> None:
        if self._lobby is not None:
            data = self._passage.to_server()
            if data:
                self._lobby.write(data)
        if self._game is not None:
            data = self._passage.to_game()
            if data:
                self._game.write(data)
            if self._game.waiting > self._options.waiting:
                self._end()

    def _end(self) -> None:
        if self._over:
            return
        self._flush_last()
        self._over = True
        if self._dialing is not None:
            self._dialing.cancel()
        if self._timer is not None:
            self._timer.cancel()
        for stream in (self._game, self._lobby):
            if stream is not None:
                stream.close()
        self._game = self._lobby = None
        self._user.connection_over(self)

    def _flush_last(self) -> None:
        if self._game is not None:
            self._game.write(self._passage.to_game())
        if self._lobby is not None:
            self._lobby.write(self._passage.to_server())


class _Lobby:
    """Handler of the lobby's end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def connected(self, local: Endpoint) -> None:
        """Told by the dialing."""

    def received(self, data: bytes) -> None:
        """Pass it on."""
        self._connection.lobby_said(data)

    def ended(self) -> None:
        """Pass it on."""
        self._connection.lobby_ended()

    def drained(self) -> None:
        """Pass it on."""
        self._connection.lobby_roomy()

    def closed(self, end: StreamEnd) -> None:  # noqa: ARG002  the reason is of no use to a player
        """Pass it on."""
        self._connection.lobby_ended()
