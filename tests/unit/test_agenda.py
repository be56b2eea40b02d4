"""The agenda: what is due when, in which order, and what is left when an action fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.agenda import Agenda, Appointment


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.agenda = Agenda(lambda: self.now)
        self.done: list[str] = []

    def note(self, what: str) -> Callable[[], None]:
        return lambda: self.done.append(what)

    def turn(self, seconds: float) -> list[str]:
        self.now += seconds
        self.agenda.run_due()
        done, self.done = self.done, []
        return done


def test_what_is_due_runs_in_the_order_of_time_then_of_making() -> None:
    hand = Hand()
    hand.agenda.after(2, hand.note("late"))
    hand.agenda.after(1, hand.note("first"))
    hand.agenda.after(1, hand.note("second"))
    assert hand.turn(0.5) == []
    assert hand.turn(2) == ["first", "second", "late"]
    assert hand.turn(100) == []


def test_cancelled_appointments_do_not_happen() -> None:
    hand = Hand()
    appointment = hand.agenda.after(1, hand.note("no"))
    hand.agenda.after(1, hand.note("yes"))
    appointment.cancel()
    appointment.cancel()
    assert not appointment.pending
    assert len(hand.agenda) == 1
    assert hand.turn(1) == ["yes"]


def test_cancelling_after_it_ran_changes_nothing() -> None:
    hand = Hand()
    appointment = hand.agenda.after(1, hand.note("done"))
    assert hand.turn(1) == ["done"]
    appointment.cancel()
    hand.agenda.after(1, hand.note("next"))
    assert len(hand.agenda) == 1
    assert hand.turn(1) == ["next"]


def test_an_action_may_cancel_one_that_is_due_in_the_same_round() -> None:
    hand = Hand()
    due: list[Appointment] = []

    def cancel_the_other() -> None:
        due[0].cancel()

    hand.agenda.after(1, cancel_the_other)
    due.append(hand.agenda.after(1, hand.note("cancelled")))
    assert hand.turn(1) == []
    assert len(hand.agenda) == 0


def test_what_an_action_appoints_for_now_waits_for_the_next_round() -> None:
    hand = Hand()

    def again() -> None:
        hand.done.append("ran")
        hand.agenda.after(0, again)

    hand.agenda.after(0, again)
    assert hand.turn(0) == ["ran"]
    assert hand.turn(0) == ["ran"]


def test_the_next_deadline_skips_what_was_cancelled() -> None:
    hand = Hand()
    assert hand.agenda.next_deadline() is None
    first = hand.agenda.after(1, hand.note("1"))
    hand.agenda.after(2, hand.note("2"))
    assert hand.agenda.next_deadline() == 1
    first.cancel()
    assert hand.agenda.next_deadline() == 2


def test_the_driver_is_told_of_an_earlier_appointment_only() -> None:
    hand = Hand()
    told: list[float | None] = []
    hand.agenda.on_earlier = lambda: told.append(hand.agenda.next_deadline())
    hand.agenda.after(5, hand.note("5"))
    hand.agenda.after(9, hand.note("9"))
    hand.agenda.after(3, hand.note("3"))
    assert told == [5, 3]


def test_a_failing_action_leaves_the_others_on_the_agenda() -> None:
    hand = Hand()

    def fail() -> None:
        raise RuntimeError

    hand.agenda.after(1, fail)
    hand.agenda.after(1, hand.note("still there"))
    cancelled = hand.agenda.after(1, hand.note("cancelled"))
    hand.now = 1
    with pytest.raises(RuntimeError):
        hand.agenda.run_due()
    cancelled.cancel()
    assert len(hand.agenda) == 1
    assert hand.turn(0) == ["still there"]


def test_cancelled_appointments_do_not_pile_up() -> None:
    hand = Hand()
    hand.agenda.after(1e6, hand.note("far"))
    for _ in range(10_000):
        hand.agenda.after(1e5, hand.note("x")).cancel()
    assert len(hand.agenda) == 1
    assert len(hand.agenda._heap) < 200


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("at"), st.integers(0, 20)),
            st.tuples(st.just("cancel"), st.integers(0, 60)),
            st.tuples(st.just("turn"), st.integers(0, 5)),
        ),
        max_size=80,
    )
)
def test_it_agrees_with_a_plain_list(steps: list[tuple[str, int]]) -> None:
    hand = Hand()
    made: list[tuple[float, str, Appointment]] = []
    waiting: dict[str, float] = {}
    for what, number in steps:
        if what == "at":
            name = str(len(made))
            when = hand.now + number
            made.append((when, name, hand.agenda.after(number, hand.note(name))))
            waiting[name] = when
        elif what == "cancel" and number < len(made):
            made[number][2].cancel()
            waiting.pop(str(number), None)
        elif what == "turn":
            ran = hand.turn(number)
            due = [name for name, when in waiting.items() if when <= hand.now]
            assert ran == sorted(due, key=lambda name: (waiting[name], int(name)))
            for name in due:
                del waiting[name]
        assert len(hand.agenda) == len(waiting)
        assert hand.agenda.next_deadline() == min(waiting.values(), default=None)
