from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.relay.rota import Rota


class Watch:
    def __init__(self, delay: float) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.due: list[str] = []
        self.rounds = 0
        self.also: Callable[[str], None] = lambda _thing: None
        self.rota = Rota[str](self.agenda, delay, self.act, self.after)

    def act(self, thing: str) -> None:
        self.due.append(thing)
        self.also(thing)

    def after(self) -> None:
        self.rounds += 1

    def wait(self, seconds: float) -> list[str]:
        self.clock.advance(seconds)
        self.agenda.run_due()
        due, self.due = self.due, []
        return due


def test_each_comes_due_once_after_the_delay() -> None:
    watch = Watch(10.0)
    watch.rota.enter("a")
    assert watch.wait(4) == []
    watch.rota.enter("b")
    assert watch.wait(6) == ["a"]
    assert watch.wait(4) == ["b"]
    assert watch.wait(100) == []
    assert len(watch.rota) == 0
    assert watch.rounds == 2


def test_entering_again_starts_the_delay_anew() -> None:
    watch = Watch(10.0)
    watch.rota.enter("a")
    watch.rota.enter("b")
    watch.wait(5)
    watch.rota.enter("a")
    assert watch.wait(5) == ["b"]
    assert watch.wait(5) == ["a"]


def test_who_left_does_not_come_due() -> None:
    watch = Watch(10.0)
    watch.rota.enter("a")
    watch.rota.enter("b")
    watch.rota.leave("a")
    watch.rota.leave("stranger")
    assert watch.wait(10) == ["b"]


def test_one_may_leave_because_of_another_in_the_same_round() -> None:
    watch = Watch(10.0)
    watch.also = lambda _thing: watch.rota.leave("b")
    for name in "abc":
        watch.rota.enter(name)
    assert watch.wait(10) == ["a", "c"]


def test_an_action_may_enter_its_thing_again() -> None:
    watch = Watch(10.0)
    watch.also = watch.rota.enter
    watch.rota.enter("a")
    assert [watch.wait(10) for _ in range(3)] == [["a"], ["a"], ["a"]]


def test_thousands_need_one_appointment() -> None:
    watch = Watch(10.0)
    for number in range(5000):
        watch.rota.enter(str(number))
    assert len(watch.agenda) == 1
    watch.rota.stop()
    assert len(watch.agenda) == 0
    assert watch.wait(10) == []
