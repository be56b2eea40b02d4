from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.lobby.events import Event
from wlnet.lobby.game import Carrier, Game, GameState
from wlnet.lobby.hall import Hall
from wlnet.lobby.player import Player
from wlnet.lobby.ports import Permission
from wlnet.metrics import Metrics
from wlnet.web.status import StatusText, StatusWriter


class Inbox:
    def deliver(self, event: Event) -> None:
        """Nobody reads it."""


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.hall = Hall(schema.Lobby(), schema.Limits(), Agenda(self.clock.seconds), Metrics())
        self.writer = StatusWriter(self.hall, "1.2", 1000.5, self.clock.seconds)

    def player(self, name: str, *, announced: bool = True, live: bool = True) -> Player:
        player = Player(
            name=name, key="s3cret-" + name, build="1.2.1", dialect=6, permission=Permission.REGISTERED,
            account="account-" + name, address="203.0.113.9", session="m1", inbox=Inbox() if live else None,
            announced=announced,
        )  # fmt: skip
        self.hall.roster.add(player)
        return player

    def game(self, name: str, host: Player, state: GameState) -> Game:
        game = Game(
            room_id="room-" + name, name=name, build="1.2.1", carrier=Carrier.RELAY, host=host,
            host_name=host.name, owner_key="0wner", state=state,
        )  # fmt: skip
        self.hall.board.add(game)
        host.game = game
        return game

    def text(self) -> StatusText:
        return self.writer.write()

    def read(self) -> Any:
        return json.loads(self.text().body)


def test_an_empty_lobby() -> None:
    scene = Scene()
    scene.clock.advance(61.9)
    assert scene.read() == {
        "format": 1,
        "version": "1.2",
        "started": 1000,
        "uptime": 61,
        "counts": {"players": 0, "players_in_games": 0, "games": 0, "open_games": 0},
        "players": [],
        "games": [],
    }


def test_players_and_games() -> None:
    scene = Scene()
    ann, bob, _cat = (scene.player(name) for name in ("ann", "bob", "cat"))
    game = scene.game("valley", ann, GameState.SETUP)
    bob.game = game
    dan = scene.player("dan")
    scene.game("island", dan, GameState.RUNNING)
    status = scene.read()
    assert status["counts"] == {"players": 4, "players_in_games": 3, "games": 2, "open_games": 1}
    assert [(one["name"], one["game"]) for one in status["players"]] == [
        ("ann", "valley"),
        ("bob", "valley"),
        ("cat", None),
        ("dan", "island"),
    ]
    assert status["players"][0] == {
        "name": "ann",
        "build": "1.2.1",
        "permission": "registered",
        "game": "valley",
    }
    assert status["games"] == [
        {
            "name": "valley",
            "host": "ann",
            "build": "1.2.1",
            "state": "setup",
            "carrier": "relay",
            "players": ["ann", "bob"],
        },
        {
            "name": "island",
            "host": "dan",
            "build": "1.2.1",
            "state": "running",
            "carrier": "relay",
            "players": ["dan"],
        },
    ]


def test_nothing_is_told_that_players_do_not_see() -> None:
    scene = Scene()
    host = scene.player("ann")
    scene.game("valley", host, GameState.SETUP)
    scene.player("newcomer", announced=False)
    scene.player("lost", live=False)
    body = scene.text().body.decode()
    for secret in ("203.0.113.9", "s3cret", "account-", "0wner", "room-", "newcomer", "lost"):
        assert secret not in body, secret


def test_a_game_that_ended_is_nobodys() -> None:
    scene = Scene()
    host = scene.player("ann")
    scene.hall.board.remove(scene.game("valley", host, GameState.RUNNING))
    status = scene.read()
    assert status["players"][0]["game"] is None
    assert status["counts"]["players_in_games"] == 0


def test_names_with_broken_text_are_still_json() -> None:
    scene = Scene()
    scene.player('a\udcff"<b>\u2028')
    body = scene.text().body
    assert body.isascii()
    assert json.loads(body)["players"][0]["name"] == 'a?"<b>\u2028'


def test_the_etag_changes_with_the_state_and_not_with_time() -> None:
    scene = Scene()
    before = scene.text()
    scene.clock.advance(100)
    later = scene.text()
    assert later.etag == before.etag
    assert later.body != before.body
    scene.player("ann")
    assert scene.text().etag != before.etag
    assert before.etag.startswith('W/"')
