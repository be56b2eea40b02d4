"""Games on the board: what whoever waits for an end may do then."""

from __future__ import annotations

from functools import partial

from tests.support.lobby import Rig
from wlnet.lobby.game import Carrier, Game, GameState
from wlnet.lobby.hosting import OpenRefusal
from wlnet.lobby.player import Player


def _listed(rig: Rig, host: Player, name: str) -> Game:
    game = Game(
        room_id=f"room of {name}",
        name=name,
        build="build",
        carrier=Carrier.PEER,
        host=host,
        host_name=host.name,
        owner_key="",
        state=GameState.SETUP,
    )
    rig.lobby.hosting.list_game(game, host)
    return game


def _host(rig: Rig) -> Player:
    rig.player("ann")
    host = rig.lobby.hall.roster.get("ann")
    assert host is not None
    return host


def test_an_end_is_told_when_no_list_names_the_game_any_more() -> None:
    rig = Rig()
    host = _host(rig)
    hosting = rig.lobby.hosting
    game = _listed(rig, host, "duel")
    seen: list[tuple[bool, list[Game], Game | None, OpenRefusal | None]] = []
    game.on_end = lambda: seen.append(
        (game.ended, hosting.hosted_by(host), hosting.find("duel"), hosting.check_open(host, "duel"))
    )
    hosting.end(game)
    assert seen == [(True, [], None, None)]


def test_an_end_may_open_the_next_game_under_the_same_name() -> None:
    rig = Rig()
    host = _host(rig)
    hosting = rig.lobby.hosting
    game = _listed(rig, host, "duel")
    game.on_end = lambda: hosting.list_game(_next(host), host)
    hosting.end(game)
    (left,) = hosting.hosted_by(host)
    assert left is not game
    assert hosting.find("duel") is left


def test_games_that_end_each_other_end_once() -> None:
    rig = Rig()
    host = _host(rig)
    hosting = rig.lobby.hosting
    games = [_listed(rig, host, name) for name in ("one", "two", "three")]
    ended: list[str] = []

    def over(game: Game) -> None:
        ended.append(game.name)
        for other in games:
            hosting.end(other)

    for game in games:
        game.relay = "far"
        game.on_end = partial(over, game)
    hosting.relay_found("far", [])
    assert ended == ["one", "two", "three"]
    assert hosting.hosted_by(host) == []


def _next(host: Player) -> Game:
    return Game(
        room_id="next room",
        name="duel",
        build="build",
        carrier=Carrier.PEER,
        host=host,
        host_name=host.name,
        owner_key="",
        state=GameState.SETUP,
    )
