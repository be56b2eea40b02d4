"""The schema as a list of settings: what each is called, allows and means, in words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from wlnet.config.schema import Config
from wlnet.config.units import DURATION_HELP, SIZE_HELP, format_duration, format_size


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of one section."""

    section: str
    key: str
    annotation: Any
    """What msgspec checks a value against."""
    shape: inspect.Type
    """The same, taken apart, without its metadata."""
    unit: str | None
    """``"duration"``, ``"size"``, ``"per second"`` or None."""
    default: object
    description: str

    @property
    def name(self) -> str:
        """``section.key``."""
        return f"{self.section}.{self.key}"

    @property
    def is_list(self) -> bool:
        """The value is a list."""
        return isinstance(self.shape, inspect.VarTupleType)

    @property
    def is_text(self) -> bool:
        """The value is one text."""
        return isinstance(self.shape, inspect.StrType | inspect.LiteralType)

    @property
    def choices(self) -> tuple[str, ...]:
        """The only texts allowed (as value or as elements of the list), if there are such."""
        shape = self.shape.item_type if isinstance(self.shape, inspect.VarTupleType) else self.shape
        return tuple(str(value) for value in shape.values) if isinstance(shape, inspect.LiteralType) else ()

    def allowed(self) -> str:
        """What may be written, in words."""
        if self.unit == "duration":
            return DURATION_HELP + self._range(format_duration)
        if self.unit == "size":
            return SIZE_HELP + self._range(format_size)
        shape = self.shape
        if isinstance(shape, inspect.IntType):
            return "a whole number" + self._range(lambda number: number)
        if isinstance(shape, inspect.FloatType):
            return f"a number{' ' + self.unit if self.unit else ''}" + self._range(lambda number: number)
        if isinstance(shape, inspect.BoolType):
            return "true or false"
        if isinstance(shape, inspect.VarTupleType):
            return (
                "a list of "
                + ("any of " + _alternatives(self.choices, "and") if self.choices else "texts")
                + _length(shape.min_length, shape.max_length, "", "entries")
            )
        if self.choices:
            return _alternatives(self.choices, "or")
        return "text" + (
            _length(shape.min_length, shape.max_length, " of", "characters")
            if isinstance(shape, inspect.StrType)
            else ""
        )

    def _range(self, form: Any) -> str:
        shape = self.shape
        if not isinstance(shape, inspect.IntType | inspect.FloatType):
            return ""
        low, high = shape.ge, shape.le
        separator = "; " if self.unit in ("duration", "size") else " "
        if low is not None and high is not None:
            return f"{separator}from {form(low)} to {form(high)}"
        return f"{separator}at least {form(low)}" if low is not None else ""


@cache
def settings() -> dict[str, dict[str, Setting]]:
    """All settings by section and key, in the order of the schema."""
    return {
        section.name: {
            key.name: _setting(section.name, key, inspected)
            for key, inspected in zip(
                msgspec.structs.fields(section.type),
                _struct(inspect.type_info(section.type)).fields,
                strict=True,
            )
        }
        for section in msgspec.structs.fields(Config)
    }


@cache
def section_texts() -> dict[str, str]:
    """What each section is about, in one sentence or two."""
    return {field.name: (field.type.__doc__ or "").strip() for field in msgspec.structs.fields(Config)}


def _setting(section: str, key: msgspec.structs.FieldInfo, inspected: inspect.Field) -> Setting:
    shape, unit, description = inspected.type, None, ""
    if isinstance(shape, inspect.Metadata):
        unit = (shape.extra or {}).get("unit")
        description = (shape.extra_json_schema or {}).get("description", "")
        shape = shape.type
    return Setting(section, key.name, key.type, shape, unit, key.default, description)


def _struct(shape: inspect.Type) -> inspect.StructType:
    if not isinstance(shape, inspect.StructType):
        raise TypeError(f"{shape} is no section")
    return shape


def _alternatives(words: tuple[str, ...], last: str) -> str:
    quoted = [f'"{word}"' for word in words]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" {last} " + quoted[-1]


def _length(low: int | None, high: int | None, start: str, what: str) -> str:
    start = start or ","
    if low and high:
        return f"{start} {low} to {high} {what}"
    if low:
        one = {"entries": "entry", "characters": "character"}
        return f"{start} at least {low} {what if low > 1 else one[what]}"
    return f"{start} at most {high} {what}" if high else ""
