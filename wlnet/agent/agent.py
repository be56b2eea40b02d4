"""The agent: metaserver and relay on the player's own machine, and what is behind them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from wlnet.agenda import Agenda
from wlnet.agent.connection import Connection
from wlnet.agent.hello import Hello
from wlnet.agent.news import Listening, LobbyKnown, News, Note
from wlnet.agent.options import AgentOptions
from wlnet.agent.passage import Event, Seated
from wlnet.agent.player import Player, PlayerUser
from wlnet.agent.question import Question
from wlnet.client.gather.mappings import Mapper
from wlnet.client.net.network import Listener, Network, Stream, StreamHandler, Timer, TlsOptions
from wlnet.config import schema
from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Metrics
from wlnet.protocols.widelands_relay import wire
from wlnet.relay.relay import Relay
from wlnet.steering.model import Family

_MAX_PLAYERS = 16
"""Games of this machine remembered, those that have left included."""


class Agent(PlayerUser):
    """For all games of one machine and one lobby.

    :param show: told what happens.
    :param mapper: makes what asks the router for port mappings; None: nobody does.
    """

    def __init__(
        self,
        network: Network,
        options: AgentOptions,
        show: Callable[[News], None],
        mapper: Callable[[], Mapper] | None = None,
    ) -> None:
        self._network = network
        self._options = options
        self._show = show
        self._mapper = mapper
        self._agenda = Agenda(network.now)
        self._agenda.on_earlier = self._appoint
        self._timer: Timer | None = None
        limits = schema.Limits()
        self.relay = Relay(
            schema.Relay(), limits, self._agenda, Metrics(), QueueBudget(limits.total_queues), self
        )
        self._players: dict[str, Player] = {}
        self._owners: dict[Connection, Player] = {}
        self._connections: set[Connection] = set()
        self._newcomers: set[Hello] = set()
        self._listeners: list[Listener] = []
        self._numbers = count(1)
        self._question: Question | None = None
        self._waiting: list[Connection] = []
        self._known: bool | None = None
        self._known_at = 0.0
        self._closing = False
        self._left_to_close = 0
        self._addresses: tuple[str, ...] = ()
        self._done: Callable[[], None] = lambda: None
        lobby = options.lobby
        self._tls = TlsOptions(name=lobby.host, ca_file=options.party.tls_ca) if lobby.tls else None

    # -- beginning and end -----------------------------------------------------------------------

    def start(self) -> None:
        """Listen.

        :raises OSError: a port cannot be had on any of our addresses.
        """
        lobby = self._listen(self._options.lobby_port, self._lobby_accepted)
        relay = self._listen(self._options.relay_port, self._relay_accepted)
        self._show(Listening(lobby_port=lobby, relay_port=relay))
        self._ask()

    def _listen(self, port: int, accepted: Callable[[Stream], StreamHandler | None]) -> int:
        problem: OSError | None = None
        first = 0
        for address in self._options.addresses:
            family = Family.V6 if ":" in address else Family.V4
            try:
                listener = self._network.listen(family, accepted, address=address, port=first or port)
            except OSError as error:
                problem = error
                continue
            self._listeners.append(listener)
            first = listener.local.port
        if not first:
            raise problem or OSError(f"no address to listen on at port {port}")
        return first

    def close(self, done: Callable[[], None]) -> None:
        """Leave everything politely; *done* is called within a few seconds."""
        self._closing = True
        for listener in self._listeners:
            listener.close()
        if self._question is not None:
            self._question.cancel()
        players = list(self._players.values())
        self._left_to_close = len(players)
        self._done = done
        if not players:
            self._finish()
        for player in players:
            player.close(self._closed_one)

    def _closed_one(self) -> None:
        self._left_to_close -= 1
        if not self._left_to_close:
            self._finish()

    def _finish(self) -> None:
        for connection in list(self._connections):
            connection.close()
        self.relay.close()
        if self._timer is not None:
            self._timer.cancel()
        self._done()

    @property
    def players(self) -> tuple[Player, ...]:
        """The games of this machine."""
        return tuple(self._players.values())

    def carried(self, game: str, other: str) -> tuple[int, int]:
        """Bytes sent to and received from *other* in *game*, over paths."""
        for player in self._players.values():
            if any(player.carried(game, other)):
                return player.carried(game, other)
        return (0, 0)

    # -- the lobby's port ------------------------------------------------------------------------

    def _lobby_accepted(self, stream: Stream) -> StreamHandler | None:
        if len(self._connections) >= self._options.connections or self._closing:
            return None
        connection = Connection(self._network, self._options, stream, self)
        self._connections.add(connection)
        self._waiting.append(connection)
        if self._question is None:
            fresh = self._network.now() - self._known_at < self._options.ask_again
            if self._known is None or not fresh:
                self._ask()
            else:
                self._network.call_later(0.0, self._let_in)
        return connection

    def _ask(self) -> None:
        self._network.resolve(self._options.lobby.host, self._resolved)

    def _resolved(self, found: tuple[str, ...] | OSError) -> None:
        if isinstance(found, OSError) or not found:
            self._answered(f"the name {self._options.lobby.host} has no address")
            return
        self._addresses = found
        if self._question is None and not self._closing:
            self._question = Question(
                self._network,
                found,
                self._options.lobby.port,
                self._answered,
                tls=self._tls,
                connect=self._options.connect,
                answer=self._options.ask,
            )

    def _answered(self, known: bool | str) -> None:
        self._question = None
        if self._closing:
            return
        if isinstance(known, str):
            self._show(Note(text=f"The lobby {self._options.lobby} cannot be reached: {known}."))
            for connection in self._waiting:
                connection.close()
            self._waiting.clear()
            return
        self._known, self._known_at = known, self._network.now()
        self._show(LobbyKnown(exchange=known))
        self._let_in()

    def _let_in(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.begin(self._addresses, self._tls, exchange=bool(self._known))

    def connection_event(self, connection: Connection, event: Event) -> None:
        """See :class:`~wlnet.agent.connection.ConnectionUser`."""
        if isinstance(event, Seated):
            self._owners[connection] = self._player(event.key)
        player = self._owners.get(connection)
        if player is not None:
            player.event(connection, event)

    def connection_note(self, text: str) -> None:
        """See :class:`~wlnet.agent.connection.ConnectionUser`."""
        self._show(Note(text=text))

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """See :class:`~wlnet.agent.connection.ConnectionUser`."""
        player = self._owners.get(connection)
        if player is not None and player.connection is connection:
            player.lobby_lost(reason)

    def connection_over(self, connection: Connection) -> None:
        """See :class:`~wlnet.agent.connection.ConnectionUser`."""
        self._connections.discard(connection)
        player = self._owners.pop(connection, None)
        if player is not None:
            player.connection_over(connection)

    def _player(self, key: str) -> Player:
        player = self._players.get(key)
        if player is None:
            for former in list(self._players.values()):
                if former.idle and len(self._players) >= _MAX_PLAYERS:
                    del self._players[former.key]
                    former.close(lambda: None)
            player = Player(key, self._network, self._options, self.relay, self, self._mapper)
            self._players[key] = player
        return player

    # -- the relay's port ------------------------------------------------------------------------

    def _relay_accepted(self, stream: Stream) -> StreamHandler | None:
        if len(self._newcomers) >= self._options.connections or self._closing:
            return None
        hello = Hello(self._said_hello, self._newcomers.discard)
        hello.stream = stream
        self._newcomers.add(hello)
        self._network.call_later(self._options.hello, lambda: self._too_slow(hello))
        return hello

    def _said_hello(self, hello: Hello) -> None:
        self._newcomers.discard(hello)
        stream = hello.stream
        if stream is None:
            return
        for player in self._players.values():
            came = player.guest_came if hello.guest else player.host_came
            if came(stream, hello):
                return
        stream.write(wire.disconnect(b"GAME_UNKNOWN"))
        stream.close()

    def _too_slow(self, hello: Hello) -> None:
        if hello in self._newcomers:
            self._newcomers.discard(hello)
            if hello.stream is not None:
                hello.stream.write(wire.disconnect(b"TIMEOUT"))
                hello.stream.close()

    def room_hosted(self, room_id: str) -> None:
        """See :class:`~wlnet.relay.control.RelayObserver`."""

    def room_closed(self, room_id: str) -> None:
        """See :class:`~wlnet.relay.control.RelayObserver`."""
        for player in self._players.values():
            if player.room is not None and player.room.game == room_id:
                player.room.close("")

    # -- small things ----------------------------------------------------------------------------

    def player_news(self, news: News) -> None:
        """See :class:`~wlnet.agent.player.PlayerUser`."""
        self._show(news)

    def _appoint(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._agenda.next_deadline()
        if deadline is not None and not self._closing:
            self._timer = self._network.call_later(max(0.0, deadline - self._network.now()), self._due)

    def _due(self) -> None:
        self._timer = None
        self._agenda.run_due()
        self.relay.outgoing.flush()
        self._appoint()
