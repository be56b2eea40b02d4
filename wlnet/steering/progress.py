"""The steps of an attempt as they were sent: what became of each, and which of them is best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct

from wlnet.agenda import Agenda, Appointment
from wlnet.steering.model import PathKind, Side, Technique
from wlnet.steering.orders import Plan, Step

_KINDS = tuple(PathKind)


class Numbered(Struct, frozen=True, kw_only=True):
    """A step as it was sent: numbers are unique within the attempt."""

    number: int
    step: Step


class Progress:
    """What is known of one step.

    :ivar opened: the sides that had authenticated checks both ways over it.
    :ivar carried: the sides that got bytes of the game over it.
    :ivar closed: nothing more is expected of it.
    """

    __slots__ = ("carried", "closed", "numbered", "opened", "watch")

    def __init__(self, numbered: Numbered) -> None:
        self.numbered = numbered
        self.opened: set[Side] = set()
        self.carried: set[Side] = set()
        self.closed = False
        self.watch: Appointment | None = None

    def close(self) -> None:
        """Nothing more is expected of it."""
        self.closed = True
        self.unwatch()

    def unwatch(self) -> None:
        """Its time does not matter any more."""
        if self.watch is not None:
            self.watch.cancel()

    def better_than(self, other: Progress | None) -> bool:
        """It is of a better kind, or was placed higher in its plan."""
        return other is None or _preference(self) < _preference(other)


class SentSteps:
    """All steps sent so far, each with its time limit.

    :param slack: seconds added to the deadline of a step for a side that says nothing.
    :param limit: how many steps are sent at most.
    :param too_late: told of a step whose time is up.
    :ivar birthday_tried: a birthday step was among them.
    """

    def __init__(
        self, agenda: Agenda, slack: float, limit: int, too_late: Callable[[Progress], None]
    ) -> None:
        self.birthday_tried = False
        self._agenda = agenda
        self._slack = slack
        self._limit = limit
        self._too_late = too_late
        self._steps: dict[int, Progress] = {}
        self._known: set[tuple[object, ...]] = set()

    def __iter__(self) -> Iterator[Progress]:
        return iter(self._steps.values())

    def get(self, number: int) -> Progress | None:
        """The step of that number."""
        return self._steps.get(number)

    def add(self, plan: Plan) -> tuple[Numbered, ...]:
        """The steps of *plan* that were not sent before; each gets a number and a time limit."""
        fresh: list[Numbered] = []
        for step in plan.steps:
            same = (step.technique, step.transport, step.family, *(_part(step, side) for side in Side))
            if same in self._known or len(self._steps) >= self._limit:
                continue
            self._known.add(same)
            self.birthday_tried = self.birthday_tried or step.technique is Technique.BIRTHDAY
            numbered = Numbered(number=len(self._steps) + 1, step=step)
            progress = self._steps[numbered.number] = Progress(numbered)
            starts = [order.start for side in Side if (order := step.order(side)) is not None]
            wait = max(starts) + step.deadline + self._slack
            progress.watch = self._agenda.after(wait, partial(self._over, progress))
            fresh.append(numbered)
        return tuple(fresh)

    def carried_by_both(self, progress: Progress) -> bool:
        """Both sides got bytes of the game that way."""
        if progress.numbered.step.kind is not PathKind.RELAYED:
            return len(progress.carried) == len(Side)
        # Each side has its own leg to the relay.
        relayed = [one for one in self if one.numbered.step.kind is PathKind.RELAYED]
        return set().union(*(one.carried for one in relayed)) == set(Side)

    def best_carrying(self) -> Progress | None:
        """The best step that carries the game both ways; None: none does."""
        carrying = [one for one in self if one.carried and self.carried_by_both(one)]
        return min(carrying, key=_preference, default=None)

    def clear(self) -> None:
        """Forget them."""
        self._steps.clear()
        self._known.clear()

    def _over(self, progress: Progress) -> None:
        progress.watch = None
        if not progress.closed:
            self._too_late(progress)


def _preference(progress: Progress) -> tuple[int, int]:
    """Comparable between plans: the kind first, then the place within its own plan."""
    step = progress.numbered.step
    return _KINDS.index(step.kind), step.preference


def _part(step: Step, side: Side) -> object:
    order = step.order(side)
    return None if order is None else (order.act, order.targets, order.local_ports)
