"""Sanctions in a database (see :mod:`wlnet.moderation.interfaces` for what each method does).

Every change moves the counter of the row ``sanctions`` in the table ``changes``; a running server looks at
that one number to notice what another program did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection, Row, or_, select
from zope.interface import implementer

from wlnet.accounts.database import SqlDatabase
from wlnet.accounts.tables import CHANGES, SANCTIONS
from wlnet.moderation.interfaces import ISanctionStore, Saved, Snapshot
from wlnet.moderation.sanctions import Kind, Sanction, Target

_SUBJECT = "sanctions"
_AT_ONCE = 200
"""Identifiers in one query; databases limit the parameters of a statement."""


@implementer(ISanctionStore)
class SqlSanctionStore:
    """The sanctions of one database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def read(self, counter: int | None, now: float, limit: int) -> Snapshot | None:
        """See :class:`ISanctionStore`."""
        with self._database.reading() as connection:
            current = _counter(connection)
            if current == counter:
                return None
            query = (
                select(SANCTIONS)
                .where(SANCTIONS.c.lifted_at.is_(None))
                .where(or_(SANCTIONS.c.expires_at.is_(None), SANCTIONS.c.expires_at > now))
                .order_by(SANCTIONS.c.created_at.desc())
                .limit(limit)
            )
            rows = connection.execute(query).all()
        return Snapshot(counter=current, sanctions=tuple(_understood(rows)))

    def save(self, sanctions: Sequence[Sanction]) -> Saved:
        """See :class:`ISanctionStore`."""
        with self._database.writing() as connection:
            before = _counter(connection)
            known = _known(connection, [sanction.id for sanction in sanctions])
            for sanction in sanctions:
                if sanction.id not in known:
                    connection.execute(SANCTIONS.insert().values(**_columns(sanction)))
                    known.add(sanction.id)
                elif sanction.lifted_at is not None:
                    _lift(connection, sanction.id, sanction.lifted_by or "", sanction.lifted_at)
            _move_counter(connection)
            return Saved(before=before, after=before + 1)

    def lift(self, sanction_id: str, by: str, at: float) -> Sanction | None:
        """See :class:`ISanctionStore`."""
        with self._database.writing() as connection:
            if _lift(connection, sanction_id, by, at):
                _move_counter(connection)
            return _one(connection, sanction_id)

    def get(self, sanction_id: str) -> Sanction | None:
        """See :class:`ISanctionStore`."""
        with self._database.reading() as connection:
            return _one(connection, sanction_id)

    def history(self, limit: int) -> list[Sanction]:
        """See :class:`ISanctionStore`."""
        query = select(SANCTIONS).order_by(SANCTIONS.c.created_at.desc()).limit(limit)
        with self._database.reading() as connection:
            return list(_understood(connection.execute(query).all()))

    def close(self) -> None:
        """See :class:`ISanctionStore`."""
        self._database.close()


def _counter(connection: Connection) -> int:
    return connection.execute(select(CHANGES.c.counter).where(CHANGES.c.subject == _SUBJECT)).scalar() or 0


def _move_counter(connection: Connection) -> None:
    connection.execute(
        CHANGES.update().where(CHANGES.c.subject == _SUBJECT).values(counter=CHANGES.c.counter + 1)
    )


def _one(connection: Connection, sanction_id: str) -> Sanction | None:
    rows = connection.execute(select(SANCTIONS).where(SANCTIONS.c.id == sanction_id)).all()
    return next(_understood(rows), None)


def _known(connection: Connection, ids: Iterable[str]) -> set[str]:
    known: set[str] = set()
    left = iter(ids)
    while some := list(islice(left, _AT_ONCE)):
        known.update(connection.execute(select(SANCTIONS.c.id).where(SANCTIONS.c.id.in_(some))).scalars())
    return known


def _lift(connection: Connection, sanction_id: str, by: str, at: float) -> bool:
    changed = connection.execute(
        SANCTIONS.update()
        .where(SANCTIONS.c.id == sanction_id, SANCTIONS.c.lifted_at.is_(None))
        .values(lifted_at=at, lifted_by=by)
    )
    return changed.rowcount > 0


def _columns(sanction: Sanction) -> dict[str, str | float | None]:
    return {
        "id": sanction.id,
        "kind": sanction.kind.value,
        "target": sanction.target.value,
        "value": sanction.value,
        "reason": sanction.reason,
        "imposed_by": sanction.by,
        "created_at": sanction.created_at,
        "expires_at": sanction.expires_at,
        "lifted_at": sanction.lifted_at,
        "lifted_by": sanction.lifted_by,
    }


def _understood(rows: Iterable[Row[tuple[object, ...]]]) -> Iterator[Sanction]:
    for row in rows:
        try:
            kind, target = Kind(row.kind), Target(row.target)
        except ValueError:
            continue  # made by hand; one such row must not keep all others from being read
        yield Sanction(
            id=row.id,
            kind=kind,
            target=target,
            value=row.value,
            reason=row.reason,
            by=row.imposed_by,
            created_at=row.created_at,
            expires_at=row.expires_at,
            lifted_at=row.lifted_at,
            lifted_by=row.lifted_by,
        )
