"""Is the process well, and is it ready: how late the reactor is, and which part of the server is missing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum

from wlnet.agenda import Agenda, Appointment

PERIOD = 1.0
"""Seconds between two looks at how late the reactor is."""
_REMEMBERED = 60


class Part(StrEnum):
    """What has to be there before players can play."""

    LISTENERS = "listeners"
    DATABASE = "database"
    LINK = "link"


Check = Callable[[], str]
"""Why a part is not ready, in words for the operator; "" if it is. Answers at once, from what is known."""


class LagMeter:
    """How much later than asked for things are done, measured once a :data:`PERIOD`.

    A busy or blocked reactor is late with everything; on a quiet machine it is a millisecond.

    :ivar latest: seconds, at the last look.
    """

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._next: Appointment | None = None
        self._recent: deque[float] = deque(maxlen=_REMEMBERED)
        self.latest = 0.0

    @property
    def worst(self) -> float:
        """The most of the last minute, in seconds."""
        return max(self._recent, default=0.0)

    def start(self) -> None:
        """Begin to measure."""
        due = self._agenda.now() + PERIOD
        self._next = self._agenda.after(PERIOD, lambda: self._look(due))

    def stop(self) -> None:
        """Measure no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _look(self, due: float) -> None:
        self.latest = max(0.0, self._agenda.now() - due)
        self._recent.append(self.latest)
        self.start()


class Readiness:
    """Asks each part."""

    def __init__(self, checks: Mapping[Part, Check]) -> None:
        self._checks = dict(checks)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those this process has."""
        return tuple(self._checks)

    def ready(self, part: Part) -> bool:
        """Whether *part* is ready."""
        return not self._checks[part]()

    def missing(self) -> list[tuple[Part, str]]:
        """Which parts are not ready, and why."""
        return [(part, why) for part, check in self._checks.items() if (why := check())]
