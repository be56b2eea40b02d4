"""What the lobby needs from others, as it sees them: the relay, the accounts, the bans, the prober.

Every answer comes by callback, at once or later, exactly once; the lobby waits for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Permission(StrEnum):
    """What somebody in the lobby may do; the values are the words clients know."""

    UNREGISTERED = "UNREGISTERED"
    REGISTERED = "REGISTERED"
    SUPERUSER = "SUPERUSER"
    IRC = "IRC"


class Account(Struct, frozen=True):
    """What a login needs to know of an account.

    ``widelands_digest`` is the lower-case hex SHA-1 of the password (the Widelands challenge cannot do
    with less); None if the account cannot be used with that challenge.
    """

    name: str
    permission: Permission
    widelands_digest: str | None


class AccountsUnavailableError(Exception):
    """The accounts could not be asked (database slow, down, or too many questions waiting)."""


class AccountsPort(Protocol):
    """Where accounts are looked up. The answer is an account, None (there is none) or a failure."""

    def find(self, name: str, answer: Callable[[Account | AccountsUnavailableError | None], None]) -> None:
        """Look up the account called exactly *name*."""

    def was_account(self, name: str) -> bool:
        """Whether *name* was seen to be an account's, for the time the accounts cannot be asked."""


class RoomCard(Struct, frozen=True, kw_only=True):
    """What the lobby wants back about a room after it restarted; the relay keeps it unread.

    ``owner_key`` is the SHA-256 hex of the host's reclaim secret, so that the returning host is known
    again without the relay learning the secret.
    """

    game: str
    host: str
    build: str
    owner_key: str
    running: bool = False


class RoomReport(Struct, frozen=True, kw_only=True):
    """One room as its relay describes it when lobby and relay compare notes."""

    room_id: str
    hosted: bool
    card: RoomCard


class RelayPort(Protocol):
    """The relay or relays, wherever they run.

    Room ids are made by the lobby and must never come twice, not even after the lobby restarted (a relay
    may still carry a room of the former lobby process): draw them at random, 64 bits or more.
    """

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        """One or two IP literals to tell a player whose lobby connection arrived at *reached_at*.

        The family of *reached_at* comes first. Empty if no relay is there. With several relays use
        :meth:`addresses_of_room` for a game that has its room already.
        """

    def addresses_of_room(self, room_id: str, reached_at: str) -> tuple[str, ...]:
        """The same for the relay that has room *room_id*; empty: no such room, or its relay is away."""

    def relay_of(self, room_id: str) -> str | None:
        """The name of the relay that has room *room_id*, also while its link is down; None: no such room."""

    def open_room(self, room_id: str, password: str, card: RoomCard, answer: Callable[[bool], None]) -> None:
        """Open room *room_id* for the game ``card.game``; *password* makes the host. False: refused, away."""

    def update_card(self, room_id: str, card: RoomCard) -> None:
        """Replace the card of a room; unknown rooms are ignored."""

    def close_room(self, room_id: str) -> None:
        """End a room and disconnect everybody in it; unknown rooms are ignored."""

    def drop_from_room(self, game: str, address: str) -> None:
        """Disconnect the members of a game's room that come from *address* (a kicked player)."""


class RelayEvents(Protocol):
    """What the relay side tells the lobby."""

    def room_hosted(self, room_id: str) -> None:
        """The host has reached its room."""

    def room_closed(self, room_id: str) -> None:
        """The room is gone, for whatever reason."""

    def relay_found(self, relay: str, rooms: list[RoomReport]) -> None:
        """The relay called *relay* is (again) there, and these are all its rooms.

        The list is the truth for that relay: rooms of it the lobby knows that are not in the list are gone,
        rooms in the list the lobby does not know are to be adopted (the lobby restarted).
        """

    def relay_lost(self, relay: str) -> None:
        """The relay called *relay* cannot be reached; its rooms may or may not live on."""


class ProberPort(Protocol):
    """Tests whether a host's own machine can be reached (build 19 games)."""

    def probe(self, address: str, timeout: float, answer: Callable[[bool], None]) -> None:
        """Connect back to *address* and see whether a game answers within *timeout* seconds."""
