"""The server's log: one line an event, as text or JSON, and nobody but us decides where a line ends.

Code all over wlnet logs through :mod:`twisted.logger`. Two keys of an event have a meaning here:
``address`` is a peer's address (shortened if the operator wants so, and nowhere else), ``session`` tells
the lines of one connection from those of others.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.agenda import Agenda
from wlnet.config.schema import Config
from wlnet.limits.addresses import address_key, shorten
from wlnet.limits.buckets import KeyedBuckets
from wlnet.metrics import Front, Limit, Metrics

_LONGEST_TEXT = 4000
_LONGEST_TRACEBACK = 16000
DAEMON_LOG = "wlnet.log"


class LogError(Exception):
    """The log cannot be written; ``str()`` says why, in plain words."""


class _Output(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


def make_observer(config: Config, daemon: bool = False) -> ILogObserver:
    """What writes the log of this process, as section ``[logging]`` says.

    :param daemon: standard output will be closed, so without ``logging.file`` write ``wlnet.log`` in
        ``server.state_dir``.
    :raises LogError: the file cannot be opened.
    """
    settings = config.logging
    name = settings.file or (DAEMON_LOG if daemon else "")
    output: _Output = _LogFile(Path(config.server.state_dir) / name) if name else _standard_output()
    write = json_line if settings.format == "json" else text_line
    return FilteringLogObserver(
        _LineObserver(output, write, settings.shorten_addresses), [_important_enough(settings.level)]
    )


def _important_enough(name: str) -> LogLevelFilterPredicate:
    """Lines of level *name*; those of Twisted itself (ports, factories) only if something is wrong."""
    level = LogLevel.lookupByName(name)
    predicate = LogLevelFilterPredicate(
        defaultLogLevel=max(level, LogLevel.warn) if name != "debug" else level
    )
    for namespace in ("wlnet", "stdout"):
        predicate.setLogLevelForNamespace(namespace, level)
    return predicate


def text_line(event: LogEvent) -> str:
    """*event* as one line for people; a traceback follows in indented lines."""
    session = event.get("session")
    line = f"{_when(event).isoformat(timespec='milliseconds')} {_level(event):<5} {_part(event)}: "
    line += (f"[{printable(str(session))}] " if session is not None else "") + _text(event)
    return "\n    ".join([line, *_traceback(event)]) + "\n"


def json_line(event: LogEvent) -> str:
    """*event* as one JSON object on one line, in ASCII."""
    record: dict[str, object] = {
        "time": _when(event).astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": _level(event),
        "from": _part(event),
        "text": _text(event),
    }
    for key, value in event.items():
        if not key.startswith("log_") and key not in ("time", "message", "isError", "format", "system"):
            record.setdefault(key, _plain(value))
    traceback = _traceback(event)
    if traceback:
        record["traceback"] = traceback
    return json.dumps(record) + "\n"


def printable(text: str) -> str:
    """*text* without line ends, control characters, direction marks and lone surrogates: those escaped."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


class AddressLog:
    """Keeps one address from filling the log: so many lines about it at once, so many a second.

    What is left out is counted, and told in one line an address once a while.

    :param agenda: its time is the measure; the summaries are appointments there.
    :param rate: lines a second about one address; 0 means unlimited.
    :param burst: lines at once.
    :param front: where refused lines are counted, as :attr:`Limit.LOG_LINES`.
    :param summary_delay: seconds from the first line left out to the summary.
    :param capacity: addresses remembered at a time.
    """

    log = Logger()

    def __init__(
        self,
        agenda: Agenda,
        rate: float,
        burst: float,
        metrics: Metrics,
        front: Front,
        *,
        summary_delay: float = 60.0,
        capacity: int = 10_000,
        summary_lines: int = 20,
    ) -> None:
        self._agenda = agenda
        self._buckets = KeyedBuckets(agenda.now, rate, burst, capacity)
        self._metrics = metrics
        self._front = front
        self._summary_delay = summary_delay
        self._capacity = capacity
        self._summary_lines = summary_lines
        self._left_out: dict[str, _LeftOut] = {}
        self._left_out_elsewhere = 0

    def may_log(self, address: str) -> bool:
        """Whether a line about *address* may be written now; counts it if not."""
        key = address_key(address)
        if self._buckets.take(key):
            return True
        self._metrics.limited(self._front, Limit.LOG_LINES)
        if not self._left_out and not self._left_out_elsewhere:
            self._agenda.after(self._summary_delay, self._summarize)
        if key in self._left_out:
            self._left_out[key].lines += 1
        elif len(self._left_out) < self._capacity:
            self._left_out[key] = _LeftOut(address)
        else:
            self._left_out_elsewhere += 1
        return False

    def _summarize(self) -> None:
        most = sorted(self._left_out.values(), key=lambda entry: -entry.lines)
        rest = sum(entry.lines for entry in most[self._summary_lines :]) + self._left_out_elsewhere
        self._left_out.clear()
        self._left_out_elsewhere = 0
        for entry in most[: self._summary_lines]:
            self.log.info("{lines} lines about {address} left out", lines=entry.lines, address=entry.address)
        if rest:
            self.log.info("{lines} lines about other addresses left out", lines=rest)


