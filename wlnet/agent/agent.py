"""The agent: metaserver and relay on the player's own machine, and what is behind them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from msgspec.structs import replace

from wlnet.agenda import Agenda
from wlnet.agent.connection import Connection
from wlnet.agent.hello import Hello
from wlnet.agent.news import Listening, LobbyKnown, News, Note
from wlnet.agent.options import AgentOptions
from wlnet.agent.passage import Event, Seated
from wlnet.agent.player import Player, PlayerUser
from wlnet.agent.question import Question
from wlnet.client.gather.mappings import RouterMapper
from wlnet.client.net.network import Listener, Network, Stream, StreamHandler, Timer, TlsOptions
from wlnet.config import schema
from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Metrics
from wlnet.relay.relay import Relay
from wlnet.steering.model import Family

_MAX_PLAYERS = 16
"""Games of this machine remembered, those that have left included."""
_SLACK = 60.0
"""Seconds the room waits for a guest's pong longer than his path may be away."""


class Agent(PlayerUser):
    """For all games of one machine and one lobby.

    :param show: told what happens.
    :param mapper: asks the router for port mappings; None: nobody does.
    """

    def __init__(
        self,
        network: Network,
        options: AgentOptions,
        show: Callable[[News], None],
        mapper: RouterMapper | None = None,
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
            schema.Relay(
                queue_limit=options.room_waiting,
                ping_timeout=max(schema.Relay().ping_timeout, options.grace + _SLACK),
            ),
            limits,
            self._agenda,
            Metrics(),
            QueueBudget(options.room_waiting_total),
            self,
        )
        self._players: dict[str, Player] = {}
        self._owners: dict[Connection, Player] = {}
        self._connections: set[Connection] = set()
        self._newcomers: set[Hello] = set()
        self._asking = False
        self._listeners: list[Listener] = []
        self._numbers = count(1)
        self._question: Question | None = None
        self._waiting: list[Connection] = []
        self._known: bool | None = None
        self._known_until = 0.0
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
        lobby, relay = self._options.lobby_port, self._options.relay_port
        problem: OSError | None = None
        addresses = []
        for address in self._options.addresses:
            try:
                lobby, relay = self._listen(address, lobby, relay)
            except OSError as error:
                problem = error
            else:
                addresses.append(address)
        if not addresses:
            raise problem or OSError("no address to listen on")
        self._options = replace(self._options, addresses=tuple(addresses))
        self._show(Listening(lobby_port=lobby, relay_port=relay))
        self._ask()

    def _listen(self, address: str, lobby: int, relay: int) -> tuple[int, int]:
        """Both ports at one address, or none: games are told of the address, not of the port."""
        family = Family.V6 if ":" in address else Family.V4
        first = self._network.listen(family, self._lobby_accepted, address=address, port=lobby)
        try:
            second = self._network.listen(family, self._relay_accepted, address=address, port=relay)
        except OSError:
            first.close()
            raise
        self._listeners += [first, second]
        return first.local.port, second.local.port

    def close(self, done: Callable[[], None]) -> None:
        """Leave everything politely; *done* is called within a few seconds, once."""
        if self._closing:
            return
        self._closing = True
        for listener in self._listeners:
            listener.close()
        if self._question is not None:
            self._question.cancel()
            self._question = None
        for hello in list(self._newcomers):
            hello.refuse(b"NORMAL")
        self._newcomers.clear()
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
        if self._mapper is not None:
            self._mapper.close(self._done)
        else:
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
        if self._known is None or self._network.now() >= self._known_until:
            self._ask()
        elif not self._asking:
            self._network.call_later(0.0, self._let_in)
        return connection

    def _ask(self) -> None:
        if not self._asking and not self._closing:
            self._asking = True
            self._network.resolve(self._options.lobby.host, self._resolved)

    def _resolved(self, found: tuple[str, ...] | OSError) -> None:
        if self._closing:
            return
        if isinstance(found, OSError) or not found:
            self._answered(f"the name {self._options.lobby.host} has no address")
            return
        self._addresses = found
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
        question, self._question = self._question, None
        self._asking = False
        if self._closing:
            return
        if isinstance(known, str):
            self._show(Note(text=f"The lobby {self._options.lobby} cannot be reached: {known}."))
            waiting, self._waiting = self._waiting, []
            for connection in waiting:
                connection.close()
            return
        if known is not self._known:
            self._show(LobbyKnown(exchange=known))
        self._known = known
        if question is not None and question.certain:
            self._known_until = self._network.now() + self._options.ask_again
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
        self._known_until = 0.0  # who comes back may be another one, elsewhere
        player = self._owners.get(connection)
        if player is not None and player.connection is connection:
            player.lobby_lost(reason)

    def connection_over(self, connection: Connection) -> None:
        """See :class:`~wlnet.agent.connection.ConnectionUser`."""
        self._connections.discard(connection)
        if connection in self._waiting:
            self._waiting.remove(connection)
        if connection.unknown_there or not connection.reached:
            self._known_until = 0.0  # it is another one now, or elsewhere
        player = self._owners.pop(connection, None)
        if player is not None:
            player.connection_over(connection)
            self._network.call_later(self._options.forget, lambda: self._forget(player))

    def _forget(self, player: Player) -> None:
        since = self._network.now() - player.idle_since
        if self._players.get(player.key) is not player or player.connection is not None or self._closing:
            return
        if not player.idle:
            self._network.call_later(self._options.forget, lambda: self._forget(player))
        elif since >= self._options.forget:
            self._drop(player)

    def _drop(self, player: Player) -> None:
        del self._players[player.key]
        player.close(lambda: None)

    def _player(self, key: str) -> Player:
        player = self._players.get(key)
        if player is None:
            away = [one for one in self._players.values() if one.connection is None]
            away.sort(key=lambda one: (not one.idle, one.idle_since))
            while len(self._players) >= _MAX_PLAYERS and away:
                self._drop(away.pop(0))
            player = Player(key, self._network, self._options, self.relay, self, self._mapper)
            self._players[key] = player
        return player

    # -- the relay's port ------------------------------------------------------------------------

    def _relay_accepted(self, stream: Stream) -> StreamHandler | None:
        if len(self._newcomers) >= self._options.connections or self._closing:
            return None
        hello = Hello(self._said_hello, self._newcomers.discard)
        hello.stream = stream
        hello.timer = self._network.call_later(self._options.hello, lambda: self._too_slow(hello))
        self._newcomers.add(hello)
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
        hello.refuse(b"GAME_UNKNOWN")

    def _too_slow(self, hello: Hello) -> None:
        self._newcomers.discard(hello)
        hello.refuse(b"TIMEOUT")

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
        try:
            self._agenda.run_due()
            self.relay.outgoing.flush()
        finally:
            self._appoint()
