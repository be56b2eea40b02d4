"""Where reports go: JSON lines for programs, sentences for people, a living block on a terminal."""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

import msgspec

from wlnet.cli.board import Board
from wlnet.cli.sentences import sentence
from wlnet.client.forward.reports import Report

NARROWEST = 20


class Screen(Protocol):
    """Shows reports. Raises ``OSError`` if nobody takes them."""

    def show(self, report: Report) -> None:
        """One more."""

    def refresh(self) -> None:
        """A second went by."""

    def finish(self) -> None:
        """Nothing more comes."""


class JsonLines:
    """An object a line, each with ``at``: seconds of the machine's monotonic clock."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock

    def show(self, report: Report) -> None:
        """See :class:`Screen`."""
        line = msgspec.to_builtins(report)
        line["at"] = round(self._clock(), 6)
        self._out.write(msgspec.json.encode(line).decode() + "\n")
        self._out.flush()

    def refresh(self) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""


class PlainLines:
    """A sentence a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, report: Report) -> None:
        """See :class:`Screen`."""
        text = sentence(report)
        if text is not None:
            self._out.write(text + "\n")
            self._out.flush()

    def refresh(self) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""


class Terminal:
    """Sentences that scroll away, and below them a block that is drawn anew."""

    def __init__(self, out: TextIO, board: Board, width: Callable[[], int] | None = None) -> None:
        self._out = out
        self._board = board
        self._width = width or (lambda: shutil.get_terminal_size().columns)
        self._drawn = 0

    def show(self, report: Report) -> None:
        """See :class:`Screen`."""
        self._board.take(report)
        self._draw(sentence(report))

    def refresh(self) -> None:
        """See :class:`Screen`."""
        self._draw(None)

    def finish(self) -> None:
        """See :class:`Screen`."""
        self._out.write(self._erase())
        self._out.flush()
        self._drawn = 0

    def _draw(self, text: str | None) -> None:
        lines = self._board.lines(max(NARROWEST, self._width() - 1))
        above = f"{text}\n" if text is not None else ""
        self._out.write(self._erase() + above + "".join(f"{line}\n" for line in lines))
        self._out.flush()
        self._drawn = len(lines)

    def _erase(self) -> str:
        return f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""


def screen_for(board: Board, *, json: bool) -> Screen:
    """The one that fits standard output."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may have letters this terminal has not
        sys.stdout.reconfigure(errors="backslashreplace")
    if json:
        return JsonLines(sys.stdout)
    return Terminal(sys.stdout, board) if sys.stdout.isatty() else PlainLines(sys.stdout)
