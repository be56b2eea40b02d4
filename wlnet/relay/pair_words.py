"""Why a relayed pair is refused or ends, in the words that go over the wire; what its carriers can do."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from wlnet.metrics import Limit
from wlnet.steering.model import Side


class Refusal(StrEnum):
    """Why a ticket does not make its holder a side (docs/protocols/pairs.md, "Reasons")."""

    VERSION = "VERSION"
    BAD_TICKET = "BAD_TICKET"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    FORGED = "FORGED"
    WRONG_SCOPE = "WRONG_SCOPE"
    EXPIRED = "EXPIRED"
    ENDED = "ENDED"
    TAKEN = "TAKEN"
    FULL = "FULL"
    ADDRESS_FULL = "ADDRESS_FULL"
    BUSY = "BUSY"
    BANNED = "BANNED"
    STOPPING = "STOPPING"
    UNKNOWN = "UNKNOWN"
    """No side of that handle comes from there."""


class Ending(StrEnum):
    """Why a side, or the pair, is no more."""

    CLOSED = "CLOSED"
    PEER_CLOSED = "PEER_CLOSED"
    MOVED = "MOVED"
    IDLE = "IDLE"
    LIFETIME = "LIFETIME"
    TRANSFER = "TRANSFER"
    REVOKED = "REVOKED"
    BANNED = "BANNED"
    STOPPING = "STOPPING"


class RefusedError(Exception):
    """A ticket is not accepted."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Carrier(Protocol):
    """How datagrams get to one side, from the moment it is bound until it moves or ends."""

    @property
    def origin(self) -> object:
        """Equal for two arrivals exactly if they came the same way from the same place."""

    def deliver(self, payload: bytes) -> bool:
        """Pass one datagram on; False if it had to be dropped."""

    def end(self, ending: Ending) -> None:
        """Tell the side; nothing is delivered any more."""


class PairWatcher(Protocol):
    """Hears what becomes of pairs; for logs."""

    def bound(self, pair: str, side: Side, address: str) -> None:
        """A side is here, or is somewhere else now."""

    def refused(self, address: str, refusal: Refusal) -> None:
        """A ticket shown from *address* was not accepted."""

    def turned_away(self, address: str, limit: Limit) -> None:
        """A connection from *address* was closed because of *limit*."""

    def ended(self, pair: str, ending: Ending, transferred: int) -> None:
        """A pair is no more; *transferred* bytes went through it, headers included."""
