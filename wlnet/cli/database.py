"""What the commands on the database have in common: opening it, and errors in plain words."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from wlnet.accounts.database import SqlDatabase, open_database
from wlnet.accounts.errors import (
    AccountExistsError,
    BadAccountError,
    DatabaseUnavailableError,
    DatabaseUrlError,
    NoSuchAccountError,
)
from wlnet.config.load import ConfigError, load
from wlnet.config.schema import Config
from wlnet.moderation.sanctions import SanctionsFullError

DONE, FAILED, WRONG_USAGE = 0, 1, 2

Command = Callable[[argparse.Namespace, Config, SqlDatabase], int]


class UsageError(Exception):
    """The command cannot be carried out as it was given; the message says what to change."""


class RefusedError(Exception):
    """The command was understood and cannot be done; the message says why."""


def with_database(command: Command) -> Callable[[argparse.Namespace], int]:
    """Make a ``run(arguments)`` of *command*: it gets the configuration and the database."""

    def run(arguments: argparse.Namespace) -> int:
        if isinstance(sys.stdout, io.TextIOWrapper):  # a reason may have letters this terminal has not
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            config = load(arguments.config, arguments.set)
            with _opened(config) as database:
                return command(arguments, config, database)
        except (ConfigError, UsageError, DatabaseUrlError, BadAccountError) as error:
            return _tell(error, WRONG_USAGE)
        except (
            RefusedError,
            AccountExistsError,
            NoSuchAccountError,
            DatabaseUnavailableError,
            SanctionsFullError,
        ) as error:
            return _tell(error, FAILED)

    return run


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side. Whatever could steer a terminal is shown as an escape."""
    lines = [list(head), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def as_time(seconds: float | None, otherwise: str) -> str:
    """A time in this machine's zone, or *otherwise* for None."""
    if seconds is None:
        return otherwise
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M %Z")


@contextmanager
def _opened(config: Config) -> Iterator[SqlDatabase]:
    database = open_database(config.database, config.server)
    try:
        yield database
    finally:
        database.close()


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _tell(error: Exception, status: int) -> int:
    print(f"wlnet: {error}" if not isinstance(error, ConfigError) else error, file=sys.stderr)
    return status
