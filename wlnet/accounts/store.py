"""Accounts in a database (see :mod:`wlnet.accounts.interfaces` for what each method does)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from sqlalchemy import Connection, select
from zope.interface import implementer

from wlnet.accounts.database import SqlDatabase
from wlnet.accounts.digests import argon2_hash, argon2_matches, widelands_digest
from wlnet.accounts.errors import AccountExistsError, BadAccountError, NoSuchAccountError
from wlnet.accounts.interfaces import LONGEST_NAME, AccountEntry, IAccountStore
from wlnet.accounts.tables import ACCOUNTS, PASSWORD_HASHES, WIDELANDS_DIGESTS
from wlnet.lobby.names import name_problem
from wlnet.lobby.ports import Account, Permission

_DIGEST = re.compile(r"[0-9a-f]{40}")
_GIVEN = (Permission.REGISTERED, Permission.SUPERUSER)


@implementer(IAccountStore)
class SqlAccountStore:
    """The accounts of one database.

    :param name_length: characters a name may have (``limits.name_length``).
    :param password_length: UTF-8 bytes a password may have (``limits.nonce_length``: build 19 sends it in
        that field).
    :param wall: seconds since 1970.
    """

    def __init__(
        self,
        database: SqlDatabase,
        *,
        name_length: int,
        password_length: int,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._name_length = name_length
        self._password_length = password_length
        self._wall = wall

    def check(self) -> None:
        """See :class:`IAccountStore`."""
        with self._database.reading() as connection:
            connection.execute(select(ACCOUNTS.c.name).limit(1)).first()

    def find(self, name: str) -> Account | None:
        """See :class:`IAccountStore`."""
        if _impossible(name):
            return None
        joined = ACCOUNTS.outerjoin(WIDELANDS_DIGESTS, ACCOUNTS.c.name == WIDELANDS_DIGESTS.c.name)
        query = (
            select(ACCOUNTS.c.name, ACCOUNTS.c.permission, WIDELANDS_DIGESTS.c.sha1)
            .select_from(joined)
            .where(ACCOUNTS.c.name == name)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        digest = row.sha1.lower() if row.sha1 else ""
        return Account(row.name, _permission(row.permission), digest if _DIGEST.fullmatch(digest) else None)

    def names(self, limit: int) -> list[str]:
        """See :class:`IAccountStore`."""
        query = select(ACCOUNTS.c.name).order_by(ACCOUNTS.c.changed_at.desc()).limit(limit)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def entries(self) -> list[AccountEntry]:
        """See :class:`IAccountStore`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.name)).all()
        return [
            AccountEntry(
                name=row.name,
                permission=_permission(row.permission),
                created_at=row.created_at,
                changed_at=row.changed_at,
            )
            for row in rows
        ]

    def add(self, name: str, permission: Permission, password: str) -> None:
        """See :class:`IAccountStore`."""
        problem = name_problem(name, self._name_length)
        if problem is not None:
            raise BadAccountError(problem)
        _check_permission(permission)
        self._check_password(password)
        hashed = argon2_hash(password)
        now = self._wall()
        with self._database.writing() as connection:
            if _exists(connection, name):
                raise AccountExistsError(f"There is an account {name} already.")
            connection.execute(
                ACCOUNTS.insert().values(
                    name=name, permission=permission.value, created_at=now, changed_at=now
                )
            )
            _insert_credentials(connection, name, hashed, password)

    def remove(self, name: str) -> None:
        """See :class:`IAccountStore`."""
        _check_known_name(name)
        with self._database.writing() as connection:
            _delete_credentials(connection, name)
            if connection.execute(ACCOUNTS.delete().where(ACCOUNTS.c.name == name)).rowcount == 0:
                raise _no_such(name)

    def set_password(self, name: str, password: str) -> None:
        """See :class:`IAccountStore`."""
        _check_known_name(name)
        self._check_password(password)
        hashed = argon2_hash(password)
        with self._database.writing() as connection:
            if not _exists(connection, name):
                raise _no_such(name)
            _delete_credentials(connection, name)
            _insert_credentials(connection, name, hashed, password)
            connection.execute(
                ACCOUNTS.update().where(ACCOUNTS.c.name == name).values(changed_at=self._wall())
            )

    def set_permission(self, name: str, permission: Permission) -> None:
        """See :class:`IAccountStore`."""
        _check_known_name(name)
        _check_permission(permission)
        with self._database.writing() as connection:
            if not _exists(connection, name):
                raise _no_such(name)
            connection.execute(
                ACCOUNTS.update()
                .where(ACCOUNTS.c.name == name)
                .values(permission=permission.value, changed_at=self._wall())
            )

    def password_matches(self, name: str, password: str) -> bool:
        """See :class:`IAccountStore`."""
        if _impossible(name):
            return False
        query = select(PASSWORD_HASHES.c.argon2id).where(PASSWORD_HASHES.c.name == name)
        with self._database.reading() as connection:
            stored = connection.execute(query).scalar()
        return stored is not None and argon2_matches(stored, password)

    def close(self) -> None:
        """See :class:`IAccountStore`."""
        self._database.close()

    def _check_password(self, password: str) -> None:
        if not password:
            raise BadAccountError("The password is empty.")
        if not password.isprintable():  # the wire ends a field at NUL, a terminal or a file a line at newline
            raise BadAccountError("The password has characters in it that cannot be shown or typed.")
        if len(password.encode()) > self._password_length:
            raise BadAccountError(f"The password is longer than {self._password_length} bytes.")


def _impossible(name: str) -> bool:
    # Not the configured length: an account made under an older, longer limit stays one.
    return name_problem(name, LONGEST_NAME) is not None


def _check_known_name(name: str) -> None:
    if _impossible(name):
        raise NoSuchAccountError(f'There is no account "{ascii(name)[1:-1]}", nor can there be one.')


def _exists(connection: Connection, name: str) -> bool:
    return connection.execute(select(ACCOUNTS.c.name).where(ACCOUNTS.c.name == name)).first() is not None


def _delete_credentials(connection: Connection, name: str) -> None:
    connection.execute(PASSWORD_HASHES.delete().where(PASSWORD_HASHES.c.name == name))
    connection.execute(WIDELANDS_DIGESTS.delete().where(WIDELANDS_DIGESTS.c.name == name))


def _insert_credentials(connection: Connection, name: str, hashed: str, password: str) -> None:
    connection.execute(PASSWORD_HASHES.insert().values(name=name, argon2id=hashed))
    connection.execute(WIDELANDS_DIGESTS.insert().values(name=name, sha1=widelands_digest(password)))


def _check_permission(permission: Permission) -> None:
    if permission not in _GIVEN:
        raise BadAccountError(f"An account is REGISTERED or SUPERUSER, not {permission}.")


def _permission(text: str) -> Permission:
    # Whatever else a hand-edited database says must not make a superuser, nor keep others from logging in.
    return Permission.SUPERUSER if text == Permission.SUPERUSER else Permission.REGISTERED


def _no_such(name: str) -> NoSuchAccountError:
    return NoSuchAccountError(f"There is no account {name} (capital and small letters count).")
