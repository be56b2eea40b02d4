"""Games on the relay: opened, hosted, started, over; and what is left of them when a link breaks."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from wlnet.agenda import Appointment
from wlnet.lobby.game import Carrier, Game, GameState, owner_key
from wlnet.lobby.hall import Hall
from wlnet.lobby.names import text_problem
from wlnet.lobby.player import Player
from wlnet.lobby.ports import RelayPort, RoomCard, RoomReport
from wlnet.metrics import Limit


class OpenRefusal(StrEnum):
    """Why a game was not opened."""

    EXISTS = "exists"
    RELAY = "relay"
    NAME = "name"
    TOO_MANY_OF_PLAYER = "too many of this player"
    TOO_MANY = "too many"


OpenAnswer = Callable[[Game | OpenRefusal], None]


class Hosting:
    """Everything about games; implements :class:`wlnet.lobby.ports.RelayEvents`.

    :param new_room_id: gives an unguessable identifier each time.
    """

    def __init__(self, hall: Hall, relay: RelayPort, new_room_id: Callable[[], str]) -> None:
        self._hall = hall
        self._relay = relay
        self._new_room_id = new_room_id
        self._opening: set[str] = set()
        self._hosted: dict[Player, list[Game]] = {}
        self._ownerless: dict[str, list[Game]] = {}
        self._grace: dict[str, Appointment] = {}

    # -- what players do -------------------------------------------------------------------------

    def check_open(self, player: Player, name: str) -> OpenRefusal | None:
        """Whether *player* may open a game *name* now; makes room for it if his own old one is in the way.

        A host may open a game again as long as nobody reached the first one (his client repeats the command
        when an answer was lost), and after he left it.
        """
        if text_problem(name, self._hall.limits.game_name_length) is not None:
            self._hall.limited(Limit.NAME)
            return OpenRefusal.NAME
        self._make_room(player)
        if name in self._opening or self._hall.board.get(name) is not None:
            return OpenRefusal.EXISTS
        if self._has_enough(player):
            return OpenRefusal.TOO_MANY_OF_PLAYER
        if len(self._hall.board) + len(self._opening) >= self._hall.settings.max_games:
            self._hall.limited(Limit.GAMES)
            return OpenRefusal.TOO_MANY
        return None

    def open(self, player: Player, name: str, password: str, opened: OpenAnswer) -> None:
        """Open a game on the relay; *opened* is called once, when the relay has answered.

        The host is not in his game yet then: :meth:`enter` comes after he has been told.

        :param password: makes its owner the host at the relay.
        """
        refusal = self.check_open(player, name)
        if refusal is not None:
            opened(refusal)
            return
        game = Game(
            room_id=self._new_room_id(),
            name=name,
            build=player.build,
            carrier=Carrier.RELAY,
            host=player,
            host_name=player.name,
            owner_key=owner_key(player.key),
        )
        self._opening.add(name)

        def answered(accepted: bool) -> None:
            self._opening.discard(name)
            self._make_room(player)  # he may have opened another one over a new connection meanwhile
            if not accepted:
                opened(OpenRefusal.RELAY)
            elif self._hall.roster.get(player.name) is not player:
                self._relay.close_room(game.room_id)
                opened(OpenRefusal.RELAY)
            elif self._has_enough(player):
                self._relay.close_room(game.room_id)
                opened(OpenRefusal.TOO_MANY_OF_PLAYER)
            else:
                game.relay = self._relay.relay_of(game.room_id)
                self.list_game(game, player)
                game.timer = self._hall.agenda.after(
                    self._hall.settings.host_timeout, lambda: self._host_never_came(game)
                )
                opened(game)

        self._relay.open_room(game.room_id, password, game.card(), answered)

    def list_game(self, game: Game, actor: Player) -> None:
        """Put a game on the board as hosted by *actor*."""
        self._hall.board.add(game)
        self._hosted.setdefault(actor, []).append(game)
        self._hall.games_changed(actor)

    def find(self, name: str) -> Game | None:
        """The listed game called *name*."""
        return self._hall.board.get(name)

    def may_start(self, player: Player) -> bool:
        """Whether *player* may start the game he is in: he is its host."""
        game = player.game
        return game is not None and game.host is player

    def started(self, player: Player) -> None:
        """The game of *player* runs; to be called after he has been told."""
        game = player.game
        if game is None or game.ended or game.started:
            return
        game.started = True
        if game.state is GameState.SETUP:
            self._run(game)

    def leave(self, player: Player, *, quietly: bool = False) -> None:
        """*player* is in no game any more. A game on the relay goes on until its relay ends it."""
        game, player.game = player.game, None
        if game is None:
            return
        if game.host is player:
            game.host_gone = True
            if game.carrier is not Carrier.RELAY:
                self.end(game)
        if quietly:
            self._hall.player_news.changed_quietly()
        else:
            self._hall.players_changed(player)

    def enter(self, player: Player, game: Game) -> None:
        """From now on the list of players shows *player* in *game*."""
        player.game = game
        self._hall.players_changed(player)

    def end(self, game: Game) -> None:
        """Remove a game from board and relay; nothing if it has ended already."""
        if game.ended:
            return
        self._unlist(game)
        if game.carrier is Carrier.RELAY:
            self._relay.close_room(game.room_id)

    # -- who owns what ---------------------------------------------------------------------------

    def player_seated(self, player: Player) -> None:
        """Somebody came in: is he the host of games that lost their host?"""
        if not player.key:
            return
        key = owner_key(player.key)
        for game in self._hosted.get(player, ()):
            if game.owner_key != key:  # he has another secret now
                game.owner_key = key
                self._update_card(game)
        for game in self._ownerless.pop(key, ()):
            self._own(game, player)

    def player_gone(self, player: Player) -> None:
        """A seat was given up for good; its games wait for their owner, or their relay's word."""
        for game in self._hosted.pop(player, ()):
            game.host = None
            if game.carrier is not Carrier.RELAY:
                self.end(game)
            elif game.owner_key:
                self._ownerless.setdefault(game.owner_key, []).append(game)

    def hosted_by(self, player: Player) -> list[Game]:
        """The games of *player* on the board."""
        return list(self._hosted.get(player, ()))

    def drop_from_room(self, game: Game, address: str) -> None:
        """Disconnect whoever is in *game* from *address*."""
        if game.carrier is Carrier.RELAY:
            self._relay.drop_from_room(game.name, address)

    def _own(self, game: Game, player: Player) -> None:
        game.host = player
        game.host_gone = False
        if game.host_name != player.name:
            game.host_name = player.name
            self._update_card(game)
        self._hosted.setdefault(player, []).append(game)
        if player.game is None:
            player.game = game
        self._hall.player_news.changed_quietly()

    def _make_room(self, player: Player) -> None:
        """End the games of *player* that nobody reached, or that he has left."""
        for game in self.hosted_by(player):
            if game.state is GameState.OPENING or game.host_gone:
                self.end(game)

    def _has_enough(self, player: Player) -> bool:
        if len(self._hosted.get(player, ())) < self._hall.limits.games_per_player:
            return False
        self._hall.limited(Limit.GAMES_PER_PLAYER)
        return True

    def _run(self, game: Game) -> None:
        game.state = GameState.RUNNING
        self._update_card(game)
        self._hall.games_changed(game.host)

    def _update_card(self, game: Game) -> None:
        if game.carrier is Carrier.RELAY:
            self._relay.update_card(game.room_id, game.card())

    # -- what the relay says ---------------------------------------------------------------------

    def room_hosted(self, room_id: str) -> None:
        """The host has reached his room: others may come."""
        game = self._hall.board.in_room(room_id)
        if game is None:
            self._relay.close_room(room_id)
        elif game.state is GameState.OPENING:
            game.stop_timer()
            if game.started:  # he said so before the relay did
                self._run(game)
            else:
                game.state = GameState.SETUP
                self._hall.games_changed(game.host)

    def room_closed(self, room_id: str) -> None:
        """The room is gone."""
        game = self._hall.board.in_room(room_id)
        if game is not None:
            self._unlist(game)

    def relay_found(self, relay: str, rooms: list[RoomReport]) -> None:
        """*relay* is there, and *rooms* are all it has: the truth about its games."""
        grace = self._grace.pop(relay, None)
        if grace is not None:
            grace.cancel()
        reported = {report.room_id: report for report in rooms}
        for game in list(self._hall.board):
            report = reported.pop(game.room_id, None)
            if report is None:
                if game.relay == relay:
                    self._unlist(game)
                continue
            game.relay = relay
            if report.hosted:
                self.room_hosted(game.room_id)
        owners = (
            {owner_key(player.key): player for player in self._hall.roster if player.key} if reported else {}
        )
        for report in reported.values():
            self._adopt(relay, report, owners)

    def relay_lost(self, relay: str) -> None:
        """*relay* is out of reach: its games stay listed for a while, it may be back at once."""
        if relay in self._grace:
            return
        self._grace[relay] = self._hall.agenda.after(
            self._hall.settings.relay_grace, lambda: self._relay_given_up(relay)
        )

    def _adopt(self, relay: str, report: RoomReport, owners: dict[str, Player]) -> None:
        card = report.card
        if (
            self._hall.board.get(card.game) is not None
            or card.game in self._opening
            or not report.hosted
            or text_problem(card.game, self._hall.limits.game_name_length) is not None
            or len(self._hall.board) >= self._hall.settings.max_games
        ):
            self._relay.close_room(report.room_id)
            return
        game = _game_from(card, report.room_id, relay)
        self._hall.board.add(game)
        owner = self._hall.roster.get(card.host)
        if owner is None or owner_key(owner.key) != game.owner_key:
            owner = owners.get(game.owner_key)  # somebody else has the name he had
        if owner is not None and game.owner_key:
            self._own(game, owner)
        elif game.owner_key:
            self._ownerless.setdefault(game.owner_key, []).append(game)
        self._hall.games_changed()

    def _relay_given_up(self, relay: str) -> None:
        del self._grace[relay]
        for game in [game for game in self._hall.board if game.relay == relay]:
            self._unlist(game)

    def _host_never_came(self, game: Game) -> None:
        game.timer = None
        if game.state is GameState.OPENING:
            self.end(game)

    def _unlist(self, game: Game) -> None:
        if game.ended:
            return
        self._hall.board.remove(game)
        if game.host is not None:
            games = self._hosted.get(game.host, [])
            if game in games:
                games.remove(game)
            if not games:
                self._hosted.pop(game.host, None)
        waiting = self._ownerless.get(game.owner_key, [])
        if game in waiting:
            waiting.remove(game)
            if not waiting:
                del self._ownerless[game.owner_key]
        self._hall.games_changed()
        if game.on_end is not None:  # last: it may well ask us for something
            game.on_end()


def _game_from(card: RoomCard, room_id: str, relay: str) -> Game:
    return Game(
        room_id=room_id,
        name=card.game,
        build=card.build,
        carrier=Carrier.RELAY,
        host=None,
        host_name=card.host,
        owner_key=card.owner_key,
        state=GameState.RUNNING if card.running else GameState.SETUP,
        started=card.running,
        relay=relay,
    )
