"""Games: what is listed, who hosts it, how far it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from wlnet.lobby.ports import RoomCard

if TYPE_CHECKING:
    from wlnet.agenda import Appointment
    from wlnet.lobby.player import Player


class GameState(Enum):
    """How far a game is."""

    OPENING = auto()
    """Announced; nobody can join yet (the host has not reached the relay, or cannot be reached)."""
    SETUP = auto()
    """Players may join."""
    RUNNING = auto()


class Carrier(Enum):
    """What carries a game's traffic."""

    RELAY = auto()
    HOST = auto()
    """The host's own machine, reached directly (build 19)."""
    PEER = auto()
    """The players' own machines, over paths the rendezvous finds; no unextended client can join these."""


@dataclass(slots=True, eq=False)
class Game:
    """One game.

    :ivar room_id: names the game's room at the relay, and the game itself in logs.
    :ivar host: the player whose game it is; None after a restart of the lobby until he is back.
    :ivar owner_key: see :func:`owner_key`.
    :ivar relay: the relay that carries it; None while that is not known.
    :ivar host_gone: the host said he left; the relay has not reported the end yet.
    :ivar started: the host said that play begins.
    :ivar on_end: called once when it was taken off the board and nobody's list names it any more.
    """

    room_id: str
    name: str
    build: str
    carrier: Carrier
    host: Player | None
    host_name: str
    owner_key: str
    state: GameState = GameState.OPENING
    ended: bool = False
    host_gone: bool = False
    started: bool = False
    relay: str | None = None
    timer: Appointment | None = field(default=None, repr=False)
    on_end: Callable[[], None] | None = field(default=None, repr=False)

    def card(self) -> RoomCard:
        """What the relay keeps for us."""
        return RoomCard(
            game=self.name,
            host=self.host_name,
            build=self.build,
            owner_key=self.owner_key,
            running=self.state is GameState.RUNNING,
        )

    def stop_timer(self) -> None:
        """No appointment of this game any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class GameBoard:
    """All listed games by name and by room, in the order they were opened."""

    def __init__(self) -> None:
        self._by_name: dict[str, Game] = {}
        self._by_room: dict[str, Game] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Game]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Game | None:
        """The listed game of that name."""
        return self._by_name.get(name)

    def in_room(self, room_id: str) -> Game | None:
        """The listed game of that room."""
        return self._by_room.get(room_id)

    def add(self, game: Game) -> None:
        """List a game; its name must be free."""
        if game.name in self._by_name:
            raise ValueError(f"game {game.name!r} is listed already")
        self._by_name[game.name] = game
        self._by_room[game.room_id] = game

    def remove(self, game: Game) -> None:
        """The game is over; :attr:`Game.ended` says so to those who still point at it."""
        del self._by_name[game.name]
        del self._by_room[game.room_id]
        game.ended = True
        game.stop_timer()


def owner_key(key: str) -> str:
    """What a relay may know of the host's reclaim secret; "" for a host without one."""
    return (
        hashlib.sha256(b"wlnet game owner\0" + key.encode("utf-8", "surrogateescape")).hexdigest()
        if key
        else ""
    )
