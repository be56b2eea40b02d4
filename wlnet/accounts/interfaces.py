"""What a store of accounts is. The server needs ``check``, ``find``, ``names``; the command line the rest."""

# ruff: noqa: N805  (methods of a zope.interface are declared without self)

from __future__ import annotations

from msgspec import Struct
from zope.interface import Interface

from wlnet.lobby.ports import Account, Permission

LONGEST_NAME = 255
"""Characters of a name a store has room for; ``limits.name_length`` may allow less."""


class AccountEntry(Struct, frozen=True, kw_only=True):
    """An account as an operator sees it. Times are seconds since 1970."""

    name: str
    permission: Permission
    created_at: float
    changed_at: float


class IAccountStore(Interface):
    """Accounts, somewhere. Every method may block: call it in a thread, from any number of them.

    All raise :class:`~wlnet.accounts.errors.DatabaseUnavailableError` when the store cannot be asked.
    Names are compared byte for byte.
    """

    def check() -> None:
        """Make the store ready for use if it is not, and see that it answers."""

    def find(name: str) -> Account | None:
        """The account called exactly *name*."""

    def names(limit: int) -> list[str]:
        """Names of accounts, the last changed ones first, at most *limit*."""

    def entries() -> list[AccountEntry]:
        """All accounts by name."""

    def add(name: str, permission: Permission, password: str) -> None:
        """Make an account.

        :raises AccountExistsError: the name is taken.
        :raises BadAccountError: no such name, permission or password is possible.
        """

    def remove(name: str) -> None:
        """Remove an account with all credentials.

        :raises NoSuchAccountError: there is none.
        """

    def set_password(name: str, password: str) -> None:
        """Replace all credentials of an account.

        :raises NoSuchAccountError: there is none.
        :raises BadAccountError: no such password is possible.
        """

    def set_permission(name: str, permission: Permission) -> None:
        """Change what an account may do.

        :raises NoSuchAccountError: there is none.
        :raises BadAccountError: not REGISTERED or SUPERUSER.
        """

    def password_matches(name: str, password: str) -> bool:
        """Check a password itself (not the answer to a challenge); False if there is no such account."""

    def close() -> None:
        """Give connections back; the store opens new ones if it is used again."""
