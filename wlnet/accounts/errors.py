"""What can go wrong with the database and with accounts; every message is a sentence for the operator."""

from __future__ import annotations


class DatabaseUnavailableError(Exception):
    """The database cannot be used now: away, slow, locked, damaged, of the wrong version."""


class SchemaTooNewError(DatabaseUnavailableError):
    """The database was made by a newer program."""


class DatabaseUrlError(ValueError):
    """The configured URL can never work."""


class AccountExistsError(Exception):
    """There is an account of that name."""


class NoSuchAccountError(Exception):
    """There is no account of that name."""


class BadAccountError(ValueError):
    """Such a name, password or permission is not possible."""
