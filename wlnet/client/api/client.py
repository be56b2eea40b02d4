"""A player at a lobby, for the program of a game."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal

from msgspec import Struct, field

from wlnet.client.api.errors import ClientError, LobbyError, OverError, RefusedError, WrongUseError
from wlnet.client.api.hosted import HostedGame
from wlnet.client.api.player import Player
from wlnet.client.api.promises import FutureApi, Mailbox, Promise, Promises
from wlnet.client.lobby.address import parse_lobby
from wlnet.client.lobby.link import LobbyLimits
from wlnet.client.lobby.session import Login
from wlnet.client.mapping.mapper import PortMapper
from wlnet.client.net.shell_sockets import SocketNetwork
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.party import Party, PartyUser
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.rendezvous.events import ListedGame

_NEWS = 64
_ANSWER = 10.0


class Settings(Struct, frozen=True, kw_only=True):
    """Who plays where, and how.

    :ivar lobby: ``tcp://HOST[:PORT]`` or ``tls://HOST[:PORT]``.
    :ivar name: of the player; the lobby may add a number if it is taken.
    :ivar password: of his account; None: without account.
    :ivar secret: without account: whoever shows the same secret again is the same player, and gets his name
        and games back. "": a random one, good for lost connections; keep one to be known after a restart too.
    :ivar build: the program's name and version, shown in the lobby.
    :ivar options: what may be tried, times and limits.
    :ivar lobby_limits: how long a lobby that cannot be reached is tried.
    """

    lobby: str
    name: str
    password: str | None = None
    secret: str = ""
    build: str = "wlnet"
    options: PartyOptions = field(default_factory=PartyOptions)
    lobby_limits: LobbyLimits = field(default_factory=LobbyLimits)


def twisted_client(settings: Settings, reactor: Any = None) -> Client:
    """A client whose promises are Deferreds. Begins to connect at once.

    :param reactor: None: the global one.
    :raises ValueError: *settings* name no lobby, or a player's name no lobby takes.
    """
    from txaio import tx  # noqa: PLC0415 - a program needs one of the two

    from wlnet.client.net.shell_twisted import TwistedNetwork  # noqa: PLC0415

    return Client(settings, TwistedNetwork(reactor), tx.with_config())


def asyncio_client(settings: Settings, loop: Any = None) -> Client:
    """A client whose promises are Futures. Begins to connect at once.

    :param loop: None: the running one.
    :raises ValueError: *settings* name no lobby, or a player's name no lobby takes.
    :raises RuntimeError: there is no running loop, or it cannot watch sockets (Windows: use a selector loop).
    """
    from txaio import aio  # noqa: PLC0415 - a program needs one of the two

    from wlnet.client.net.shell_asyncio import AsyncioNetwork  # noqa: PLC0415

    network = AsyncioNetwork(loop)
    return Client(settings, network, aio.with_config(network.loop))


class Client:
    """See :func:`twisted_client` and :func:`asyncio_client`, which make one."""

    def __init__(self, settings: Settings, network: SocketNetwork, api: FutureApi) -> None:
        address = parse_lobby(settings.lobby)
        login = Login(
            name=settings.name,
            password=settings.password,
            secret=settings.secret or network.random_bytes(20).hex(),
            build=settings.build,
        )
        self._network = network
        self._promises = Promises(api, network)
        self._most = settings.options.max_peers
        self._ready: list[Promise[str]] = []
        self._lists: list[_Listing] = []
        self._games: dict[str, HostedGame] = {}
        self._publishing: dict[str, Promise[HostedGame]] = {}
        self._joining: dict[str, Promise[Player]] = {}
        self._players: dict[Peer, Player] = {}
        self._news: Mailbox[str] = Mailbox(self._promises, _NEWS)
        self._gone: str | None = None
        self._closings: list[Promise[None]] = []
        self._is_closed = False
        self._mapper = PortMapper(network) if settings.options.gather.mappings else None
        self._party = Party(
            network,
            address,
            login,
            _User(self),
            settings.options,
            mapper=self._mapper,
            limits=settings.lobby_limits,
        )

    # -- the lobby -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Ours, as the lobby has it; "" before it knows us."""
        return self._party.name

    @property
    def players(self) -> tuple[Player, ...]:
        """With whom we play."""
        return tuple(self._players.values())

    def ready(self) -> Awaitable[str]:
        """Kept when the lobby knows us, with our name.

        :raises LobbyError: it refused us, or cannot be reached.
        """
        if self._gone is not None:
            return self._promises.broken(LobbyError(self._gone))
        if self._party.link.ready:
            return self._promises.kept(self._party.name)
        promise: Promise[str] = Promise(self._promises)
        self._ready.append(promise)
        return promise.future

    def next_news(self) -> Awaitable[str]:
        """The next line for the player to read: what the lobby says, or what became of it.

        :raises OverError: the client is closed.
        """
        return self._news.take()

    def games(self) -> Awaitable[tuple[ListedGame, ...]]:
        """The games that can be joined, the oldest first.

        :raises LobbyError: the lobby is not there, or does not answer: ask less often.
        """
        if self._gone is not None or not self._party.list_games():
            return self._promises.broken(LobbyError(self._gone or "The lobby is not there for now."))
        listing = _Listing(self._promises, self._network)
        self._lists = [one for one in self._lists if not one.promise.done]
        self._lists.append(listing)
        return listing.promise.future

    # -- hosting and joining ---------------------------------------------------------------------

    def host(self, game: str, traffic: Literal["tcp", "udp"] = "tcp") -> Awaitable[HostedGame]:
        """List a game, also again when the lobby comes back. May be called before :meth:`ready`.

        :param traffic: what guests are told the game is made of: streams (``tcp``) or datagrams (``udp``).
        :raises RefusedError: the lobby does not list it.
        :raises LobbyError: there is no lobby.
        :raises WrongUseError: we host it already.
        """
        if self._gone is not None:
            return self._promises.broken(LobbyError(self._gone))
        if game in self._games or game in self._publishing:
            return self._promises.broken(WrongUseError(f"{game!r} is hosted already"))
        promise = self._publishing[game] = Promise(self._promises)
        self._party.host(game, traffic)
        return promise.future

    def join(self, game: str) -> Awaitable[Player]:
        """Join a game; kept with its host once the two are connected, usually within a second.

        Cancel it to give up. May be called before :meth:`ready`.

        :raises RefusedError: there is no such game, or no connection came about.
        :raises LobbyError: there is no lobby.
        :raises WrongUseError: we are in it, or about to be.
        """
        if self._gone is not None:
            return self._promises.broken(LobbyError(self._gone))
        former = self._joining.get(game)
        if (former is not None and not former.done) or any(
            player.game == game and player.is_host for player in self._players.values()
        ):
            return self._promises.broken(WrongUseError(f"{game!r} is joined already"))
        promise = self._joining[game] = Promise(self._promises)
        self._party.join(game)
        return promise.future

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> Awaitable[None]:
        """Leave politely; kept when everything is closed, within a few seconds."""
        if self._is_closed:
            return self._promises.kept(None)
        promise: Promise[None] = Promise(self._promises)
        self._closings.append(promise)
        if len(self._closings) == 1:
            self._no_more("You closed the client.", OverError)
            self._party.close(self._party_closed)
        return promise.future

    def _party_closed(self) -> None:
        for peer in list(self._players):
            self.peer_closed(peer, "You closed the client.")
        self._news.end(OverError("You closed the client."))
        if self._mapper is not None:
            self._mapper.close(self._all_given_back)
        else:
            self._all_given_back()

    def _all_given_back(self) -> None:
        self._network.when_quiet(self._all_closed)

    def _all_closed(self) -> None:
        self._is_closed = True
        for promise in self._closings:
            promise.keep(None)
        self._closings.clear()

    def _no_more(self, text: str, error: type[ClientError]) -> None:
        """Nothing new can begin."""
        if self._gone is None:
            self._gone = text
        waiting: list[Promise[Any]] = [*self._ready, *self._publishing.values(), *self._joining.values()]
        for promise in waiting:
            promise.fail(error(text))
        self._ready.clear()
        self._publishing.clear()
        self._joining.clear()
        for listing in self._lists:
            listing.fail(error(text))
        self._lists.clear()
        for game in self._games.values():
            game.on_over(text)
        self._games.clear()

    # -- what the party says (through _User) -----------------------------------------------------

    def ready_as(self, name: str) -> None:
        """The lobby knows us."""
        for promise in self._ready:
            promise.keep(name)
        self._ready.clear()

    def news(self, text: str) -> None:
        """A line for the player."""
        self._news.put(text)

    def published(self, game: str) -> None:
        """A game is listed."""
        promise = self._publishing.pop(game, None)
        if promise is not None:
            hosted = HostedGame(game, self._promises, self._most, lambda: self._unhost(game))
            self._games[game] = hosted
            promise.keep(hosted, unwanted=hosted.close)

    def unpublished(self, game: str) -> None:
        """A game is not listed any more, and not because we said so."""
        hosted = self._games.pop(game, None)
        if hosted is not None:
            hosted.on_over("The lobby took the game off its list.")

    def refused(self, text: str) -> None:
        """Some game cannot be listed or joined: those the party has given up."""
        for game in [game for game in self._publishing if game not in self._party.hosting]:
            self._publishing.pop(game).fail(RefusedError(text))
        for game in [game for game in self._games if game not in self._party.hosting]:
            self._games.pop(game).on_over(text)
        for game in [game for game in self._joining if game not in self._party.joining]:
            self._joining.pop(game).fail(RefusedError(text))

    def listed(self, games: tuple[ListedGame, ...]) -> None:
        """The list of games."""
        for listing in self._lists:
            listing.keep(games)
        self._lists.clear()

    def gone(self, text: str) -> None:
        """The lobby is lost for good."""
        self._no_more(text, LobbyError)
        self._news.put(text)

    def peer_ready(self, peer: Peer) -> None:
        """Somebody is connected."""
        player = Player(peer, self._promises)
        self._players[peer] = player
        if player.is_host:
            promise = self._joining.pop(peer.game, None)
            if promise is None:
                peer.close()
            else:
                promise.keep(player, unwanted=player.leave)
        else:
            hosted = self._games.get(peer.game)
            if hosted is None:
                peer.close("the game is closed")
            else:
                hosted.on_guest(player)

    def peer_closed(self, peer: Peer, text: str) -> None:
        """Somebody is gone."""
        player = self._players.pop(peer, None)
        if player is not None:
            player.on_closed(text)

    def player(self, peer: Peer) -> Player | None:
        """Whom it stands for, once he was ready."""
        return self._players.get(peer)

    # -- small things ----------------------------------------------------------------------------

    def _unhost(self, game: str) -> None:
        self._games.pop(game, None)
        self._party.unhost(game)


