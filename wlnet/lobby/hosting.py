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
        self._ownerless: dict[str, Game] = {}
        self._grace: dict[str, Appointment] = {}

    # -- what players do -------------------------------------------------------------------------

    def check_open(self, player: Player, name: str) -> OpenRefusal | None:
        """Whether *player* may open a game *name* now; makes room for it if his own old one is in the way.

        A host may open a game of the same name again as long as nobody reached the first one (its client
        repeats the command when an answer was lost), and after he left it.
        """
        if text_problem(name, self._hall.limits.game_name_length) is not None:
            self._hall.limited(Limit.NAME)
            return OpenRefusal.NAME
        for game in list(self._hosted.get(player, ())):
            if game.state is GameState.OPENING or (game.host_gone and game.name == name):
                self.end(game)
        if name in self._opening or self._hall.board.get(name) is not None:
            return OpenRefusal.EXISTS
        hosted = sum(not game.host_gone for game in self._hosted.get(player, ()))
        if hosted >= self._hall.limits.games_per_player:
            self._hall.limited(Limit.GAMES_PER_PLAYER)
            return OpenRefusal.TOO_MANY_OF_PLAYER
        if len(self._hall.board) + len(self._opening) >= self._hall.settings.max_games:
            self._hall.limited(Limit.GAMES)
            return OpenRefusal.TOO_MANY
        return None

    def open(self, player: Player, name: str, password: str, opened: OpenAnswer) -> None:
        """Open a game on the relay; *opened* is called once, when the relay has answered.

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
            if not accepted:
                opened(OpenRefusal.RELAY)
            elif self._hall.roster.get(player.name) is not player:
                self._relay.close_room(game.room_id)
                opened(OpenRefusal.RELAY)
            else:
                game.relay = self._relay.relay_of(game.room_id)
                self.list_game(game, player)
                game.timer = self._hall.agenda.after(
                    self._hall.settings.host_timeout, lambda: self._host_never_came(game)
                )
                opened(game)
                self.enter(player, game)

        self._relay.open_room(game.room_id, password, game.card(), answered)

    def list_game(self, game: Game, actor: Player) -> None:
        """Put a game on the board as hosted by *actor*."""
        self._hall.board.add(game)
        self._hosted.setdefault(actor, []).append(game)
        self._hall.games_changed(actor)

    def find(self, name: str) -> Game | None:
        """The listed game called *name*."""
        return self._hall.board.get(name)

    def start(self, player: Player) -> bool:
        """*player* starts the game he is in; False if he is not its host."""
        game = player.game
        if game is None or game.host is not player:
            return False
        if not game.ended:
            game.state = GameState.RUNNING
            game.stop_timer()
            self._relay.update_card(game.room_id, game.card())
        return True

    def started(self, player: Player) -> None:
        """Tell the others, after the host has his answer."""
        self._hall.games_changed(player)

    def leave(self, player: Player, *, quietly: bool = False) -> None:
        """*player* is in no game any more. A game on the relay goes on until its relay ends it."""
        game, player.game = player.game, None
        if game is None:
            return
        if game.host is player:
            game.host_gone = True
            if game.carrier is Carrier.HOST:
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
        """Somebody came in: is he the host of a game that lost its host?"""
        if not player.key:
            return
        game = self._ownerless.pop(owner_key(player.key), None)
        if game is not None:
            self._own(game, player)

    def player_gone(self, player: Player) -> None:
        """A seat was given up for good; its games wait for their owner, or their relay's word."""
        for game in self._hosted.pop(player, ()):
            game.host = None
            if game.owner_key:
                self._ownerless[game.owner_key] = game

    def hosted_by(self, player: Player) -> list[Game]:
        """The games of *player* on the board."""
        return list(self._hosted.get(player, ()))

    def drop_from_room(self, game: Game, address: str) -> None:
        """Disconnect whoever is in *game* from *address*."""
        if game.carrier is Carrier.RELAY:
            self._relay.drop_from_room(game.name, address)

    def _own(self, game: Game, player: Player) -> None:
        game.host = player
        game.host_name = player.name
        self._hosted.setdefault(player, []).append(game)
        if player.game is None:
            player.game = game
        self._hall.player_news.changed_quietly()

    # -- what the relay says ---------------------------------------------------------------------

    def room_hosted(self, room_id: str) -> None:
        """The host has reached his room: others may come."""
        game = self._hall.board.in_room(room_id)
        if game is None:
            self._relay.close_room(room_id)
        elif game.state is GameState.OPENING:
            game.state = GameState.SETUP
            game.stop_timer()
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
        for game in [game for game in self._hall.board if game.relay == relay]:
            report = reported.pop(game.room_id, None)
            if report is None:
                self._unlist(game)
            elif report.hosted:
                self.room_hosted(game.room_id)
        for report in reported.values():
            self._adopt(relay, report)

    def relay_lost(self, relay: str) -> None:
        """*relay* is out of reach: its games stay listed for a while, it may be back at once."""
        if relay in self._grace:
            return
        self._grace[relay] = self._hall.agenda.after(
            self._hall.settings.relay_grace, lambda: self._relay_given_up(relay)
        )

    def _adopt(self, relay: str, report: RoomReport) -> None:
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
        if owner is not None and game.owner_key and owner_key(owner.key) == game.owner_key:
            self._own(game, owner)
        elif game.owner_key:
            self._ownerless[game.owner_key] = game
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
        self._hall.board.remove(game)
        if game.host is not None:
            games = self._hosted.get(game.host, [])
            if game in games:
                games.remove(game)
            if not games:
                self._hosted.pop(game.host, None)
        if self._ownerless.get(game.owner_key) is game:
            del self._ownerless[game.owner_key]
        self._hall.games_changed()


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
        relay=relay,
    )
