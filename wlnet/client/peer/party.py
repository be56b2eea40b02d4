"""A player at a lobby: the games he hosts and joins, and the others he plays them with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec.structs import replace

from wlnet.client.gather.mappings import Mapper
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.link import LobbyHandler, LobbyLimits, LobbyLink
from wlnet.client.lobby.session import Login
from wlnet.client.net.network import Network, Timer
from wlnet.client.paths.words import MoveReason
from wlnet.client.peer.attempt import Attempt, BadBeginError
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.peer import Peer, PeerUser
from wlnet.client.peer.ports import Gatherer, Link
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.surveying import Surveying
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.shell_identity import make_identity
from wlnet.protocols.exchange.messages import Hello, Join, Leave, ListGames, Publish, Ready, Said, Unpublish
from wlnet.rendezvous.events import (
    Begin,
    Ended,
    Games,
    Granted,
    ListedGame,
    PlanPart,
    Published,
    Refusal,
    Refused,
    Told,
    Unpublished,
)
from wlnet.steering.model import Side

_SUPERSEDED = 10.0
"""A former tunnel of a guest ends if the lobby said within so long that he asked again."""

_PASSING = frozenset({Refusal.TOO_FAST, Refusal.HOST_AWAY, Refusal.HOST_BUSY, Refusal.SERVER_FULL})
"""Refusals of a join that another try may not meet; and, while a game is played, that it is not there."""
_HOPELESS = frozenset({Refusal.NO_SUCH_GAME, Refusal.OWN_GAME, Refusal.TOO_MANY_ATTEMPTS})
_JOIN_PAUSE = 1.0
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
        mapper: Mapper | None = None,
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
        self._new_identity = identity
        self._identity = identity()
        self._peers: list[Peer] = []
        self._hosted: dict[str, str] = {}
        self._joins: dict[str, _Joining] = {}
        self._asked: list[str] = []
        self._publishing: list[str] = []
        self._rejoins: dict[str, Peer] = {}
        self._closing: Callable[[], None] | None = None
        self._over = False
        self._timers: set[_Call] = set()
        self._gatherer: Gatherer = (
            gatherer(self)
            if gatherer is not None
            else Surveying(network, self.options.gather, self.network_changed, mapper)
        )
        self._address, self._login = address, login
        self._limits = limits or LobbyLimits()
        self._make_link = link
        self._doubt: _Call | None = None
        self._doubted_at = -_DOUBT_PAUSE
        self.link: Link = self._new_link()

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
        if game not in self._joins and not there and self._closing is None:
            joining = self._joins[game] = _Joining(self._new_identity())
            joining.timeout = self._later(self.options.join_timeout, lambda: self._join_over(game))
            self._ask_join(game)

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
        return tuple(self._joins)

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
        for joining in self._joins.values():
            joining.cancel()
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
        self._asked.clear()
        for game in list(self._joins):
            self._ask_join(game)
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
        self._asked.clear()
        self._rejoins.clear()
        for peer in list(self._peers):
            peer.link_lost()
        self._user.party_lost(text, again)

    def lobby_gone(self, text: str) -> None:
        """Nothing new can begin."""
        self._heard()
        for peer in list(self._peers):
            peer.link_lost()
        for joining in self._joins.values():
            joining.cancel()
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

    def _new_link(self) -> Link:
        if self._make_link is not None:
            return self._make_link(self)
        return LobbyLink(
            self.network, self._address, self._login, self, ca_file=self.options.tls_ca, limits=self._limits
        )

    def doubt_link(self) -> None:
        """Used by peers: a path died, and what killed it may have killed the connection to the lobby too."""
        now = self.network.now()
        if self._doubt is not None or self._over or now < self._doubted_at + _DOUBT_PAUSE:
            return
        if self._closing is None and self.link.negotiate():
            self._doubted_at = now
            self._doubt = self._later(self.options.lobby_answer, self._relink)

    def _heard(self) -> None:
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None

    def _relink(self) -> None:
        """It is dead, and the system would notice only much later."""
        self._doubt = None
        self.link.close()
        self.lobby_lost("The lobby does not answer any more.", 0.0)
        if self.name:
            self._login = self._login.under(self.name)
        self._limits = replace(self._limits, first_patience=self._limits.patience)
        self.link = self._new_link()

    # -- attempts --------------------------------------------------------------------------------

    def _begin(self, begin: Begin) -> None:
        self._say(Ready(attempt=begin.attempt))  # it is timed
        problem = self._unwelcome(begin)
        if problem is not None:
            self._say(Leave(attempt=begin.attempt))
            return
        former = self._former(begin)
        joining = self._joins.get(begin.game) if begin.side is Side.GUEST else None
        if begin.side is Side.GUEST:
            self._answered(begin.game)
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
        self._supersede(begin)
        identity = joining.identity if joining is not None else self._identity
        rejoin = self._ask_rejoin if begin.side is Side.GUEST else None
        peer = Peer(attempt, identity, self.network, self.options, _Relayed(self), rejoin, self._peer_over)
        holder.append(peer)
        self._peers.append(peer)

    def _unwelcome(self, begin: Begin) -> str | None:
        if self._closing is not None:
            return "we leave"
        if begin.side is Side.HOST:
            if begin.game not in self._hosted:
                return "we do not host that game"
            if self._former(begin) is None and len(self._peers) >= self.options.max_peers:
                return "too many play already"
        elif begin.game not in self._joins and self._former(begin) is None:
            return "we did not ask"
        return None

    def _former(self, begin: Begin) -> Peer | None:
        """The player this attempt is with, if his tunnel is there already."""
        joining = self._joins.get(begin.game)
        for peer in self._peers:
            if peer.closed or (peer.game, peer.side) != (begin.game, begin.side):
                continue
            if peer.fingerprint != begin.fingerprint:
                continue
            if begin.side is Side.HOST or joining is None or joining.identity is peer.identity:
                return peer
        return None

    def _supersede(self, begin: Begin) -> None:
        """Whoever asked again with another certificate has lost his former tunnel."""
        now = self.network.now()
        for peer in list(self._peers):
            replaced = peer.replaced_at
            if (peer.name, peer.game, peer.side) != (begin.peer, begin.game, begin.side) or peer.closed:
                continue
            if replaced is not None and now - replaced < _SUPERSEDED:
                peer.close("you joined again")

    def _of(self, attempt: int, call: Callable[[Peer], None]) -> None:
        for peer in self._peers:
            if attempt in peer.attempts:
                call(peer)
                return

    def _refused(self, refused: Refused) -> None:
        if refused.of == "publish" and self._publishing:
            self._hosted.pop(self._publishing.pop(0), None)
            self._user.party_refused("publish", refused.text)
        elif refused.of == "join" and self._asked:
            self._join_refused(self._asked.pop(0), refused)

    # -- hosting and joining ---------------------------------------------------------------------

    def _publish(self, game: str) -> None:
        traffic = _traffic(self._hosted[game])
        if self._say(Publish(game=game, traffic=traffic, fingerprint=self._identity.fingerprint)):
            self._publishing.append(game)  # answers come in the order of what was asked

    def _ask_join(self, game: str) -> None:
        joining = self._joins.get(game)
        if joining is None or self._closing is not None:
            return
        if self._say(Join(game=game, fingerprint=joining.identity.fingerprint)):
            self._asked.append(game)
            joining.retry(self._later(self.options.join_answer, lambda: self._ask_again(game)))

    def _ask_again(self, game: str) -> None:
        if game in self._asked:
            self._asked.remove(game)
        self.doubt_link()
        self._ask_join(game)

    def _answered(self, game: str) -> None:
        if game in self._asked:
            self._asked.remove(game)
        joining = self._joins.get(game)
        if joining is not None:
            joining.retry(None)

    def _join_refused(self, game: str, refused: Refused) -> None:
        peer = self._rejoins.pop(game, None)
        if peer is not None:
            peer.refused(final=refused.code in _HOPELESS)
            return
        joining = self._joins.get(game)
        if joining is None:
            return
        if refused.code in _PASSING:
            joining.retry(self._later(_JOIN_PAUSE, lambda: self._ask_join(game)))
        else:
            joining.cancel()
            del self._joins[game]
            self._user.party_refused("join", refused.text)

    def _join_over(self, game: str) -> None:
        joining = self._joins.pop(game, None)
        if joining is None:
            return
        joining.cancel()
        for peer in list(self._peers):
            if peer.game == game and peer.side is Side.GUEST and not peer.ready:
                peer.stop("No connection came about in time.")
        self._user.party_refused("join", "No connection to the host came about in time.")

    def _ask_rejoin(self, peer: Peer) -> bool:
        if not self._say(Join(game=peer.game, fingerprint=peer.identity.fingerprint)):
            return False
        self._asked.append(peer.game)
        self._rejoins[peer.game] = peer
        self.doubt_link()
        return True

    # -- peers -----------------------------------------------------------------------------------

    def peer_ready(self, peer: Peer) -> None:
        """Used by peers."""
        if peer.side is Side.GUEST:
            joining = self._joins.pop(peer.game, None)
            if joining is not None:
                joining.cancel()
        self._user.peer_ready(peer)

    def peer_closed(self, peer: Peer, text: str) -> None:
        """Used by peers."""
        joining = self._joins.get(peer.game) if peer.side is Side.GUEST else None
        if joining is not None and self._closing is None:
            # It never was ready: try again, as somebody new, within the time for that.
            joining.identity = self._new_identity()
            joining.retry(self._later(_JOIN_PAUSE, lambda: self._ask_join(peer.game)))
            self._user.party_line(text)
            return
        self._user.peer_closed(peer, text)

    def _peer_over(self, peer: Peer) -> None:
        if peer in self._peers:
            self._peers.remove(peer)
        if self._rejoins.get(peer.game) is peer:
            del self._rejoins[peer.game]
        for attempt in peer.attempts:
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
        for call in list(self._timers):
            call.cancel()
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

    def _later(self, delay: float, call: Callable[[], None]) -> _Call:
        made = _Call(self._timers, call)
        made.timer = self.network.call_later(delay, made.due)
        return made


class _Call:
    """A call that is due later and known to its owner until then."""

    def __init__(self, owner: set[_Call], call: Callable[[], None]) -> None:
        self._owner = owner
        self._call = call
        self.timer: Timer | None = None
        owner.add(self)

    def due(self) -> None:
        """Do it."""
        self._owner.discard(self)
        self._call()

    def cancel(self) -> None:
        """Not any more."""
        self._owner.discard(self)
        if self.timer is not None:
            self.timer.cancel()


class _Joining:
    """A game being joined."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.timeout: _Call | None = None
        self._retry: _Call | None = None

    def retry(self, call: _Call | None) -> None:
        """The next try, in place of the one before."""
        if self._retry is not None:
            self._retry.cancel()
        self._retry = call

    def cancel(self) -> None:
        """Over."""
        self.retry(None)
        if self.timeout is not None:
            self.timeout.cancel()


class _Relayed(PeerUser):
    """Tells the party's user what a peer tells, and the party what it needs of that."""

    def __init__(self, party: Party) -> None:
        self._party = party

    def peer_ready(self, peer: Peer) -> None:
        self._party.peer_ready(peer)

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        if isinstance(news, PathGone) or news.moved is MoveReason.LOST:
            self._party.doubt_link()
        self._party.user.peer_path(peer, news)

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser | None:
        return self._party.user.peer_stream(peer, stream)

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        self._party.user.peer_datagram(peer, data)

    def peer_closed(self, peer: Peer, text: str) -> None:
        self._party.peer_closed(peer, text)


def _traffic(text: str) -> Literal["tcp", "udp"]:
    return "udp" if text == "udp" else "tcp"
