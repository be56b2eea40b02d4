"""What a store of sanctions is."""

# ruff: noqa: N805  (methods of a zope.interface are declared without self)

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from zope.interface import Interface

from wlnet.moderation.sanctions import Sanction


class Snapshot(Struct, frozen=True, kw_only=True):
    """What is in force, and the state of the store's change counter when it was read."""

    counter: int
    sanctions: tuple[Sanction, ...]


class Saved(Struct, frozen=True, kw_only=True):
    """The change counter before and after a save."""

    before: int
    after: int


class ISanctionStore(Interface):
    """Sanctions, somewhere, with all history. Every method may block: call it in a thread.

    All raise :class:`~wlnet.accounts.errors.DatabaseUnavailableError` when the store cannot be asked.
    """

    def read(counter: int | None, now: float, limit: int) -> Snapshot | None:
        """What is in force at *now*, at most *limit*, the latest first.

        None if nothing changed since the change counter was *counter*.
        """

    def save(sanctions: Sequence[Sanction]) -> Saved:
        """Write sanctions down, all or none.

        Saving one again does no harm, and a lifted one stays lifted whatever an older copy says.
        """

    def lift(sanction_id: str, by: str, at: float) -> Sanction | None:
        """Lift one that is not; returns it as it is now, None if there is none of that id.

        If it had been lifted before, it is returned with that first time.
        """

    def get(sanction_id: str) -> Sanction | None:
        """The one of that id, in force or not."""

    def history(limit: int) -> list[Sanction]:
        """All there ever were, the latest first, at most *limit*."""

    def close() -> None:
        """Give connections back; the store opens new ones if it is used again."""
