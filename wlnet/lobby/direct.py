"""Build 19 games: the host's own machine carries them, so we look whether it can be reached."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.lobby.game import Carrier, Game, GameState, owner_key
from wlnet.lobby.hall import Hall
from wlnet.lobby.hosting import Hosting, OpenRefusal
from wlnet.lobby.player import Player
from wlnet.lobby.ports import ProberPort
from wlnet.metrics import Limit


class DirectHosting:
    """Opens games on hosts' own machines and keeps testing them."""

    def __init__(
        self, hall: Hall, hosting: Hosting, prober: ProberPort, new_room_id: Callable[[], str]
    ) -> None:
        self._hall = hall
        self._hosting = hosting
        self._prober = prober
        self._new_room_id = new_room_id
        self._under_way: dict[str, dict[Game, Callable[[bool], None]]] = {}

    def open(self, player: Player, name: str, opened: Callable[[bool | OpenRefusal], None]) -> None:
        """List the game, then test the host; *opened* gets the first result, or why it is not listed."""
        refusal = self._hosting.check_open(player, name)
        if refusal is not None:
            opened(refusal)
            return
        game = Game(
            room_id=self._new_room_id(),
            name=name,
            build=player.build,
            carrier=Carrier.HOST,
            host=player,
            host_name=player.name,
            owner_key=owner_key(player.key),
        )
        self._hosting.list_game(game, player)
        self._hosting.enter(player, game)
        self._test(game, self._hall.settings.probe_first_timeout, opened)

    def _test(self, game: Game, timeout: float, first: Callable[[bool], None] | None) -> None:
        game.timer = None
        if game.ended or game.started or game.host is None:
            return
        settings = self._hall.settings
        address = game.host.address
        if len(self._under_way) >= settings.max_probes and address not in self._under_way:
            self._hall.limited(Limit.PROBES)
            game.timer = self._hall.agenda.after(
                settings.probe_interval, lambda: self._test(game, timeout, first)
            )
            return

        def result(reachable: bool) -> None:
            if game.ended:
                return
            game.timer = self._hall.agenda.after(
                settings.probe_interval, lambda: self._test(game, settings.probe_timeout, None)
            )
            self._note(game, reachable)
            if first is not None:
                first(reachable)

        # One test of an address at a time: games that come meanwhile get the same answer.
        waiting = self._under_way.get(address, {})
        self._under_way[address] = {other: wait for other, wait in waiting.items() if not other.ended}
        self._under_way[address][game] = result
        if waiting:
            return

        def answer(reachable: bool) -> None:
            for waits in self._under_way.pop(address).values():
                waits(reachable)

        self._prober.probe(address, timeout, answer)

    def _note(self, game: Game, reachable: bool) -> None:
        if reachable and game.state is GameState.OPENING:
            game.state = GameState.SETUP
        elif not reachable and game.state is GameState.SETUP:
            game.state = GameState.OPENING
        else:
            return
        self._hall.games_changed(game.host)
