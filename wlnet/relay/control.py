"""How a relay is steered and what it reports: the seam between relay, lobby and the link between them."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class RoomInfo(Struct, frozen=True, kw_only=True):
    """One room as seen from outside. ``card`` is the lobby's own note about it, unread by the relay."""

    room_id: str
    game: str
    hosted: bool
    card: str


class RelayControl(Protocol):
    """What may be asked of a relay. Every call is carried out at once."""

    def open_room(self, room_id: str, game: str, password: str, card: str) -> bool:
        """Open a room for *game*; whoever says Hello with *password* first becomes its host.

        False: a room of that id or game exists, or there are too many.
        """

    def update_card(self, room_id: str, card: str) -> None:
        """Replace the note kept with a room; unknown rooms are ignored."""

    def close_room(self, room_id: str) -> None:
        """Disconnect everybody in a room and remove it; unknown rooms are ignored.

        The observer is told (``room_closed``) as for any other end of a room.
        """

    def drop_from_room(self, game: str, address: str) -> None:
        """Disconnect the members of a game's room that come from *address*."""

    def drop_address(self, address: str) -> None:
        """Disconnect everybody whose address has the same limit key as *address* (a ban)."""

    def drop_network(self, network: str) -> None:
        """Disconnect everybody from a network in CIDR notation (a ban)."""

    def rooms(self) -> list[RoomInfo]:
        """All rooms."""


class PairControl(Protocol):
    """What may be asked of a relay of pairs."""

    def revoke(self, pair: str) -> None:
        """End a pair at once and accept no ticket for it any more, even if nobody has shown one yet."""


class RelayObserver(Protocol):
    """What a relay tells."""

    def room_hosted(self, room_id: str) -> None:
        """A host has said Hello with the right password (called before its Welcome is sent)."""

    def room_closed(self, room_id: str) -> None:
        """A room is gone: host left, nobody came, closed from outside. Exactly once a room."""
