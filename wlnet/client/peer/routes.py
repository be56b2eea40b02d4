"""The attempts that may carry one tunnel: the one in use, and one that is to take its place."""

from __future__ import annotations

from collections.abc import Iterator

from wlnet.client.peer.attempt import Attempt
from wlnet.steering.model import PathKind

_MOST = 2
_OVERLAP = 2.0
"""Both are kept for so long after the new one carries the game."""
_KINDS = tuple(PathKind)


class Routes:
    """At most two attempts.

    :ivar carrier: the one whose paths take what is sent.
    """

    def __init__(self, first: Attempt) -> None:
        self.carrier = first
        self._attempts = [first]
        self._carried_at: float | None = None

    def __iter__(self) -> Iterator[Attempt]:
        return iter(tuple(self._attempts))

    @property
    def newest(self) -> Attempt:
        """The last one that began."""
        return self._attempts[-1]

    def find(self, number: int) -> Attempt | None:
        """The one the lobby means; a lobby that was started again uses numbers again."""
        return next((one for one in self._attempts if one.number == number and one.known), None)

    def add(self, attempt: Attempt) -> None:
        """A new one; of those there are, the one in use is kept."""
        while len(self._attempts) >= _MOST:
            idle = [one for one in self._attempts if one is not self.carrier]
            self._drop(idle[0] if idle else self._attempts[0])
        self._attempts.append(attempt)
        self._carried_at = None

    def choose(self, now: float) -> bool:
        """The newest that has a path, unless an older one's is better; True: it is another one now."""
        usable = [(kind, one) for one in reversed(self._attempts) if (kind := one.kind) is not None]
        # Where there is none yet, packets may already pass the bound relay of the newest one.
        best = min(usable, key=lambda pair: _KINDS.index(pair[0]))[1] if usable else self.newest
        changed = best is not self.carrier
        self.carrier = best
        new = best is self.newest and best.connected
        if len(self._attempts) > 1 and new and self._carried_at is None:
            self._carried_at = now
        return changed

    def deadline(self) -> float | None:
        """When :meth:`tidy` has something to do."""
        return self._carried_at + _OVERLAP if self._carried_at is not None else None

    def tidy(self, now: float) -> None:
        """Close the former one once the new one has carried the game for a while."""
        if self._carried_at is not None and now >= self._carried_at + _OVERLAP:
            self._carried_at = None
            for attempt in self:
                if attempt is not self.carrier:
                    self._drop(attempt)

    def close(self) -> None:
        """Close all."""
        for attempt in self._attempts:
            attempt.close()

    def _drop(self, attempt: Attempt) -> None:
        self._attempts.remove(attempt)
        attempt.close()
