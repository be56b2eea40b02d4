from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.web.health import LagMeter, Part, Readiness


def test_lag_is_how_late_the_look_comes() -> None:
    clock = Clock()
    agenda = Agenda(clock.seconds)
    meter = LagMeter(agenda)
    assert (meter.latest, meter.worst) == (0.0, 0.0)
    meter.start()
    for step in (1.0, 4.0, 1.25):  # in time, three seconds late, a quarter late
        clock.advance(step)
        agenda.run_due()
    assert meter.latest == pytest.approx(0.25)
    assert meter.worst == pytest.approx(3.0)
    for _ in range(60):  # a minute later that is forgotten
        clock.advance(1.0)
        agenda.run_due()
    assert (meter.latest, meter.worst) == (0.0, 0.0)


def test_a_stopped_meter_makes_no_more_appointments() -> None:
    clock = Clock()
    agenda = Agenda(clock.seconds)
    meter = LagMeter(agenda)
    meter.start()
    meter.stop()
    assert agenda.next_deadline() is None


def test_readiness_asks_each_part_anew() -> None:
    trouble = {Part.DATABASE: "away", Part.LINK: ""}
    readiness = Readiness({part: lambda part=part: trouble[part] for part in trouble})  # type: ignore[misc]
    assert readiness.parts == (Part.DATABASE, Part.LINK)
    assert readiness.missing() == [(Part.DATABASE, "away")]
    assert not readiness.ready(Part.DATABASE)
    assert readiness.ready(Part.LINK)
    trouble[Part.DATABASE] = ""
    assert readiness.missing() == []
