"""The pure cores' view of time: one agenda of appointments, driven from outside.

A core never sleeps and never asks a reactor for a timer. It makes an appointment here; whoever drives the
agenda (``wlnet.service.ticker`` in production, a test's ``Clock`` otherwise) calls :meth:`Agenda.run_due`
when :meth:`Agenda.next_deadline` has come. One reactor timer serves any number of appointments.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

_COMPACT_ABOVE = 64
"""Cancelled entries are swept out of the heap once they outnumber the live ones and this floor."""


class Appointment:
    """One action at one time; cancelling it twice, or after it ran, is harmless."""

    __slots__ = ("_action", "_queued_in", "when")

    def __init__(self, agenda: Agenda, when: float, action: Callable[[], None]) -> None:
        self._queued_in: Agenda | None = agenda
        self._action: Callable[[], None] | None = action
        self.when = when

    @property
    def pending(self) -> bool:
        """True until the action ran or was cancelled."""
        return self._action is not None

    def cancel(self) -> None:
        """Forget the action."""
        if self._action is not None:
            self._action = None
            if self._queued_in is not None:
                self._queued_in._cancelled_one()

    def _take(self) -> Callable[[], None] | None:
        action, self._action = self._action, None
        return action


class Agenda:
    """Appointments ordered by time, then by the order they were made.

    :param seconds: the clock: seconds from any fixed start, never running backwards.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.now = seconds
        self._heap: list[tuple[float, int, Appointment]] = []
        self._order = count()
        self._cancelled = 0
        self.on_earlier: Callable[[], None] = lambda: None
        """Called when an appointment became the earliest one: the driver must look again."""

    def at(self, when: float, action: Callable[[], None]) -> Appointment:
        """Call *action* at the time *when* (seconds of this agenda's clock)."""
        appointment = Appointment(self, when, action)
        earliest = not self._heap or when < self._heap[0][0]
        heapq.heappush(self._heap, (when, next(self._order), appointment))
        if earliest:
            self.on_earlier()
        return appointment

    def after(self, delay: float, action: Callable[[], None]) -> Appointment:
        """Call *action* in *delay* seconds."""
        return self.at(self.now() + delay, action)

    def next_deadline(self) -> float | None:
        """The time of the earliest pending appointment, or None."""
        while self._heap and not self._heap[0][2].pending:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> None:
        """Run what is due now. What an action appoints for now or earlier waits for the next call."""
        now = self.now()
        due: list[Appointment] = []
        while self._heap and self._heap[0][0] <= now:
            appointment = heapq.heappop(self._heap)[2]
            appointment._queued_in = None
            if appointment.pending:
                due.append(appointment)
            else:
                self._cancelled -= 1
        for index, appointment in enumerate(due):
            action = appointment._take()
            if action is None:  # cancelled by an earlier action of this round
                continue
            try:
                action()
            except BaseException:
                for later in due[index + 1 :]:
                    if later.pending:
                        later._queued_in = self
                        heapq.heappush(self._heap, (later.when, next(self._order), later))
                raise

    def __len__(self) -> int:
        """Pending appointments."""
        return len(self._heap) - self._cancelled

    def _cancelled_one(self) -> None:
        self._cancelled += 1
        if self._cancelled > _COMPACT_ABOVE and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0
