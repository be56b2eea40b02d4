"""A game on this machine and its player: what he hosts, what he joins, and the others he plays with.

It outlives the game's connections to the lobby: whoever logs in again with the same secret goes on here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from wlnet.agent.connection import Connection
from wlnet.agent.hello import Hello as RelayHello
from wlnet.agent.hosting import HostedRoom
from wlnet.agent.news import (
    GuestPath,
    Hosted,
    Hosting,
    Joining,
    LeftGame,
    News,
    Note,
    Offline,
    Online,
    Parted,
)
from wlnet.agent.options import AgentOptions
from wlnet.agent.passage import Connecting, Event, Greeted, Heard, Left, Opened, Seated
from wlnet.agent.visit import Visit
from wlnet.client.forward.tally import Tally
from wlnet.client.gather.mappings import RouterMapper
from wlnet.client.lobby.session import Login
from wlnet.client.net.network import Network, Stream, Timer
from wlnet.client.peer.party import Party
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.protocols.exchange.messages import Hello, Said
from wlnet.protocols.stun.wire import Endpoint
from wlnet.relay.relay import Relay
from wlnet.rendezvous.events import ListedGame
from wlnet.steering.model import Side

RELAY_STREAM = 1
"""Purpose of a stream that carries a guest's connection to the room, in the words of the Widelands relay."""
_MAX_TALLIES = 64
_FAREWELL = 3.0
"""Seconds for last words over paths when a game is over."""


class PlayerUser(Protocol):
    """Who owns players."""

    def player_news(self, news: News) -> None:
        """Show it."""


