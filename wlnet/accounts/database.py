"""The one database of a server: where it is, connections with the right settings, errors in plain words.

Accounts and sanctions share it. Everything here blocks; servers call it in threads.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from wlnet.accounts.errors import DatabaseUnavailableError, DatabaseUrlError
from wlnet.accounts.schema import VERSION, found_version, upgrade
from wlnet.config import schema

_WRITES = "wlnet_writes"
_KEEPERS = 2


def resolve_url(database: schema.Database, server: schema.Server) -> URL:
    """The database's URL, a relative SQLite path made absolute below ``server.state_dir``.

    :raises DatabaseUrlError: that URL can never work.
    """
    try:
        url = make_url(database.url)
    except ArgumentError:
        # Not the URL itself: it may have a password in it.
        raise DatabaseUrlError(
            'database.url is no SQLAlchemy URL; write for example "sqlite:///wlnet.sqlite3" or '
            '"postgresql+psycopg://user:password@host/database".'
        ) from None
    if url.get_backend_name() != "sqlite":
        return url
    if url.drivername not in ("sqlite", "sqlite+pysqlite") or url.query:
        raise DatabaseUrlError('database.url: write a SQLite database as "sqlite:///PATH", without options.')
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise DatabaseUrlError(
            'database.url: SQLite needs the path of a file, for example "sqlite:///wlnet.sqlite3".'
        )
    return url.set(database=str((Path(server.state_dir) / url.database).absolute()))


def open_database(database: schema.Database, server: schema.Server) -> SqlDatabase:
    """The configured database; nothing is connected yet.

    :raises DatabaseUrlError: that URL can never work.
    """
    # A connection for every thread: those that look up accounts, and those that keep the sanctions.
    return SqlDatabase(
        resolve_url(database, server), timeout=database.timeout, connections=database.threads + _KEEPERS
    )


class SqlDatabase:
    """A database by SQLAlchemy Core.

    :param url: from :func:`resolve_url`.
    :param timeout: seconds to wait for a lock or a free connection.
    :param connections: connections at a time; as many as threads use it.
    :raises DatabaseUrlError: the driver for that URL is not installed.
    """

    def __init__(self, url: URL, *, timeout: float, connections: int) -> None:
        self._url = url
        self._timeout = timeout
        self._path = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        self._preparing = threading.Lock()
        self._prepared = False
        self._seen = False
        self._engine = self._make_engine(connections)

    @property
    def place(self) -> str:
        """Where it is, for messages; without the password."""
        return str(self._path) if self._path else self._url.render_as_string(hide_password=True)

    def check_folder(self) -> None:
        """See whether a SQLite file can be written at all, which a server wants to know before it starts.

        :raises PermissionError: it cannot; the message says what to do.
        """
        folder = self._path.parent if self._path is not None else None
        if folder is not None and folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(
                f"no right to write in {folder}, where the database is to be: give this user that right, or "
                "correct server.state_dir or database.url."
            )

    def prepare(self) -> None:
        """Create or upgrade the tables if that is not done; cheap afterwards.

        A SQLite file is created (mode 0600) if it is missing, but not again if it vanishes later.

        :raises SchemaTooNewError: a newer program made the database.
        :raises DatabaseUnavailableError: it cannot be used, see the message.
        """
        if self._prepared:
            return
        if not self._preparing.acquire(timeout=self._timeout):
            raise DatabaseUnavailableError(f"The database {self.place} does not answer.")
        try:
            if self._path is not None and not self._seen:
                self._create_file(self._path)
            with self._errors():
                # Looking first needs no write lock: programs that only read do not wait for a writer.
                with self._engine.connect() as connection, connection.begin():
                    current = found_version(connection) == VERSION
                if not current:
                    with self._writing_connection() as connection:
                        upgrade(connection)
            self._prepared = self._seen = True
        finally:
            self._preparing.release()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction that does not write.

        :raises DatabaseUnavailableError: also for an error inside the block.
        """
        self.prepare()
        with self._errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that writes: committed at the end, nothing of it on an error.

        :raises DatabaseUnavailableError: also for an error inside the block.
        """
        self.prepare()
        with self._errors(), self._writing_connection() as connection:
            yield connection

    def close(self) -> None:
        """Close the connections not in use."""
        self._engine.dispose()

    @contextmanager
    def _writing_connection(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self._engine.dispose()  # what was open may belong to a file or server that is no more
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise DatabaseUnavailableError(
                f"The database {self.place} cannot be used: {reason}.{self._advice(reason)}"
            ) from error

    def _advice(self, reason: str) -> str:
        if self._path is None:
            return " See that it runs, and that database.url is right."
        if "locked" in reason:
            return " Another program holds it; wait for that to end."
        if "not a database" in reason or "malformed" in reason:
            return " The file is damaged: stop the server, restore a back-up in its place, start again."
        if "unable to open" in reason and not self._path.exists():
            return (
                " The file is missing: restore a back-up, or restart the server to begin with an empty one."
            )
        if "unable to open" in reason or "readonly" in reason or "Permission" in reason:
            return " See that this user may read and write the file and its folder."
        if "full" in reason:
            return " Make room on the disk."
        return ""

    def _make_engine(self, connections: int) -> Engine:
        options: dict[str, Any] = {
            "pool_size": connections,
            "max_overflow": 0,
            "pool_timeout": self._timeout,
            "hide_parameters": True,  # digests must not reach a log by way of an error text
        }
        try:
            if self._path is None:
                return create_engine(self._url, pool_pre_ping=True, **options)
            engine = create_engine("sqlite://", creator=self._connect_sqlite, **options, poolclass=QueuePool)
        except (ImportError, NoSuchModuleError):
            raise DatabaseUrlError(
                f'database.url: the driver for "{self._url.drivername}" is not there; install its package.'
            ) from None
        event.listen(engine, "begin", _begin)
        event.listen(engine, "connect", self._note_file)
        event.listen(engine, "checkout", self._compare_file)
        return engine

    def _create_file(self, path: Path) -> None:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return
        except FileNotFoundError:
            raise DatabaseUnavailableError(
                f"The folder {path.parent} of the database does not exist: create it, or correct "
                "server.state_dir or database.url."
            ) from None
        except OSError as error:
            raise DatabaseUnavailableError(
                f"The database {path} cannot be created ({error.strerror}): give this user the right to "
                f"write in {path.parent}, or correct server.state_dir or database.url."
            ) from None

    def _connect_sqlite(self) -> sqlite3.Connection:
        # mode=rw: a missing file is an error here, see prepare().
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw",
            uri=True,
            timeout=self._timeout,  # how long a lock of another program is waited for
            isolation_level=None,  # transactions begin by _begin, so that they cover DDL too
            check_same_thread=False,  # the pool hands a connection to one thread at a time
        )
        try:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _note_file(self, _connection: object, record: Any) -> None:
        record.info["file"] = _identity(self._path)

    def _compare_file(self, _connection: object, record: Any, _proxy: object) -> None:
        """An open connection would go on with a file that was replaced or removed: open it anew."""
        if record.info.get("file") != _identity(self._path):
            self._prepared = False
            raise DisconnectionError("the file was replaced")


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def _begin(connection: Connection) -> None:
    # A transaction that writes takes the lock at its beginning: one that only later turns into a writer
    # cannot wait for the lock, it fails.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
