"""Pauses between attempts: doubling, bounded, scattered so that many do not come at once."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Gives the next pause.

    :param shortest: seconds of the first pause at most.
    :param longest: seconds of any pause at most.
    :param jitter: a random number from 0 to 1 at each call; a pause is half to all of its full length.
    """

    def __init__(self, shortest: float, longest: float, jitter: Callable[[], float]) -> None:
        self._shortest = max(shortest, 0.05)  # a pause of 0 seconds would be a storm
        self._longest = max(longest, self._shortest)
        self._jitter = jitter
        self._full = self._shortest

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        full = self._full
        self._full = min(full * 2.0, self._longest)
        return full * (0.5 + 0.5 * self._jitter())

    def reset(self) -> None:
        """It worked: start over with the shortest pause."""
        self._full = self._shortest
