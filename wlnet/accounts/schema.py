"""How a database gets its tables: numbered steps, each run once, all of those missing in one transaction.

A later schema is a further function at the end of ``_STEPS``; a step that was ever released is never
changed again, since databases made by it exist. Steps are plain DDL for that reason: they do not follow
``tables.py``.

SQLite and PostgreSQL run DDL in transactions, so that a crash or two programs starting at once leave either
no tables or all of them. MariaDB does not; there the first start must not be interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, inspect, select, text

from wlnet.accounts.errors import SchemaTooNewError
from wlnet.accounts.tables import SCHEMA_VERSION


def _accounts_and_sanctions(connection: Connection) -> None:
    names = "VARCHAR(255)"
    if connection.dialect.name in ("mysql", "mariadb"):
        # Names are compared byte for byte; the usual collations there take Peter and peter for one.
        names += " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    time_type = "DOUBLE PRECISION"
    statements = (
        f"""CREATE TABLE accounts (
                name {names} NOT NULL PRIMARY KEY,
                permission VARCHAR(20) NOT NULL CHECK (permission IN ('REGISTERED', 'SUPERUSER')),
                created_at {time_type} NOT NULL,
                changed_at {time_type} NOT NULL)""",
        f"""CREATE TABLE password_hashes (
                name {names} NOT NULL PRIMARY KEY,
                argon2id VARCHAR(255) NOT NULL,
                FOREIGN KEY (name) REFERENCES accounts (name) ON DELETE CASCADE)""",
        f"""CREATE TABLE widelands_digests (
                name {names} NOT NULL PRIMARY KEY,
                sha1 VARCHAR(40) NOT NULL,
                FOREIGN KEY (name) REFERENCES accounts (name) ON DELETE CASCADE)""",
        f"""CREATE TABLE sanctions (
                id VARCHAR(64) NOT NULL PRIMARY KEY,
                kind VARCHAR(20) NOT NULL,
                target VARCHAR(20) NOT NULL,
                value {names} NOT NULL,
                reason TEXT NOT NULL,
                imposed_by {names} NOT NULL,
                created_at {time_type} NOT NULL,
                expires_at {time_type},
                lifted_at {time_type},
                lifted_by {names})""",
        "CREATE INDEX sanctions_in_force ON sanctions (lifted_at, expires_at)",
        "CREATE TABLE changes (subject VARCHAR(64) NOT NULL PRIMARY KEY, counter BIGINT NOT NULL)",
    )
    for statement in statements:
        connection.execute(text(statement))
    # Not from 0: a server must notice that its database was replaced by a new one.
    connection.execute(
        text("INSERT INTO changes (subject, counter) VALUES ('sanctions', :start)"),
        {"start": time.time_ns() // 1_000_000},
    )


_STEPS: tuple[Callable[[Connection], None], ...] = (_accounts_and_sanctions,)

VERSION = len(_STEPS)
"""The version this program makes and needs."""


def found_version(connection: Connection) -> int:
    """The version of the database, 0 for one without our tables."""
    if not inspect(connection).has_table(SCHEMA_VERSION.name):
        return 0
    return connection.execute(select(SCHEMA_VERSION.c.version)).scalar() or 0


def upgrade(connection: Connection, steps: tuple[Callable[[Connection], None], ...] = _STEPS) -> int:
    """Take the steps the database lacks, inside the caller's (writing) transaction; returns how many.

    :raises SchemaTooNewError: it has more steps than this program knows.
    """
    found = found_version(connection)
    if found > len(steps):
        raise SchemaTooNewError(
            f"The database has schema version {found}, this program knows versions up to {len(steps)}: "
            "a newer wlnet made it. Run that newer version, or restore a back-up made before the upgrade."
        )
    if found == len(steps):
        return 0
    if found == 0:
        connection.execute(
            text(
                "CREATE TABLE schema_version "
                "(one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)"
            )
        )
        connection.execute(SCHEMA_VERSION.insert().values(one=1, version=0))
    for step in steps[found:]:
        step(connection)
    connection.execute(SCHEMA_VERSION.update().values(version=len(steps)))
    return len(steps) - found