class _Listing:
    """A list of games asked for."""

    def __init__(self, client_promises: Promises, network: SocketNetwork) -> None:
        self.promise: Promise[tuple[ListedGame, ...]] = Promise(client_promises)
        self._timer = network.call_later(
            _ANSWER, lambda: self.fail(LobbyError("The lobby did not say which games there are."))
        )

    def keep(self, games: tuple[ListedGame, ...]) -> None:
        self._timer.cancel()
        self.promise.keep(games)

    def fail(self, error: ClientError) -> None:
        self._timer.cancel()
        self.promise.fail(error)


class _User(PartyUser):
    """Hears what the party says, for a client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def party_ready(self, name: str) -> None:
        self._client.ready_as(name)

    def party_lost(self, text: str, again: float) -> None:
        self._client.news(f"{text} Trying again in {again:.0f} s." if again else f"{text} Trying again.")

    def party_line(self, text: str) -> None:
        self._client.news(text)

    def party_published(self, game: str) -> None:
        self._client.published(game)

    def party_unpublished(self, game: str) -> None:
        self._client.unpublished(game)

    def party_refused(self, of: str, text: str) -> None:  # noqa: ARG002 - which one, the party knows
        self._client.refused(text)

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        self._client.listed(games)

    def party_gone(self, text: str) -> None:
        self._client.gone(text)

    def peer_ready(self, peer: Peer) -> None:
        self._client.peer_ready(peer)

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        player = self._client.player(peer)
        if player is not None:
            player.on_path(news)

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser | None:
        player = self._client.player(peer)
        return None if player is None else player.on_stream(stream)

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        player = self._client.player(peer)
        if player is not None:
            player.on_datagram(data)

    def peer_closed(self, peer: Peer, text: str) -> None:
        self._client.peer_closed(peer, text)
