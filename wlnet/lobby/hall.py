"""The hall: what all parts of the lobby share. Who is here, what is played, and telling everybody."""

from __future__ import annotations

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.lobby.events import Event, GamesChanged, PlayersChanged
from wlnet.lobby.game import GameBoard
from wlnet.lobby.player import Player, Roster
from wlnet.lobby.updates import ListNews
from wlnet.metrics import Front, Limit, Metrics

_PLAYERS_CHANGED = PlayersChanged()
_GAMES_CHANGED = GamesChanged()


class Hall:
    """Roster, board and their news."""

    def __init__(
        self, settings: schema.Lobby, limits: schema.Limits, agenda: Agenda, metrics: Metrics
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.agenda = agenda
        self.metrics = metrics
        self.roster = Roster()
        self.board = GameBoard()
        self.live_players = 0
        self.player_news = ListNews(agenda, settings.update_interval, lambda: self.tell_all(_PLAYERS_CHANGED))
        self.game_news = ListNews(agenda, settings.update_interval, lambda: self.tell_all(_GAMES_CHANGED))

    def tell_all(self, event: Event) -> None:
        """Deliver *event* to everybody who has a connection."""
        for player in self.roster:
            if player.inbox is not None:
                player.inbox.deliver(event)

    def players_changed(self, actor: Player | None = None) -> None:
        """The list of players changed; *actor*, who caused it, hears that at once."""
        if not self.player_news.changed() and actor is not None and actor.inbox is not None:
            actor.inbox.deliver(_PLAYERS_CHANGED)

    def games_changed(self, actor: Player | None = None) -> None:
        """The list of games changed; *actor*, who caused it, hears that at once."""
        if not self.game_news.changed() and actor is not None and actor.inbox is not None:
            actor.inbox.deliver(_GAMES_CHANGED)

    def limited(self, limit: Limit) -> None:
        """Count a limit that did its work."""
        self.metrics.limited(Front.METASERVER, limit)
