"""What a relay writes down about its rooms and peers; the shell makes log lines of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wlnet.relay.peer import Peer
    from wlnet.relay.room import Room


class Journal(Protocol):
    """Told after the fact; must not call back into the relay."""

    def room_opened(self, room: Room) -> None:
        """A room waits for its host."""

    def room_hosted(self, room: Room, host: Peer) -> None:
        """Its host is there."""

    def room_closed(self, room: Room, why: str) -> None:
        """It is gone. *why* is a short text of our own."""

    def joined(self, room: Room, client: Peer) -> None:
        """A client has joined."""

    def left(self, peer: Peer, why: str) -> None:
        """A peer has left its room or was disconnected before it had one. *why*: a text of our own."""


class NoJournal:
    """Writes nothing."""

    def room_opened(self, room: Room) -> None:
        """Nothing."""

    def room_hosted(self, room: Room, host: Peer) -> None:
        """Nothing."""

    def room_closed(self, room: Room, why: str) -> None:
        """Nothing."""

    def joined(self, room: Room, client: Peer) -> None:
        """Nothing."""

    def left(self, peer: Peer, why: str) -> None:
        """Nothing."""
