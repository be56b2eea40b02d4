"""A rota: many things that each come due the same time after they were entered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from wlnet.agenda import Agenda, Appointment

T = TypeVar("T", bound=Hashable)


class Rota(Generic[T]):
    """A first-in-first-out queue of deadlines with one appointment for the first of them.

    As the delay is the same for all, order of entry is order of time: entering, leaving and coming due
    cost the same with eight thousand entries as with one.

    :param delay: seconds.
    :param action: called with each thing that came due; it is no longer entered then.
    :param afterwards: called once after such a round.
    """

    def __init__(
        self, agenda: Agenda, delay: float, action: Callable[[T], None], afterwards: Callable[[], None]
    ) -> None:
        self._agenda = agenda
        self._delay = delay
        self._action = action
        self._afterwards = afterwards
        self._due: OrderedDict[T, float] = OrderedDict()
        self._appointment: Appointment | None = None

    def enter(self, thing: T) -> None:
        """*thing* comes due a whole delay from now, also if it was entered before."""
        due = self._due[thing] = self._agenda.now() + self._delay
        self._due.move_to_end(thing)
        if self._appointment is None:
            self._appointment = self._agenda.at(due, self._run)

    def leave(self, thing: T) -> None:
        """*thing* does not come due; harmless if it is not entered."""
        # The appointment stays: it comes, finds nothing due and moves on to whatever is first then.
        self._due.pop(thing, None)

    def stop(self) -> None:
        """Forget everything."""
        self._due.clear()
        if self._appointment is not None:
            self._appointment.cancel()
            self._appointment = None

    def __contains__(self, thing: object) -> bool:
        return thing in self._due

    def __len__(self) -> int:
        return len(self._due)

    def _run(self) -> None:
        self._appointment = None
        now = self._agenda.now()
        due: list[T] = []
        for thing, when in self._due.items():
            if when > now:
                break
            due.append(thing)
        for thing in due:
            if self._due.get(thing, now + 1) <= now:  # an earlier one of this round may have removed it
                del self._due[thing]
                self._action(thing)
        if self._due and self._appointment is None:
            self._appointment = self._agenda.at(next(iter(self._due.values())), self._run)
        if due:
            self._afterwards()