class Player:
    """One of them.

    :param key: see :class:`~wlnet.agent.passage.Seated`.
    :ivar name: as the lobby has it.
    :ivar closing: it leaves.
    :ivar idle_since: the game's connection to the lobby ended then, or it began.
    """

    def __init__(
        self,
        key: str,
        network: Network,
        options: AgentOptions,
        relay: Relay,
        user: PlayerUser,
        mapper: RouterMapper | None,
    ) -> None:
        self.key = key
        self.name = ""
        self.room: HostedRoom | None = None
        self._network = network
        self._options = options
        self._relay = relay
        self._user = user
        self._mapper = mapper
        self._connection: Connection | None = None
        self._party: Party | None = None
        self._visits: dict[str, Visit] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._link = AgentLink(self)
        self._linked = False
        self._online = False
        self._joined = ""
        self._party_options = options.of_party()
        self.idle_since = network.now()
        self.closing = False

    @property
    def connection(self) -> Connection | None:
        """To the lobby, if there is one now."""
        return self._connection

    @property
    def idle(self) -> bool:
        """Nothing would be lost with it."""
        return self._connection is None and self.room is None and not self._visits

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The others."""
        return self._party.peers if self._party is not None else ()

    # -- the lobby -------------------------------------------------------------------------------

    def event(self, connection: Connection, event: Event) -> None:
        """Something on the way between game and lobby."""
        match event:
            case Seated(name=name):
                former, self._connection = self._connection, connection
                self._unlink("The game logged in again.")
                connection.seated = self._online = True
                self.name = name
                if former is not None and former is not connection:
                    former.close()  # its end at the lobby is closed by the lobby
                self._user.player_news(Online(player=name))
            case Greeted(hello=hello):
                self._greeted(hello)
            case Heard(told=told):
                if self._party is not None:
                    self._party.lobby_told(told)
            case Opened(game=game, relays=relays):
                self._open(game, relays)
            case Connecting(game=game):
                self._join(game)
            case Left():
                self._left()

    def lobby_lost(self, reason: str) -> None:
        """The lobby is away for now."""
        self._unlink(reason)
        self._offline(reason, left=False)

    def connection_over(self, connection: Connection) -> None:
        """The game's connection is closed."""
        if self._connection is connection:
            self._connection = None
            self.idle_since = self._network.now()
            self._unlink("The game has left the lobby.")
            self._offline("The connection to the lobby is closed.", left=True)

    def _unlink(self, reason: str) -> None:
        if self._linked and self._party is not None:
            self._linked = False
            self._party.lobby_lost(reason, self._options.retry)

    def _offline(self, reason: str, *, left: bool) -> None:
        if self._online or left:
            self._online = False
            self._user.player_news(Offline(player=self.name, reason=reason, left=left))

    def _greeted(self, hello: Hello) -> None:
        if self._party is None:
            self._party = Party(
                self._network,
                self._options.lobby,
                Login(name=self.name, build="agent"),
                self,
                self._party_options,
                mapper=self._mapper,
                link=lambda _party: self._link,
            )
        if self._linked:
            self._party.lobby_tickets(hello)
        else:
            self._linked = True
            self._party.lobby_ready(self.name, hello)
            if self.room is not None:
                self.room.doubt()

    # -- hosting ---------------------------------------------------------------------------------

    def _open(self, game: str, relays: tuple[str, ...]) -> None:
        if self.room is not None:
            self.room.close("")
        self.room = HostedRoom(self._network, self._relay, game, relays, self._options, self)

    def host_came(self, stream: Stream, hello: RelayHello) -> bool:
        """The game says Hello as a host: is that our room?"""
        room = self.room
        if room is None or not room.wanted or _text(hello.game) != room.game:
            return False
        room.host_came(stream, hello)
        return True

    def room_open(self, room: HostedRoom) -> None:
        """Guests may come over paths as well."""
        if self._party is not None:
            self._party.host(room.game, "tcp")
        self._user.player_news(Hosting(game=room.game))

    def room_lost_relay(self, room: HostedRoom, reason: str) -> None:  # noqa: ARG002
        """Only guests over paths are left."""
        self._note(
            f"The public relay has gone ({reason}). Guests without an agent were lost, the others play on."
        )

    def room_over(self, room: HostedRoom, reason: str) -> None:
        """Nobody plays there any more."""
        if self.room is room:
            self.room = None
        if self._party is not None:
            self._party.unhost(room.game)
            for peer in self._party.peers:
                if peer.game == room.game and peer.side is Side.HOST:
                    self._later(_FAREWELL, partial(self._unused, peer))
        self._user.player_news(Hosted(game=room.game, reason=reason))

    # -- joining ---------------------------------------------------------------------------------

    def _join(self, game: str) -> None:
        former = self._visits.pop(game, None)
        if former is not None:
            former.abandon()
        self._give_up_waiting()  # a game joins one game
        self._joined = game
        visit = self._visits[game] = Visit(game, self)
        there = self._guest_of(game)
        if self._party is None or there is not None:
            self._decide(visit, there)
            return
        visit.timer = self._network.call_later(self._options.meet, lambda: self._too_late(visit))
        self._party.join(game)

    def _too_late(self, visit: Visit) -> None:
        if visit.undecided:
            self._decide(visit, None, "the host could not be reached in time")

    def _decide(self, visit: Visit, peer: Peer | None, why: str = "") -> None:
        visit.decided(peer)
        if peer is not None:
            visit.timer = self._later(self._options.come, lambda: self._not_come(visit))
        if peer is None and self._visits.get(visit.game) is visit:
            del self._visits[visit.game]
        if self._connection is not None:
            self._connection.direct(visit.game, here=peer is not None)
        self._user.player_news(Joining(game=visit.game, over_path=peer is not None, reason=why))

    def _not_come(self, visit: Visit) -> None:
        if self._visits.get(visit.game) is visit and not visit.begun:
            self._give_up(visit)

    def guest_came(self, stream: Stream, hello: RelayHello) -> bool:
        """The game says Hello as a guest: did we send it here?"""
        visit = self._visits.get(_text(hello.game))
        if visit is None or visit.peer is None or visit.begun:
            return False
        visit.tally = self._tally(visit.peer)
        visit.begin(stream, hello, RELAY_STREAM)
        return True

    def visit_over(self, visit: Visit, reason: str) -> None:
        """The game's connection to the room is closed."""
        if self._visits.get(visit.game) is visit:
            del self._visits[visit.game]
        if visit.peer is not None:
            self._part_later(visit.peer)
        if visit.game not in self._visits:
            self._parted(visit.game, reason)

    def _parted(self, game: str, reason: str) -> None:
        if self._joined == game:
            self._joined = ""
            self._user.player_news(LeftGame(game=game, reason=reason))

    def _left(self) -> None:
        """The game is in no room any more, or about to leave; what did not begin is given up."""
        self._give_up_waiting()
        if self._joined and self._joined not in self._visits:
            self._parted(self._joined, "")
        if self.room is not None and self.room.wanted:
            self.room.close("")

    def _give_up_waiting(self) -> None:
        for visit in list(self._visits.values()):
            if not visit.begun:
                self._give_up(visit)

    def _give_up(self, visit: Visit) -> None:
        undecided = visit.undecided
        visit.abandon()
        self._visits.pop(visit.game, None)
        if visit.peer is not None:
            self._part_later(visit.peer)
        if undecided and self._connection is not None:
            self._connection.direct(visit.game, here=False)

    def _guest_of(self, game: str) -> Peer | None:
        for peer in self.peers:
            if peer.game == game and peer.side is Side.GUEST and peer.ready and peer.path is not None:
                return peer
        return None

    # -- peers (PartyUser) -----------------------------------------------------------------------

    def peer_ready(self, peer: Peer) -> None:
        """See :class:`~wlnet.client.peer.peer.PeerUser`."""
        if peer.side is Side.HOST:
            self._watch(peer, patience=True)
            return
        visit = self._visits.get(peer.game)
        if visit is not None and visit.undecided:
            self._decide(visit, peer)
        elif visit is None:
            peer.close("plays over the public relay")

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        """See :class:`~wlnet.client.peer.peer.PeerUser`."""
        self._user.player_news(GuestPath(game=peer.game, other=peer.name, news=news))

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser | None:
        """See :class:`~wlnet.client.peer.peer.PeerUser`."""
        room = self.room
        if peer.side is not Side.HOST or stream.purpose != RELAY_STREAM:
            return None
        if room is None or room.game != peer.game:
            return None
        return room.guest_came(peer, stream, self._tally(peer))

    def _tally(self, peer: Peer) -> Tally:
        tally = self._tallies.get((peer.game, peer.name))
        if tally is None:
            while len(self._tallies) >= _MAX_TALLIES:
                del self._tallies[next(iter(self._tallies))]
            tally = self._tallies[peer.game, peer.name] = Tally()
        return tally

    def carried(self, game: str, other: str) -> tuple[int, int]:
        """Bytes sent to and received from *other* in *game*, over paths."""
        tally = self._tallies.get((game, other))
        return (tally.sent, tally.received) if tally is not None else (0, 0)

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        """Widelands has none."""

    def peer_closed(self, peer: Peer, text: str) -> None:
        """See :class:`~wlnet.client.peer.peer.PeerUser`."""
        visit = self._visits.get(peer.game)
        if peer.side is Side.GUEST and visit is not None and visit.peer is peer and not visit.begun:
            visit.abandon()
            del self._visits[peer.game]
        self._user.player_news(Parted(game=peer.game, other=peer.name, reason=text))

    def party_ready(self, name: str) -> None:
        """Told by ourselves."""

    def party_lost(self, text: str, again: float) -> None:
        """Told by ourselves."""

    def party_line(self, text: str) -> None:
        """See :class:`~wlnet.client.peer.party.PartyUser`."""
        self._note(text)

    def party_published(self, game: str) -> None:
        """Guests with an agent can come directly."""

    def party_unpublished(self, game: str) -> None:
        """They cannot any more."""

    def party_refused(self, of: str, text: str) -> None:
        """The host has no agent, as a rule: over the public relay then."""
        if of == "publish":
            self._note(f"Guests cannot come directly, only over the public relay: {text}")
            return
        for visit in list(self._visits.values()):
            if visit.undecided and (self._party is None or visit.game not in self._party.joining):
                self._decide(visit, None, "its host has no agent" if "no peer game" in text else text)

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        """Nobody asks."""

    def party_gone(self, text: str) -> None:
        """Cannot be: the connection is the game's."""

    # -- the end ---------------------------------------------------------------------------------

    def close(self, done: Callable[[], None]) -> None:
        """Leave everything politely."""
        self.closing = True
        if self.room is not None:
            self.room.close("The agent stops.")
        for visit in list(self._visits.values()):
            visit.abandon()
        self._visits.clear()
        if self._party is None:
            done()
            return
        self._party.close(done)

    def _watch(self, peer: Peer, *, patience: bool) -> None:
        """A guest whose game does not come, or came and left, keeps no place."""

        def look() -> None:
            playing = self.room is not None and self.room.game == peer.game and self.room.plays(peer)
            if peer.closed or self.closing:
                return
            if playing or patience:
                self._watch(peer, patience=playing)
            else:
                peer.close("left the game")

        self._later(self._options.come / 2, look)

    def _unused(self, peer: Peer) -> None:
        """His room is gone; but he may be about to enter a new one of that name."""
        if self.room is None or self.room.game != peer.game:
            peer.close("left the game")

    def _part_later(self, peer: Peer) -> Timer:
        return self._later(_FAREWELL, lambda: self._part(peer))

    def _later(self, delay: float, call: Callable[[], None]) -> Timer:
        return self._network.call_later(delay, call)

    def _part(self, peer: Peer) -> None:
        visit = self._visits.get(peer.game)
        if visit is None or visit.peer is not peer:
            peer.close("left the game")

    def _note(self, text: str) -> None:
        self._user.player_news(Note(text=text))


class AgentLink:
    """The party's link to the lobby: whatever connection the game has there at the time."""

    def __init__(self, player: Player) -> None:
        self._player = player

    @property
    def ready(self) -> bool:
        """See :class:`~wlnet.client.peer.ports.Link`."""
        connection = self._player.connection
        return connection is not None and connection.ready

    @property
    def server(self) -> Endpoint | None:
        """See :class:`~wlnet.client.peer.ports.Link`."""
        connection = self._player.connection
        return connection.lobby if connection is not None else None

    def say(self, message: Said) -> bool:
        """See :class:`~wlnet.client.peer.ports.Link`."""
        connection = self._player.connection
        if connection is None or not connection.ready:
            return False
        connection.say(message)
        return True

    def negotiate(self) -> bool:
        """See :class:`~wlnet.client.peer.ports.Link`."""
        connection = self._player.connection
        if connection is None or not connection.ready:
            return False
        connection.negotiate()
        return True

    def reconnect(self) -> None:
        """See :class:`~wlnet.client.peer.ports.Link`. The game logs in again by itself."""
        connection = self._player.connection
        if connection is not None:
            connection.give_up_lobby("The lobby does not answer any more.")

    def close(self) -> None:
        """The connection is the game's."""


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
