"""Players: who is in the lobby, who was cut off and may come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wlnet.lobby.events import Inbox
from wlnet.lobby.ports import Permission

if TYPE_CHECKING:
    from wlnet.agenda import Appointment
    from wlnet.limits.buckets import TokenBucket
    from wlnet.lobby.game import Game
    from wlnet.lobby.probe import LivenessProbe


@dataclass(slots=True, eq=False)
class Player:
    """One seat in the lobby. It outlives its connection: ``inbox`` is None while that is lost.

    :ivar key: the reclaim secret: whoever logs in with the same one is the same person; "" is nobody's.
    :ivar dialect: the protocol version the player's client speaks.
    :ivar session: identifies the connection in logs.
    :ivar game: the game the player is in or was in last; it may have ended meanwhile.
    """

    name: str
    key: str
    build: str
    dialect: int
    permission: Permission
    account: str | None
    address: str
    session: str
    inbox: Inbox | None
    game: Game | None = None
    announced: bool = False
    announcing: Appointment | None = field(default=None, repr=False)
    forgetting: Appointment | None = field(default=None, repr=False)
    probe: LivenessProbe | None = field(default=None, repr=False)
    chat_bucket: TokenBucket | None = field(default=None, repr=False)

    @property
    def live(self) -> bool:
        """A connection is there."""
        return self.inbox is not None

    @property
    def is_superuser(self) -> bool:
        """May moderate."""
        return self.permission is Permission.SUPERUSER

    @property
    def game_name(self) -> str:
        """The name of the player's game, or ""."""
        return self.game.name if self.game is not None else ""


class Roster:
    """All players by name and by key, in the order of their logins (a returning one moves to the end)."""

    def __init__(self) -> None:
        self._by_name: dict[str, Player] = {}
        self._by_key: dict[str, list[Player]] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Player]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Player | None:
        """The player of that name, live or lost."""
        return self._by_name.get(name)

    def live(self, name: str) -> Player | None:
        """The player of that name, if a connection is there."""
        player = self._by_name.get(name)
        return player if player is not None and player.live else None

    def with_key(self, key: str) -> list[Player]:
        """Everybody with that reclaim secret; nobody has the empty one."""
        return list(self._by_key.get(key, ())) if key else []

    def add(self, player: Player) -> None:
        """Seat a player; the name must be free."""
        if player.name in self._by_name:
            raise ValueError(f"name {player.name!r} is taken")
        self._by_name[player.name] = player
        self._index(player)

    def remove(self, player: Player) -> None:
        """Free the seat."""
        del self._by_name[player.name]
        self._unindex(player)

    def reseat(self, player: Player, change: Callable[[Player], None]) -> None:
        """Let *change* give the seat to a new connection (key, inbox ...) and move it to the end."""
        self.remove(player)
        try:
            change(player)
        finally:
            self.add(player)

    def _index(self, player: Player) -> None:
        if player.key:
            self._by_key.setdefault(player.key, []).append(player)

    def _unindex(self, player: Player) -> None:
        if player.key:
            same = self._by_key[player.key]
            same.remove(player)
            if not same:
                del self._by_key[player.key]
