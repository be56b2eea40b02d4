"""What differs between the versions of the protocol, and which builds may play together."""

from __future__ import annotations

import re

BUILD_19 = 0
BUILD_20 = 5
BUILD_21 = 6

SUPPORTED = frozenset({BUILD_19, BUILD_20, BUILD_21})

_RELEASE = re.compile(r"build-|\d+\.\d+(\.\d+)?\Z")


def is_release(build: str) -> bool:
    """``build-21``, ``1.0``, ``1.2.1`` are releases; ``1.4~git1234`` is not."""
    return _RELEASE.match(build) is not None


def builds_fit(one: str, other: str) -> bool:
    """A release plays with itself only; development versions may try it with one another."""
    return one == other or not (is_release(one) or is_release(other))
