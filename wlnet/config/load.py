"""Reading the configuration: a TOML file, overrides from the command line, and checks with plain answers."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from wlnet.config.consistency import find_inconsistencies
from wlnet.config.fields import settings
from wlnet.config.places import Places, find_places
from wlnet.config.problems import BadValueError, checked, nearest, show
from wlnet.config.schema import Config

DEFAULT_FILE = "wlnet.toml"
_MAX_FILE_SIZE = 1024 * 1024
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
_TOML_END = "(at end of document)"


class ConfigError(Exception):
    """The configuration cannot be used; ``str()`` is the complete message, one line a problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(path: str | None, overrides: Sequence[str] = ()) -> Config:
    """The configuration in force.

    :param path: the TOML file; None for ``wlnet.toml`` of the current folder if there is one, else only
        defaults.
    :param overrides: texts ``section.key=value``; they win over the file. The value is read as TOML, else
        as plain text; for a list ``a,b`` will do.
    :raises ConfigError: something in it is wrong; all problems of one kind are told at once.
    """
    if path is None and Path(DEFAULT_FILE).is_file():
        path = DEFAULT_FILE
    draft = _Draft()
    if path is not None:
        draft.read_file(path)
    for override in overrides:
        draft.override(override)
    return draft.finish()


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Give *parser* ``--config FILE`` and ``--set SECTION.KEY=VALUE``, stored as ``config`` and ``set``.

    Pass them on: ``load(arguments.config, arguments.set)``.
    """
    parser.add_argument(
        "-c", "--config", metavar="FILE",
        help=f"configuration file (default: ./{DEFAULT_FILE} if it exists, else built-in defaults)",
    )  # fmt: skip
    parser.add_argument(
        "--set", metavar="SECTION.KEY=VALUE", action="append", default=[],
        help="one setting for this run, instead of the file's; may be repeated",
    )  # fmt: skip


class _Origin:
    """Where values come from: a file with its lines, or the command line."""

    def __init__(self, path: str | None = None, places: Places | None = None) -> None:
        self._path = path
        self._places = places

    def of(self, section: str, key: str | None = None, index: int | None = None) -> str:
        """``FILE:LINE: section.key: `` or ``--set section.key: ``."""
        name = section if key is None else f"{section}.{key}"
        if self._path is None:
            return f"--set {name}: "
        path = tuple(part for part in (section, key, index) if part is not None)
        line = self._places.line(path) if self._places is not None else None
        return f"{self._path}:{line or 1}: {name}: "


class _Draft:
    """Values collected so far, where each came from, and what was wrong."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Any]] = {section: {} for section in settings()}
        self._origins: dict[str, _Origin] = {}
        self._problems: list[str] = []

    def read_file(self, path: str) -> None:
        text = _read_text(path)
        places = find_places(text)
        origin = _Origin(path, places)
        for section, content in _parse(path, text, places).items():
            if section not in self._values:
                self._problems.append(origin.of(section) + _unknown_section(section, content))
            elif not isinstance(content, dict):
                self._problems.append(
                    f"{origin.of(section)}this is a section: write [{section}] with its keys below it"
                )
            else:
                for key, value in content.items():
                    self._put(section, key, value, origin)

    def override(self, text: str) -> None:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            self._problems.append(
                f"--set {show(text)[1:-1]}: write it as section.key=value, for example lobby.port=7395"
            )
        elif section not in self._values:
            self._problems.append(f"--set {name.strip()}: " + _unknown_section(section, None))
        else:
            self._put(section, key, _override_value(section, key, value.strip()), _Origin())

    def _put(self, section: str, key: str, value: object, origin: _Origin) -> None:
        setting = settings()[section].get(key)
        if setting is None:
            self._problems.append(origin.of(section, key) + _unknown_key(section, key))
            return
        self._origins[setting.name] = origin
        try:
            self._values[section][key] = checked(setting, value)
        except BadValueError as wrong:
            self._problems.append(origin.of(section, key, wrong.index) + str(wrong))

    def finish(self) -> Config:
        if self._problems:
            raise ConfigError(self._problems)
        config = Config(
            **{field.name: field.type(**self._values[field.name]) for field in structs.fields(Config)}
        )
        for found in find_inconsistencies(config):
            name = next((name for name in found.keys if name in self._origins), found.keys[0])
            section, _, key = name.partition(".")
            origin = self._origins.get(name)
            where = f"{name}: " if origin is None else origin.of(section, key, found.index)
            self._problems.append(where + found.text)
        if self._problems:
            raise ConfigError(self._problems)
        return config


def _read_text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_FILE_SIZE + 1)
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: there is no such file (make one: wlnet config init --output {path})"]
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from None
    if len(data) > _MAX_FILE_SIZE:
        raise ConfigError([f"{path}: is longer than 1 MiB, so it is no configuration file"])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: the file is not in UTF-8; save it as UTF-8 text"]) from None


def _parse(path: str, text: str, places: Places) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{path}:1: lists or tables are nested too deeply"]) from None
    except ValueError as error:
        raise ConfigError([_syntax_problem(path, text, places, str(error))]) from None


def _syntax_problem(path: str, text: str, places: Places, message: str) -> str:
    match = _TOML_LINE.search(message)
    line = int(match[1]) if match else text.count("\n") + 1
    reason = message.replace(_TOML_END, "").strip() if match is None else message[: match.start()].strip()
    for name, again in places.repeated.items():
        if again <= line:
            first = places.lines[name]
            return (
                f"{path}:{again}: {_dotted(name)}: is there twice, first on line {first} (remove one of them)"
            )
    hint = ' (text needs quotes: "...")' if reason == "Invalid value" else ""
    key = places.at(line)
    if places.unfinished is not None and places.lines[places.unfinished] < line:
        key = places.unfinished
        hint = f" (is the value that begins on line {places.lines[key]} closed?)"
    elif key is not None and places.lines[key] != line:
        key = None
    named = f"{_dotted(key)}: " if key is not None else ""
    return f"{path}:{line}: {named}this is no TOML: {reason[:1].lower() + reason[1:]}{hint}"


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)


def _unknown_section(section: str, content: object) -> str:
    homes = [known for known, keys in settings().items() if section in keys]
    if homes and not isinstance(content, dict):
        return f"this key belongs in a section (did you mean {section} in [{homes[0]}]?)"
    meant = nearest(section, list(settings()))
    hint = f"did you mean [{meant}]; " if meant else ""
    return f"unknown section ({hint}there are: {', '.join(settings())})"


def _unknown_key(section: str, key: str) -> str:
    homes = [known for known, keys in settings().items() if key in keys]
    meant = nearest(key, list(settings()[section]))
    if meant is not None:
        return f"unknown key (did you mean {meant}?)"
    if homes:
        return f"unknown key here (did you mean {key} in [{homes[0]}]?)"
    return f"unknown key (this section has: {', '.join(settings()[section])})"


def _override_value(section: str, key: str, text: str) -> object:
    """What *text* means for that setting: TOML if it reads as such and fits, else plain text."""
    setting = settings()[section].get(key)
    try:
        document = tomllib.loads("value = " + text)
    except (ValueError, RecursionError):
        document = {}
    value: object = document["value"] if list(document) == ["value"] else text
    if setting is None:
        return value
    if setting.is_text and not isinstance(value, str):
        return text
    if setting.is_list and not isinstance(value, list):
        return [part.strip() for part in str(value).split(",") if part.strip()]
    return value
