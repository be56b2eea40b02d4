"""A player at a lobby: the games he hosts and joins, and the others he plays them with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec.structs import replace

from wlnet.client.gather.mappings import RouterMapper
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.link import LobbyHandler, LobbyLimits, LobbyLink
from wlnet.client.lobby.session import Login
from wlnet.client.net.network import Network
from wlnet.client.paths.words import MoveReason
from wlnet.client.peer.attempt import Attempt, BadBeginError
from wlnet.client.peer.calls import Call, Calls
from wlnet.client.peer.joins import Ask, Joins
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.peer import Peer, PeerUser
from wlnet.client.peer.ports import Gatherer, Link
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.surveying import Surveying
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.shell_identity import make_identity
from wlnet.protocols.exchange.messages import Hello, Leave, ListGames, Publish, Ready, Said, Unpublish
from wlnet.rendezvous.events import (
    Begin,
    Ended,
    Games,
    Granted,
    ListedGame,
    PlanPart,
    Published,
    Refused,
    Told,
    Unpublished,
)
from wlnet.steering.model import PathKind, Side

_SUPERSEDED = 10.0
"""A former tunnel of a guest ends if the lobby said within so long that he asked again."""

_DOUBT_PAUSE = 10.0
"""Between two tests of the connection to the lobby."""


class PartyUser(PeerUser, Protocol):
    """Who owns a party hears of it here, never within a call to the party."""

    def party_ready(self, name: str) -> None:
        """The lobby knows us, as *name*; said after each connection."""

    def party_lost(self, text: str, again: float) -> None:
        """The lobby is not there for now; games go on."""

    def party_line(self, text: str) -> None:
        """The lobby, or something about it, for the player to read."""

    def party_published(self, game: str) -> None:
        """Our game is listed."""

    def party_unpublished(self, game: str) -> None:
        """Our game is not listed any more."""

    def party_refused(self, of: str, text: str) -> None:
        """A game could not be listed (``publish``) or joined (``join``), for good."""

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        """The games that can be joined, after :meth:`Party.list_games`."""

    def party_gone(self, text: str) -> None:
        """The lobby refused us for good or cannot be reached. Games under way go on."""


class Party(LobbyHandler):
    """One player at one lobby. Begins to connect when it is made.

    :param mapper: asks the router for port mappings; None: nobody does.
    :param gatherer: makes what finds out where we can be reached, if it is not to be the usual one.
    :param link: likewise the link to the lobby.
    :ivar name: ours, as the lobby has it; "" before that.
    """

    def __init__(
        self,
        network: Network,
        address: LobbyAddress,
        login: Login,
        user: PartyUser,
        options: PartyOptions | None = None,
        *,
        gatherer: Callable[[Party], Gatherer] | None = None,
        mapper: RouterMapper | None = None,
        limits: LobbyLimits | None = None,
        link: Callable[[Party], Link] | None = None,
        identity: Callable[[], Identity] = make_identity,
    ) -> None:
        self.network = network
        self.name = ""
        self.hello: Hello | None = None
        options = options or PartyOptions()
        self.options = options if options.tls_name else replace(options, tls_name=address.host)
        self._user = user
        self._identity = identity()
        self._peers: list[Peer] = []
        self._hosted: dict[str, str] = {}
        self._calls = Calls(network)
        self._joins = Joins(self, self._calls, self.options, identity)
        self._publishing: list[str] = []
        self._closing: Callable[[], None] | None = None
        self._over = False
        self._gatherer: Gatherer = (
            gatherer(self)
            if gatherer is not None
            else Surveying(network, self.options.gather, self.network_changed, mapper)
        )
        self._doubt: Call | None = None
        self._doubted_at = -_DOUBT_PAUSE
        self._mending: Call | None = None
        self._unasked = False
        self.link: Link = (
            link(self)
            if link is not None
            else LobbyLink(network, address, login, self, ca_file=self.options.tls_ca, limits=limits)
        )

    # -- for the owner ---------------------------------------------------------------------------

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Other players with whom a tunnel is there or coming about."""
        return tuple(peer for peer in self._peers if not peer.closed)

    def host(self, game: str, traffic: str = "tcp") -> None:
        """List a game, and again after each reconnection, until :meth:`unhost`.

        :param traffic: ``tcp`` or ``udp``, told to guests.
        """
        self._hosted[game] = traffic
        self._publish(game)

    def unhost(self, game: str) -> None:
        """Take it off the list. Who plays goes on playing."""
        if self._hosted.pop(game, None) is not None:
            self._say(Unpublish(game=game))

    def join(self, game: str) -> None:
        """Join a game; ``peer_ready`` or ``party_refused`` follows."""
        there = any(peer.game == game and peer.side is Side.GUEST for peer in self.peers)
        if not there and self._closing is None:
            self._joins.join(game)

    def list_games(self) -> bool:
        """Ask which games can be joined; ``party_games`` follows. False: the lobby is not there."""
        return self._say(ListGames())

    @property
    def hosting(self) -> tuple[str, ...]:
        """Games that are listed or to be listed."""
        return tuple(self._hosted)

    @property
    def joining(self) -> tuple[str, ...]:
        """Games whose hosts we are not connected with yet."""
        return self._joins.games

    def network_changed(self) -> None:
        """Our own addresses are others now: a reason for guests to look for other paths."""
        self.doubt_link()
        for peer in list(self._peers):
            peer.network_changed()

    def close(self, done: Callable[[], None]) -> None:
        """Leave politely; *done* is called when all is closed, within two seconds."""
        if self._over or self._closing is not None:
            return
        self._closing = done
        for game in list(self._hosted):
            self.unhost(game)
        self._joins.clear()
        for peer in list(self._peers):
            peer.close("left the game")
        self._later(1.5, self._close_now)
        if not self._peers:
            self._later(0.0, self._close_now)

    # -- what the lobby says (LobbyHandler) ------------------------------------------------------

    def lobby_ready(self, name: str, hello: Hello) -> None:
        """Say again what it must know."""
        self._heard()
        self.name, self.hello = name, hello
        self._gatherer.linked(self.link.server, hello)
        self._user.party_ready(name)
        self._publishing.clear()
        for game in list(self._hosted):
            self._publish(game)
        self._joins.lobby_back()
        for peer in list(self._peers):
            peer.link_back()

    def lobby_tickets(self, hello: Hello) -> None:
        """New tickets for observation."""
        self._heard()
        self.hello = hello
        self._gatherer.linked(self.link.server, hello)

    def lobby_line(self, text: str) -> None:
        """Pass it on."""
        self._user.party_line(text)

    def lobby_trouble(self, text: str) -> None:
        """Pass it on."""
        self._user.party_line(text)

    def lobby_lost(self, text: str, again: float) -> None:
        """Games go on; nothing is steered any more."""
        self._heard()
        self._joins.lobby_lost()
        for peer in list(self._peers):
            peer.link_lost()
        self._user.party_lost(text, again)

    def lobby_gone(self, text: str) -> None:
        """Nothing new can begin."""
        self._heard()
        for peer in list(self._peers):
            peer.link_lost()
        self._joins.clear()
        self._user.party_gone(text)

    def lobby_told(self, told: Told) -> None:
        """Something of the exchange."""
        self._heard()
        match told:
            case Begin():
                self._begin(told)
            case PlanPart():
                self._of(told.attempt, lambda peer: peer.planned(told))
            case Ended():
                self._of(told.attempt, lambda peer: peer.ended(told))
            case Granted():
                self._of(told.attempt, lambda peer: peer.granted(told))
            case Published(game=game):
                if game in self._publishing:
                    self._publishing.remove(game)
                self._user.party_published(game)
            case Unpublished(game=game):
                if self._hosted.pop(game, None) is not None or self._closing is None:
                    self._user.party_unpublished(game)
            case Refused():
                self._refused(told)
            case Games(games=games):
                self._user.party_games(games)
            case _:
                pass  # settled, verified: for those who watch

    # -- the link --------------------------------------------------------------------------------

    def path_lost(self) -> None:
        """Used by peers: what killed the path may kill the connection to the lobby, too."""
        self._unasked = not self.doubt_link()
        if self._mending is None:
            self._mending = self._later(_DOUBT_PAUSE, self._mend)

    def _mend(self) -> None:
        self._mending = None
        if self._unasked or any(peer.was_ready and peer.path is None for peer in self.peers):
            self.path_lost()

    def doubt_link(self) -> bool:
        """Used by joins: see whether the lobby is there. False: it was asked a moment ago already."""
        now = self.network.now()
        if self._doubt is not None or now < self._doubted_at + _DOUBT_PAUSE:
            return False
        if self._closing is None and not self._over and self.link.negotiate():
            self._doubted_at = now
            self._doubt = self._later(self.options.lobby_answer, self._relink)
        return True

    def _heard(self) -> None:
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None

    def _relink(self) -> None:
        """It is dead, and the system would notice only much later."""
        self._doubt = None
        self.link.reconnect()

    # -- attempts --------------------------------------------------------------------------------

    def _begin(self, begin: Begin) -> None:
        self._say(Ready(attempt=begin.attempt))  # it is timed
        ask = self._joins.began(begin.game) if begin.side is Side.GUEST else None
        former = self._former(begin) if ask is None else ask.peer
        if not self._welcome(begin, ask, former):
            self._say(Leave(attempt=begin.attempt))
            return
        holder: list[Peer] = [former] if former is not None else []
        try:
            attempt = Attempt(
                begin,
                self.network,
                self._gatherer,
                self.options,
                self._say,
                lambda: holder[0].touched() if holder else None,
            )
        except BadBeginError as error:
            self._say(Leave(attempt=begin.attempt))
            self._user.party_line(f"The lobby told nonsense: {error}.")
            return
        if former is not None:
            former.add(attempt)
            return
        identity = ask.identity if ask is not None else self._identity
        rejoin = self._joins.again if ask is not None else None
        peer = Peer(attempt, identity, self.network, self.options, _Relayed(self), rejoin, self._peer_over)
        holder.append(peer)
        self._peers.append(peer)
        self._supersede(peer)

    def _welcome(self, begin: Begin, ask: Ask | None, former: Peer | None) -> bool:
        if self._closing is not None:
            return False
        if begin.side is Side.HOST:
            full = former is None and len(self._peers) >= self.options.max_peers
            return begin.game in self._hosted and not full
        if ask is None:
            return False
        if former is None:
            return begin.game in self._joins
        if former.fingerprint != begin.fingerprint:
            former.close("the host's program was started again")
        return not former.closed

    def _former(self, begin: Begin) -> Peer | None:
        """The guest this attempt is with, if his tunnel is there already."""
        for peer in self._peers:
            if peer.side is begin.side and peer.fingerprint == begin.fingerprint and not peer.closed:
                return peer
        return None

    def _supersede(self, new: Peer) -> None:
        """Whoever asked again with another certificate has lost, or never had, his former tunnel."""
        now = self.network.now()
        for peer in list(self._peers):
            if peer is new or (peer.name, peer.game, peer.side) != (new.name, new.game, new.side):
                continue
            if peer.side is Side.GUEST and not peer.ready:
                peer.stop("")
            elif peer.replaced_at is not None and now - peer.replaced_at < _SUPERSEDED:
                peer.close("you joined again")

    def _of(self, attempt: int, call: Callable[[Peer], None]) -> None:
        for peer in self._peers:
            if attempt in peer.known_attempts:  # a lobby that was started again counts from 1
                call(peer)
                return

    def _refused(self, refused: Refused) -> None:
        if refused.of == "publish" and self._publishing:
            self._hosted.pop(self._publishing.pop(0), None)
            self._user.party_refused("publish", refused.text)
        elif refused.of == "join":
            self._joins.refused(refused)

    # -- hosting and joining ---------------------------------------------------------------------

    def _publish(self, game: str) -> None:
        traffic = _traffic(self._hosted[game])
        if self._say(Publish(game=game, traffic=traffic, fingerprint=self._identity.fingerprint)):
            self._publishing.append(game)  # answers come in the order of what was asked

    def join_failed(self, game: str, text: str) -> None:
        """Used by joins."""
        for peer in list(self._peers):
            if peer.game == game and peer.side is Side.GUEST and not peer.ready:
                peer.stop(text)
        self._user.party_refused("join", text)

    def say(self, said: Said) -> bool:
        """Used by joins."""
        return self._say(said)

    # -- peers -----------------------------------------------------------------------------------

    def peer_ready(self, peer: Peer) -> None:
        """Used by peers."""
        if peer.side is Side.GUEST:
            self._joins.done(peer.game)
        self._user.peer_ready(peer)

    def peer_closed(self, peer: Peer, text: str) -> None:
        """Used by peers."""
        if peer.was_ready:
            self._user.peer_closed(peer, text)
        elif peer.side is Side.GUEST and self._closing is None:
            if any(one is not peer and one.game == peer.game and not one.closed for one in self._peers):
                return  # a newer try is under way
            if self._joins.failed(peer.game) and text:
                self._user.party_line(text)

    def _peer_over(self, peer: Peer) -> None:
        if peer in self._peers:
            self._peers.remove(peer)
        for attempt in peer.known_attempts:
            self._say(Leave(attempt=attempt))
        if self._closing is not None and not self._peers:
            self._later(0.0, self._close_now)

    @property
    def user(self) -> PartyUser:
        """Who owns it."""
        return self._user

    def _close_now(self) -> None:
        if self._over:
            return
        self._over = True
        for peer in list(self._peers):
            peer.stop("You left.")
        self._peers.clear()
        self._calls.cancel_all()
        self._gatherer.close()
        self.link.close()
        done, self._closing = self._closing, None
        if done is not None:
            done()

    # -- small things ----------------------------------------------------------------------------

    def _say(self, said: Said) -> bool:
        try:
            return self.link.say(said)
        except ValueError:
            return False

    def _later(self, delay: float, call: Callable[[], None]) -> Call:
        return self._calls.later(delay, call)


class _Relayed(PeerUser):
    """Tells the party's user what a peer tells, and the party what it needs of that."""

    def __init__(self, party: Party) -> None:
        self._party = party

    def peer_ready(self, peer: Peer) -> None:
        self._party.peer_ready(peer)

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        if isinstance(news, PathGone) or news.moved is MoveReason.LOST or _back_to_relay(news):
            self._party.path_lost()
        self._party.user.peer_path(peer, news)

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser | None:
        return self._party.user.peer_stream(peer, stream)

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        self._party.user.peer_datagram(peer, data)

    def peer_closed(self, peer: Peer, text: str) -> None:
        self._party.peer_closed(peer, text)


def _back_to_relay(news: PathNews) -> bool:
    """A host may hear of a dead path from the guest, who noticed it first, though it was the host's doing."""
    return news.moved is MoveReason.PEER and news.kind is PathKind.RELAYED


def _traffic(text: str) -> Literal["tcp", "udp"]:
    return "udp" if text == "udp" else "tcp"
