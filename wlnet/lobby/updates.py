"""News about a list: at once after a quiet time, merged in a busy one."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.agenda import Agenda


class ListNews:
    """Tells everybody that a list changed, at most once an *interval*.

    Every client answers the news by fetching the list, so N changes told one by one cost N clients N
    lists. Merged, a burst of any size costs each client two: one at its start, one at its end.

    :ivar generation: counts the changes; what was made from the list is good as long as it stays equal.
    """

    def __init__(self, agenda: Agenda, interval: float, tell: Callable[[], None]) -> None:
        self._agenda = agenda
        self._interval = interval
        self._tell = tell
        self._last = float("-inf")
        self._pending = False
        self.generation = 0

    def changed(self) -> bool:
        """The list changed and everybody shall know. True if they were told just now."""
        self.generation += 1
        if self._pending:
            return False
        wait = self._last + self._interval - self._agenda.now()
        if wait <= 0:
            self._flush()
            return True
        self._pending = True
        self._agenda.after(wait, self._flush)
        return False

    def changed_quietly(self) -> None:
        """The list changed, but nobody needs to look for that alone."""
        self.generation += 1

    def _flush(self) -> None:
        self._pending = False
        self._last = self._agenda.now()
        self._tell()
