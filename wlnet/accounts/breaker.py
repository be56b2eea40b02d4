"""A circuit breaker: after failures in a row, do not even try for a while."""

from __future__ import annotations


class Breaker:
    """Counts failures in a row. Closed means things work, open means they do not.

    :param tolerated: so many failures in a row open it (at least 1).
    """

    def __init__(self, tolerated: int) -> None:
        self._tolerated = max(1, tolerated)
        self._failures = 0
        self._open = False

    @property
    def open(self) -> bool:
        """True while nothing should be tried but a probe."""
        return self._open

    def failed(self) -> bool:
        """One more failure; True if it opened the breaker just now."""
        self._failures += 1
        if self._open or self._failures < self._tolerated:
            return False
        self._open = True
        return True

    def trip(self) -> bool:
        """A failure that needs no second look; True if it opened the breaker just now."""
        self._failures = self._tolerated
        opened, self._open = not self._open, True
        return opened

    def worked(self) -> bool:
        """A success; True if it closed the breaker just now."""
        self._failures = 0
        closed, self._open = self._open, False
        return closed
