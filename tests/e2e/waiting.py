"""Waiting for conditions with a deadline; the only place of this test that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOutError(AssertionError):
    """A condition did not come true in time."""


def wait_for(condition: Callable[[], T], what: str, timeout: float = 30.0, interval: float = 0.1) -> T:
    """Call ``condition`` until it gives something true and return that.

    :raises TimedOutError: not within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise TimedOutError(f"waited {timeout:.0f} s in vain for: {what}")
        time.sleep(interval)


def pause(seconds: float) -> None:
    """A pause a human makes too, e.g. between pressing and releasing a button."""
    time.sleep(seconds)