class _LeftOut:
    __slots__ = ("address", "lines")

    def __init__(self, address: str) -> None:
        self.address = address
        self.lines = 1


@implementer(ILogObserver)
class _LineObserver:
    def __init__(self, output: _Output, line: Callable[[LogEvent], str], shorten_addresses: bool) -> None:
        self._output = output
        self._line = line
        self._shorten = shorten_addresses

    def __call__(self, event: LogEvent) -> None:
        address = event.get("address")
        if self._shorten and address is not None:
            event = {**event, "address": shorten(str(address))}
        if not event.get("log_format") and "log_failure" not in event and not event.get("format"):
            return
        self._output.write(self._line(event))
        self._output.flush()


class _LogFile:
    """Appends to a file; opens it anew when it was moved away (logrotate), so no signal is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None
        self._file: TextIO | None = None
        try:
            self._reopen_if_moved()
        except OSError as error:
            raise LogError(f"logging.file: {path}: cannot be written: {error.strerror}") from None

    def write(self, text: str) -> None:
        self._reopen_if_moved()
        if self._file is not None:
            self._file.write(text)

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def _reopen_if_moved(self) -> None:
        try:
            status = self._path.stat()
            if (status.st_dev, status.st_ino) == self._opened:
                return
        except FileNotFoundError:
            pass
        if self._file is not None:
            self._file.close()
        # Not for everybody: a log names people and their addresses.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._file = open(descriptor, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115
        status = os.fstat(descriptor)
        self._opened = (status.st_dev, status.st_ino)


def _standard_output() -> TextIO:
    # twistd puts a file of its own in place of sys.stdout, which would lead the log into itself.
    output: Any = sys.__stdout__
    if output is None:
        raise LogError("there is no standard output; set logging.file")
    output.reconfigure(errors="backslashreplace")
    stream: TextIO = output
    return stream


def _when(event: LogEvent) -> datetime:
    return datetime.fromtimestamp(event.get("log_time", 0.0), UTC).astimezone()


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return str(level.name) if level is not None else "info"


def _plain(value: object) -> object:
    """*value* as JSON can say it."""
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return printable(str(value)[:_LONGEST_TEXT])


def _part(event: LogEvent) -> str:
    """The part of the server an event is from: ``relay``, ``metaserver``, ``service``, ... or ``twisted``."""
    names = str(event.get("log_namespace", "-")).split(".")
    if names[0] == "wlnet":
        known = [name for name in names[1:] if name != "protocols"]
        return printable(known[0]) if known else "service"
    return "twisted" if names[0] in ("twisted", "log_legacy") else printable(names[0])


def _text(event: LogEvent) -> str:
    text = formatEvent(event)
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "..."
    return printable(text)


def _traceback(event: LogEvent) -> Iterable[str]:
    failure = event.get("log_failure")
    if not isinstance(failure, Failure):
        return []
    try:
        text = failure.getTraceback()
    except Exception as error:  # a broken __str__ of the exception shall not cost us the line
        text = f"(no traceback: {type(error).__name__})"
    return [printable(line) for line in text[-_LONGEST_TRACEBACK:].splitlines()]
