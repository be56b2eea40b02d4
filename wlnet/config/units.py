"""Durations and sizes as people write them: ``"500ms"``, ``"15s"``, ``"2h"``, ``"64KiB"``, ``"10MB"``."""

from __future__ import annotations

import re
from decimal import Decimal

DURATIONS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
SIZES = {
    "B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3,
}  # fmt: skip

DURATION_HELP = 'seconds as a number, or text like "500ms", "15s", "5min", "2h", "1d"'
SIZE_HELP = 'bytes as a whole number, or text like "512B", "64KiB", "1MiB", "10MB"'

_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
_SIZES_FOLDED = {unit.casefold(): value for unit, value in SIZES.items()}
_MEANT = {"m": "min", "sec": "s", "second": "s", "seconds": "s", "mins": "min", "minutes": "min", "hr": "h",
          "hour": "h", "hours": "h", "day": "d", "days": "d", "msec": "ms",
          "k": "KiB", "kb": "kB", "g": "GiB", "bytes": "B"}  # fmt: skip


def parse_duration(text: str) -> float:
    """Seconds.

    :raises ValueError: no number with a unit of :data:`DURATIONS`; the message is for the user.
    """
    number, unit = _split(text, DURATION_HELP)
    if unit not in DURATIONS:
        raise ValueError(_bad_unit(text, unit, tuple(DURATIONS)))
    return float(number * DURATIONS[unit])


def parse_size(text: str) -> int:
    """Bytes; the case of the unit does not matter.

    :raises ValueError: no number with a unit of :data:`SIZES`, or not whole; the message is for the user.
    """
    number, unit = _split(text, SIZE_HELP)
    factor = _SIZES_FOLDED.get(unit.casefold())
    if factor is None:
        raise ValueError(_bad_unit(text, unit, tuple(SIZES)))
    size = number * factor
    if size != int(size):
        raise ValueError(f'"{text}" is no whole number of bytes')
    return int(size)


def format_duration(seconds: float) -> str | float:
    """The shortest exact way to write *seconds* in the file: text with a unit, or the number itself."""
    exact = Decimal(repr(seconds))
    if exact == 0:
        return "0s"
    for unit in ("d", "h", "min", "s", "ms"):
        amount = exact / DURATIONS[unit]
        if (
            amount == int(amount)
            and (unit != "s" or amount < 100000)
            and float(amount * DURATIONS[unit]) == seconds
        ):
            return f"{int(amount)}{unit}"
    return seconds


def format_size(size: int) -> str | int:
    """The shortest exact way to write *size* in the file: text with a binary unit, or the number itself."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % SIZES[unit] == 0:
            return f"{size // SIZES[unit]}{unit}"
    return size


def _split(text: str, allowed: str) -> tuple[Decimal, str]:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is no number with a unit (allowed: {allowed})')
    if not match[2]:
        raise ValueError(f'"{text}" has no unit (allowed: {allowed})')
    return Decimal(match[1]), match[2]


def _bad_unit(text: str, unit: str, allowed: tuple[str, ...]) -> str:
    meant = _MEANT.get(unit.casefold())
    hint = f'did you mean "{text.strip().removesuffix(unit)}{meant}"; ' if meant in allowed else ""
    return f'"{unit}" is no unit ({hint}allowed: {", ".join(allowed)})'
