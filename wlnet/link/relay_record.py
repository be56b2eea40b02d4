"""What the lobby's end remembers about one relay, linked or lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wlnet.agenda import Appointment
from wlnet.link.addresses import OwnAddress, RelayPlace, told_addresses, told_addresses_elsewhere
from wlnet.link.channel import Ending
from wlnet.link.messages import FromLobby, Hello, PairPorts, StunPorts


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
    :ivar pairs: where it carries pairs, as it said last; None: nowhere.
    :ivar stun: where it answers STUN; None: nowhere.
    :ivar pair_load: pairs it carries: those it told of, and those given to it since.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.instance = ""
        self.link: Connection | None = None
        self.found = False
        self.place = RelayPlace()
        self.capacity = 0
        self.pairs: PairPorts | None = None
        self.stun: StunPorts | None = None
        self.pair_load = 0
        self._peer = ""
        self._near = False
        self.rooms: set[str] = set()
        self.unwanted: set[str] = set()
        self.pending: dict[int, Pending] = {}
        self.forgetting: Appointment | None = None

    @property
    def load(self) -> int:
        """Rooms it has or is asked to open."""
        return len(self.rooms) + len(self.pending)

    def introduced(self, hello: Hello, link: Connection) -> None:
        """It has said what it is, on *link*."""
        self.place = RelayPlace(public=hello.public, listen=hello.listen, own=hello.own)
        self.capacity = hello.capacity
        self.pairs = hello.pairs
        self.stun = hello.stun
        self.pair_load = 0
        self._peer = link.peer
        self._near = link.same_machine

    def addresses(self, reached_at: str, own: OwnAddress) -> tuple[str, ...]:
        """What a player is told who reached the lobby at *reached_at*; empty without a link."""
        if self.link is None:
            return ()
        return self._told(self.place, reached_at, own)

    def addresses_of(self, ports: PairPorts | StunPorts, reached_at: str, own: OwnAddress) -> tuple[str, ...]:
        """The same for pairs and STUN, and while the link is down as well: they do not need it."""
        place = RelayPlace(public=self.place.public, listen=ports.listen, own=self.place.own)
        return self._told(place, reached_at, own)

    def _told(self, place: RelayPlace, reached_at: str, own: OwnAddress) -> tuple[str, ...]:
        if self._near:
            return told_addresses(place, reached_at, own)
        return told_addresses_elsewhere(place, reached_at, self._peer)
