"""What is wrong with one value, in words for the person who wrote it."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import Any

import msgspec

from wlnet.config.fields import Setting
from wlnet.config.units import parse_duration, parse_size


class BadValueError(Exception):
    """A value its setting does not allow.

    :param text: the complete explanation.
    :param index: the element of a list that is wrong, or None for the value as a whole.
    """

    def __init__(self, text: str, index: int | None = None) -> None:
        super().__init__(text)
        self.index = index


def checked(setting: Setting, value: object) -> object:
    """*value* (of a TOML file) as the schema's type: units turned into seconds and bytes.

    :raises BadValueError: the setting does not allow it.
    """
    number = _without_unit(setting, value)
    if isinstance(number, float) and not math.isfinite(number):
        raise BadValueError(_sentence(setting, f"{show(value)} is no usable number"))
    try:
        converted: object = msgspec.convert(number, setting.annotation)
    except msgspec.ValidationError:
        raise _explained(setting, value) from None
    _refuse_control_characters(converted)
    return converted


def nearest(word: str, known: list[str]) -> str | None:
    """The known word *word* was probably meant to be."""
    folded = {name.replace("_", "").casefold(): name for name in known}
    found = get_close_matches(word.replace("-", "").replace("_", "").casefold(), list(folded), 1, 0.6)
    return folded[found[0]] if found else None


def show(value: object) -> str:
    """*value* as it would stand in TOML, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value if len(value) <= 60 else value[:57] + "..."
        return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text) + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(item) for item in value[:4]) + (", ...]" if len(value) > 4 else "]")
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _without_unit(setting: Setting, value: object) -> object:
    if not isinstance(value, str) or setting.unit not in ("duration", "size"):
        return value
    try:
        return parse_duration(value) if setting.unit == "duration" else parse_size(value)
    except ValueError as error:
        raise BadValueError(str(error)) from None


def _explained(setting: Setting, value: object) -> BadValueError:
    if setting.is_list and isinstance(value, list):
        for index, item in enumerate(value):
            if not isinstance(item, str):
                return BadValueError(_sentence(setting, f"{show(item)} is {_kind(item)}"), index)
            if setting.choices and item not in setting.choices:
                return BadValueError(_unknown_choice(setting, item), index)
        return BadValueError(_sentence(setting, f"{len(value)} entries are too {'many' if value else 'few'}"))
    if setting.choices and isinstance(value, str):
        return BadValueError(_unknown_choice(setting, value))
    if _right_kind(setting, value):
        what = "too long or too short" if isinstance(value, str) and setting.is_text else "out of range"
        return BadValueError(_sentence(setting, f"{show(value)} is {what}"))
    return BadValueError(_sentence(setting, f"{show(value)} is {_kind(value)}"))


def _right_kind(setting: Setting, value: object) -> bool:
    if isinstance(value, str):
        return setting.is_text or setting.unit in ("duration", "size")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return not (setting.is_text or setting.is_list) and not (
            isinstance(value, float) and isinstance(setting.shape, msgspec.inspect.IntType)
        )
    return False


def _kind(value: object) -> str:
    kinds: dict[type[Any], str] = {
        bool: "true or false", str: "text", int: "a whole number", float: "a number with a fraction",
        list: "a list", tuple: "a list", dict: "a table",
    }  # fmt: skip
    return kinds.get(type(value), "a date or time")


def _unknown_choice(setting: Setting, value: str) -> str:
    meant = nearest(value, list(setting.choices))
    return (
        f"{show(value)} is unknown ("
        + (f'did you mean "{meant}"; ' if meant else "")
        + f"allowed: {setting.allowed()})"
    )


def _sentence(setting: Setting, wrong: str) -> str:
    return f"{wrong} (allowed: {setting.allowed()})"


def _refuse_control_characters(value: object) -> None:
    for index, text in enumerate(value if isinstance(value, tuple) else (value,)):
        if isinstance(text, str) and any((c < " " and c != "\n") or c == "\x7f" for c in text):
            raise BadValueError(
                f"{show(text)} has a control character in it (allowed: printable text)",
                index if isinstance(value, tuple) else None,
            )
