"""An answer made at most so often, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Keeps what *make* gave for *lifetime* seconds.

    :param now: a clock that never goes back, in seconds.
    """

    def __init__(self, make: Callable[[], T], lifetime: float, now: Callable[[], float]) -> None:
        self._make = make
        self._lifetime = lifetime
        self._now = now
        self._kept: tuple[float, T] | None = None

    def get(self) -> T:
        """What was made last, or now if that is too old."""
        now = self._now()
        if self._kept is None or now - self._kept[0] >= self._lifetime:
            self._kept = (now, self._make())
        return self._kept[1]
