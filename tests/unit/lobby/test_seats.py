"""Roster, board and liveness probe: the lobby's small parts."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.lobby.events import Event, Probe
from wlnet.lobby.game import Carrier, Game, GameBoard, owner_key
from wlnet.lobby.player import Player, Roster
from wlnet.lobby.ports import Permission
from wlnet.lobby.probe import LivenessProbe


class Inbox:
    def __init__(self) -> None:
        self.got: list[Event] = []

    def deliver(self, event: Event) -> None:
        self.got.append(event)


def _player(name: str, key: str = "", inbox: Inbox | None = None) -> Player:
    return Player(name, key, "1.1", 6, Permission.UNREGISTERED, None, "203.0.113.7", "s1", inbox)


def _game(name: str, room: str) -> Game:
    return Game(room, name, "1.1", Carrier.RELAY, None, "alice", "")


def test_players_are_found_by_name_and_key() -> None:
    roster = Roster()
    alice, bob, carl = _player("alice", "k", Inbox()), _player("bob", "k"), _player("carl", "")
    for player in (alice, bob, carl):
        roster.add(player)
    assert roster.get("bob") is bob
    assert roster.live("bob") is None
    assert roster.live("alice") is alice
    assert roster.with_key("k") == [alice, bob]
    assert roster.with_key("") == []
    roster.remove(alice)
    roster.remove(bob)
    assert roster.with_key("k") == []
    assert list(roster) == [carl]
    assert not roster._by_key


def test_a_name_is_given_once() -> None:
    roster = Roster()
    roster.add(_player("alice"))
    with pytest.raises(ValueError, match="taken"):
        roster.add(_player("alice"))


def test_a_reseated_player_is_last_and_found_by_the_new_key() -> None:
    roster = Roster()
    alice, bob = _player("alice", "old"), _player("bob")
    roster.add(alice)
    roster.add(bob)
    roster.reseat(alice, lambda player: setattr(player, "key", "new"))
    assert [player.name for player in roster] == ["bob", "alice"]
    assert roster.with_key("old") == []
    assert roster.with_key("new") == [alice]


def test_games_are_found_by_name_and_room_until_they_end() -> None:
    board = GameBoard()
    one, two = _game("one", "r1"), _game("two", "r2")
    board.add(one)
    board.add(two)
    assert board.get("one") is board.in_room("r1") is one
    with pytest.raises(ValueError, match="listed"):
        board.add(_game("one", "r3"))
    board.remove(one)
    assert one.ended
    assert board.get("one") is board.in_room("r1") is None
    assert list(board) == [two]


def test_the_owners_key_does_not_tell_his_secret() -> None:
    assert owner_key("") == ""
    assert len(owner_key("secret")) == 64
    assert owner_key("secret") != owner_key("secret2")
    assert owner_key("\udcff")


class Asked:
    """A live player, and a probe that notes its answer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.inbox = Inbox()
        self.player = _player("alice", inbox=self.inbox)
        self.answers: list[bool] = []
        self.probe = LivenessProbe(self.player, self.agenda, 3, self.answers.append)

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.agenda.run_due()


def test_a_probe_asks_and_waits() -> None:
    asked = Asked()
    asked.probe.ask()
    assert asked.inbox.got == [Probe()]
    assert asked.player.probe is asked.probe
    asked.wait(2.9)
    assert asked.answers == []
    asked.wait(0.2)
    assert asked.answers == [False]
    assert asked.player.probe is None


def test_it_answers_once() -> None:
    asked = Asked()
    asked.probe.settle(True)
    asked.probe.settle(False)
    asked.wait(5)
    assert asked.answers == [True]
    assert len(asked.agenda) == 0


def test_settled_before_it_asked_it_does_not_ask() -> None:
    asked = Asked()
    asked.probe.settle(False)
    asked.probe.ask()
    assert asked.inbox.got == []


def test_an_abandoned_probe_answers_nobody() -> None:
    asked = Asked()
    asked.probe.abandon()
    asked.wait(5)
    assert asked.answers == []
    assert asked.player.probe is None


def test_one_question_at_a_time_and_to_the_living() -> None:
    asked = Asked()
    with pytest.raises(ValueError, match="not to be probed"):
        LivenessProbe(asked.player, asked.agenda, 3, asked.answers.append)
    with pytest.raises(ValueError, match="not to be probed"):
        LivenessProbe(_player("bob"), asked.agenda, 3, asked.answers.append)
