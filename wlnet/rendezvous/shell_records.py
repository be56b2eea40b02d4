"""The file with the records of attempts: one line of JSON each, bounded by moving it aside once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from twisted.logger import Logger

from wlnet.rendezvous.records import AttemptRecord, decode, encode

MODE = 0o600
"""Who plays with whom is for the operator."""

_log = Logger(namespace="wlnet.rendezvous")


class RecordFile:
    """Appends records. When *path* has half of *size*, it becomes ``<path>.1``, replacing the one before.

    A disk that is full or a folder that is gone is said once, costs the records, and nothing else.

    :param size: bytes of both files together; a single record longer than half of it is left out.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._half = size // 2
        self._failed = False

    def write(self, record: AttemptRecord) -> None:
        """Append one."""
        line = encode(record)
        if len(line) > self._half:
            return
        try:
            self._append(line)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.error(
                    "attempts are not recorded: {file}: {why}", file=str(self._path), why=error.strerror
                )
        else:
            self._failed = False

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            held = os.fstat(descriptor).st_size
            if held + len(line) <= self._half:
                os.write(descriptor, line)
                return
        finally:
            os.close(descriptor)
        self._path.replace(older(self._path))
        self._append(line)


def older(path: Path) -> Path:
    """Where the file before is."""
    return path.with_name(path.name + ".1")


def read(path: Path) -> Iterator[AttemptRecord]:
    """All records, the oldest first; lines that are none are left out.

    :raises OSError: a file cannot be read. One that is not there is no error.
    """
    return chain.from_iterable(_read(one) for one in (older(path), path))


def _read(path: Path) -> Iterator[AttemptRecord]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            record = decode(line)
            if record is not None:
                yield record
