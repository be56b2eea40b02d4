"""News about a list: at once after a quiet time, merged in a busy one."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.lobby.updates import ListNews


class Listener:
    """Counts what it is told, and remembers how far the list was then."""

    def __init__(self, interval: float = 1.0) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.told: list[tuple[float, int]] = []
        self.news = ListNews(self.agenda, interval, self._tell)

    def _tell(self) -> None:
        self.told.append((self.clock.seconds(), self.news.generation))

    def wait(self, seconds: float) -> None:
        end = self.clock.seconds() + seconds
        while (deadline := self.agenda.next_deadline()) is not None and deadline <= end:
            self.clock.advance(deadline - self.clock.seconds())
            self.agenda.run_due()
        self.clock.advance(end - self.clock.seconds())


def test_the_first_change_is_told_at_once() -> None:
    listener = Listener()
    assert listener.news.changed()
    assert listener.told == [(0, 1)]


def test_a_burst_is_told_at_its_start_and_once_more() -> None:
    listener = Listener()
    for _ in range(100):
        listener.news.changed()
        listener.wait(0.001)
    listener.wait(5)
    assert listener.told == [(0, 1), (1, 100)]


def test_quiet_changes_are_not_told_but_counted() -> None:
    listener = Listener()
    listener.news.changed_quietly()
    assert listener.told == []
    assert listener.news.generation == 1


def test_without_an_interval_every_change_is_told() -> None:
    listener = Listener(interval=0)
    for _ in range(5):
        listener.news.changed()
    assert len(listener.told) == 5


@given(st.lists(st.floats(0, 3), max_size=60))
def test_never_more_often_than_the_interval_and_never_too_late(pauses: list[float]) -> None:
    listener = Listener()
    changes = []
    for pause in pauses:
        listener.wait(pause)
        listener.news.changed()
        changes.append(listener.clock.seconds())
    listener.wait(2)
    times = [when for when, _ in listener.told]
    assert all(b - a >= 1 - 1e-9 for a, b in pairwise(times))
    assert all(any(change <= when <= change + 1 + 1e-9 for when in times) for change in changes)
    assert not listener.told or listener.told[-1][1] == listener.news.generation
