"""Who publishes: peer games on the board, each with the host who can be met."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.lobby.game import Carrier, Game, GameState, owner_key
from wlnet.lobby.hosting import Hosting, OpenRefusal
from wlnet.rendezvous.events import Games, ListedGame, Published, Refusal, Unpublished
from wlnet.rendezvous.member import Member, PublishedGame
from wlnet.rendezvous.refusing import Refusing

_OPEN_REFUSALS = {
    OpenRefusal.EXISTS: Refusal.GAME_EXISTS,
    OpenRefusal.NAME: Refusal.GAME_NAME,
    OpenRefusal.TOO_MANY_OF_PLAYER: Refusal.TOO_MANY_GAMES,
    OpenRefusal.TOO_MANY: Refusal.SERVER_FULL,
    OpenRefusal.RELAY: Refusal.NO_RELAY,
}

_JOINABLE = frozenset({Carrier.PEER, Carrier.RELAY})

_LIST_SIZE = 60000
"""Bytes of a list at most, JSON: it has to fit into a packet of the metaserver protocol."""
_ENTRY = 64
"""What an entry has around its names; those may double where JSON escapes them."""


class Publishing:
    """The peer games; there are as many as the lobby's limits of games let be listed.

    :param ended: told of a game that is no longer listed, after its host.
    """

    def __init__(
        self, hosting: Hosting, new_game_id: Callable[[], str], ended: Callable[[Game], None]
    ) -> None:
        self._hosting = hosting
        self._new_game_id = new_game_id
        self._ended = ended
        self._games: dict[Game, PublishedGame] = {}

    def __len__(self) -> int:
        return len(self._games)

    def find(self, name: str) -> PublishedGame | None:
        """The peer game called *name*."""
        game = self._hosting.find(name)
        return self._games.get(game) if game is not None else None

    def publish(self, member: Member, name: str, traffic: str, fingerprint: str) -> None:
        """List a game, or take an own one up again after the connection was lost.

        An own game that is on the relay stays there, and can be joined either way from now on.

        :raises Refusing: the lobby does not take it.
        """
        hosting, player = self._hosting, member.player
        listed = hosting.find(name)
        if listed is not None and listed.host is player and listed.carrier in _JOINABLE:
            game = listed
        else:
            refusal = hosting.check_open(player, name)
            if refusal is not None:
                raise Refusing(_OPEN_REFUSALS[refusal], f"The game cannot be opened: {refusal.value}.")
            game = Game(
                room_id=self._new_game_id(),
                name=name,
                build=player.build,
                carrier=Carrier.PEER,
                host=player,
                host_name=player.name,
                owner_key=owner_key(player.key),
                state=GameState.SETUP,
            )
            hosting.list_game(game, player)
            hosting.enter(player, game)
        game.on_end = partial(self._unlisted, game)
        published = PublishedGame(game=game, host=member, traffic=traffic, fingerprint=fingerprint)
        self._games[game] = published
        member.games[name] = published
        member.inbox.tell(Published(game=name))

    def unpublish(self, member: Member, name: str) -> None:
        """Take an own game off the list; one that is on the relay as well is just no peer game any more.

        :raises Refusing: it is not his.
        """
        published = member.games.get(name)
        if published is None:
            raise Refusing(Refusal.NOT_YOUR_GAME, "You do not host a game of that name here.")
        if published.game.carrier is Carrier.PEER:
            self._hosting.end(published.game)
        else:
            published.game.on_end = None
            self._unlisted(published.game)

    def open_to(self, member: Member, most: int) -> Games:
        """The games *member* could join, as many as fit."""
        listed: list[ListedGame] = []
        size = 0
        for one in self._games.values():
            if one.host.player is member.player or not one.host.present:
                continue
            entry = ListedGame(game=one.game.name, host=one.host.player.name, traffic=one.traffic)
            size += _ENTRY + 2 * len(entry.game.encode()) + 2 * len(entry.host.encode())
            if len(listed) >= most or size > _LIST_SIZE:
                return Games(games=tuple(listed), more=True)
            listed.append(entry)
        return Games(games=tuple(listed))

    def _unlisted(self, game: Game) -> None:
        published = self._games.pop(game, None)
        if published is None:
            return
        host = published.host
        if host.games.pop(game.name, None) is not None and host.present:
            host.inbox.tell(Unpublished(game=game.name))
        self._ended(game)
