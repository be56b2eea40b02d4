"""On which line of a TOML text each key stands.

``tomllib`` checks the text but keeps no places. This scanner only finds keys and where their values end;
it trusts a text ``tomllib`` accepted, and stops quietly where a broken one stops making sense.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""Table and key names; an integer is the index in a list."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_SPACE_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_MULTI_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL)
_MULTI_LITERAL = re.compile(r"'''.*?'{3,5}", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


@dataclass(slots=True)
class Places:
    """What :func:`find_places` found."""

    lines: dict[Path, int] = field(default_factory=dict)
    """Path of a table, key or list element to the line (from 1) of its first appearance."""
    repeated: dict[Path, int] = field(default_factory=dict)
    """Paths that appear again, with the line of the second appearance."""
    starts: list[tuple[int, Path]] = field(default_factory=list)
    """Every table header and key in the order of the text, with its line."""
    unfinished: Path | None = None
    """The key whose value the scan got lost in."""

    def line(self, path: Path) -> int | None:
        """The line of *path*, or of the nearest part of it that has one."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def at(self, line: int) -> Path | None:
        """The last key or table that starts on *line* or before it."""
        found = None
        for start, path in self.starts:
            if start <= line:
                found = path
        return found


def find_places(text: str) -> Places:
    """Scan *text* (any text; what is no TOML is left out)."""
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (_StopError, RecursionError):
        pass
    return scanner.places


class _StopError(Exception):
    """The text is no TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._keys: set[Path] = set()
        self._elements: Counter[Path] = Counter()
        self.places = Places()

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_SPACE_LINES)
            if self._at >= len(self._text):
                return
            if self._peek("["):
                table = self._header()
            else:
                self._assignment(table)
            self._skip(_SPACE)
            if self._at < len(self._text) and not (self._peek("#") or self._peek("\n") or self._peek("\r")):
                raise _StopError

    def _header(self) -> Path:
        array = self._peek("[[")
        self._at += 2 if array else 1
        line = self._line_now()
        path = self._key()
        if array:
            self._elements[path] += 1
            path += (self._elements[path] - 1,)
        self._note(path, line)
        self._expect("]]" if array else "]")
        return path

    def _assignment(self, table: Path) -> None:
        line = self._line_now()
        path = table + self._key()
        for length in range(len(table) + 1, len(path)):
            self.places.lines.setdefault(path[:length], line)
        self._note(path, line)
        self._expect("=")
        outer, self.places.unfinished = self.places.unfinished, path
        self._value(path)
        self.places.unfinished = outer

    def _note(self, path: Path, line: int) -> None:
        self.places.starts.append((line, path))
        self.places.lines.setdefault(path, line)
        if path in self._keys:
            self.places.repeated.setdefault(path, line)
        self._keys.add(path)

    def _key(self) -> Path:
        parts: list[str | int] = []
        while True:
            self._skip(_SPACE)
            if self._peek('"'):
                parts.append(_ESCAPE.sub(_unescape, self._take(_BASIC)[1:-1]))
            elif self._peek("'"):
                parts.append(self._take(_LITERAL)[1:-1])
            else:
                parts.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if not self._peek("."):
                return tuple(parts)
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        for opening, pattern in (
            ('"""', _MULTI_BASIC),
            ("'''", _MULTI_LITERAL),
            ('"', _BASIC),
            ("'", _LITERAL),
        ):
            if self._peek(opening):
                self._take(pattern)
                return
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline_table(path)
        elif not self._take(_SCALAR).strip():
            raise _StopError

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_SPACE_LINES)
            if self._peek("]"):
                self._at += 1
                return
            self.places.lines.setdefault((*path, index), self._line_now())
            self._value((*path, index))
            index += 1
            self._skip(_SPACE_LINES)
            if self._peek(","):
                self._at += 1
            elif not self._peek("]"):
                raise _StopError

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while True:
            self._skip(_SPACE_LINES)
            if self._peek("}"):
                self._at += 1
                return
            self._assignment(path)
            self._skip(_SPACE_LINES)
            if self._peek(","):
                self._at += 1
            elif not self._peek("}"):
                raise _StopError

    def _line_now(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _expect(self, text: str) -> None:
        self._skip(_SPACE)
        if not self._peek(text):
            raise _StopError
        self._at += len(text)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _StopError
        self._at = match.end()
        return match[0]


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        value = int(code, 16)
        return chr(value) if value < 0x110000 else "\ufffd"
    return _ESCAPES.get(match[3], match[3])
