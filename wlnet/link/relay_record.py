"""What the lobby's end remembers about one relay, linked or lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wlnet.agenda import Appointment
from wlnet.link.addresses import OwnAddress, RelayPlace, told_addresses, told_addresses_elsewhere
from wlnet.link.channel import Ending
from wlnet.link.messages import FromLobby


class Connection(Protocol):
    """One connection of a relay."""

    @property
    def peer(self) -> str:
        """The relay's address."""

    @property
    def same_machine(self) -> bool:
        """True if the relay runs on the lobby's machine."""

    def tell(self, message: FromLobby) -> None:
        """Send a message, if the relay is accepted; otherwise the lists it will get say it all."""

    def end(self, ending: Ending) -> None:
        """Close."""


class Pending(Struct, frozen=True):
    """A room a relay was asked to open."""

    room_id: str
    answer: Callable[[bool], None]
    timer: Appointment


class RelayRecord:
    """One relay, by its name.

    :ivar link: the connection it has now, or None.
    :ivar found: its list of rooms has arrived on that connection.
    :ivar rooms: ids of its rooms as far as known.
    :ivar unwanted: rooms to be closed when it is back.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.instance = ""
        self.link: Connection | None = None
        self.found = False
        self.place = RelayPlace()
        self.capacity = 0
        self.rooms: set[str] = set()
        self.unwanted: set[str] = set()
        self.pending: dict[int, Pending] = {}
        self.forgetting: Appointment | None = None

    @property
    def load(self) -> int:
        """Rooms it has or is asked to open."""
        return len(self.rooms) + len(self.pending)

    def addresses(self, reached_at: str, own: OwnAddress) -> tuple[str, ...]:
        """What a player is told who reached the lobby at *reached_at*; empty without a link."""
        if self.link is None:
            return ()
        if self.link.same_machine:
            return told_addresses(self.place, reached_at, own)
        return told_addresses_elsewhere(self.place, reached_at, self.link.peer)
