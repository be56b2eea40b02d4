"""One guest, one host, one attempt to give them the best path: planned, raced, settled, upgraded, ended once.

    gathering ──► planned ──► racing ──► upgrading ──► ended
        │            │           └─────► settled ────► ended
        └────────────┴── (anything may end it) ──────► ended

The relay's steps go out at once, with a plan made of nothing; the others when both sides have told what they
are, or when the time for that is up. Whatever comes later makes a new plan of which only what is new is sent.
Play is believed only when both sides report the game's own bytes over the same path.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from wlnet.agenda import Agenda, Appointment
from wlnet.steering.model import Side
from wlnet.steering.orders import Skipped
from wlnet.steering.plan import make_plan
from wlnet.steering.progress import Numbered, Progress, SentSteps
from wlnet.steering.rules import PlanOptions
from wlnet.steering.timings import Timings
from wlnet.steering.trace import EndReason, Entry, Event, Outcome, Trace, sentence
from wlnet.steering.view import PeerView

__all__ = ["Attempt", "AttemptEvents", "Ignored", "Numbered", "Phase", "Result", "Timings"]


class Phase(StrEnum):
    """How far an attempt is."""

    GATHERING = "gathering"
    PLANNED = "planned"
    RACING = "racing"
    UPGRADING = "upgrading"
    """The game is carried; something better is still being tried."""
    SETTLED = "settled"
    """The game is carried, and nothing better is left to try."""
    ENDED = "ended"


class Result(StrEnum):
    """What a side reports of a step."""

    OPENED = "opened"
    """Authenticated checks passed both ways."""
    FAILED = "failed"
    LOST = "lost"
    """It carried the game and does not any more."""


class Ignored(StrEnum):
    """Why a report changed nothing."""

    ENDED = "the attempt is over"
    UNKNOWN_STEP = "there is no such step"
    NOT_INVOLVED = "this side has no part in that step"
    DUPLICATE = "that was reported before"
    TOO_MANY = "too many plans were made already"


class AttemptEvents(Protocol):
    """What an attempt tells its owner, who may call nothing of it from here."""

    def planned(
        self, attempt: Attempt, revision: int, steps: tuple[Numbered, ...], skipped: tuple[Skipped, ...]
    ) -> None:
        """Both sides are to be given these steps in addition to those they have."""

    def settled(self, attempt: Attempt, step: Numbered) -> None:
        """Both sides play over *step*; called again when they move to a better one."""

    def ended(self, attempt: Attempt) -> None:
        """Called once; :attr:`Attempt.outcome` says why."""


class Attempt:
    """The state machine.

    :param number: unique in this server; late messages of former attempts carry another one.
    :param host: what is known of the host already; *guest*: of the guest.
    """

    def __init__(
        self,
        number: int,
        agenda: Agenda,
        events: AttemptEvents,
        timings: Timings,
        options: PlanOptions,
        *,
        host: PeerView,
        guest: PeerView,
    ) -> None:
        self.number = number
        self.phase = Phase.GATHERING
        self.outcome: Outcome | None = None
        self.trace = Trace(timings.max_trace)
        self.skipped: tuple[Skipped, ...] = ()
        self._agenda = agenda
        self._events = events
        self._timings = timings
        self._options = options
        self._views = {Side.HOST: host, Side.GUEST: guest}
        self._complete: set[Side] = set()
        self._begun = agenda.now()
        self._steps = SentSteps(agenda, timings.slack, timings.max_steps, self._too_late)
        self._plans = 0
        self._best: Progress | None = None
        self._first_at: float | None = None
        self._best_at = 0.0
        self._replanning: Appointment | None = None
        self._limit: Appointment | None = None
        self._gathered: Appointment | None = None
        self._longest: Appointment | None = None
        self._expected: Appointment | None = None

    # -- life ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start: the relay's steps go out now."""
        self._note(Event.BEGUN)
        self._limit_to(self._timings.connect, EndReason.NO_PATH)
        self._gathered = self._agenda.after(self._timings.gather, self._gathering_over)
        self._longest = self._agenda.after(self._timings.longest, self._long_enough)
        self._plan()

    @property
    def birthday_tried(self) -> bool:
        """A birthday step was sent."""
        return self._steps.birthday_tried

    def view(self, side: Side) -> PeerView:
        """What is known of *side*."""
        return self._views[side]

    def present(self, side: Side, view: PeerView, *, complete: bool) -> Ignored | None:
        """*side* has told (more of) what it is; *complete*: it expects to find nothing more for now."""
        if self.phase is Phase.ENDED:
            return Ignored.ENDED
        if view == self._views[side] and (not complete or side in self._complete):
            return Ignored.DUPLICATE
        self._views[side] = view
        self._note(Event.CANDIDATES, side, detail=f"{len(view.candidates)} candidates")
        if complete:
            self._complete.add(side)
        if self.phase is Phase.GATHERING:
            if len(self._complete) == len(Side):
                self._gathering_over()
            return None
        return self._replan_later()

    def expect(self, seconds: float) -> None:
        """A side was asked for something more: what there is is not settled for before, at most so long."""
        if self.phase is not Phase.ENDED:
            _cancel(self._expected)
            self._expected = self._agenda.after(seconds, self._expected_over)

    def _expected_over(self) -> None:
        self._expected = None
        self._look()

    def measured_round_trip(self, side: Side, seconds: float) -> None:
        """The round trip between this server and *side*, for what is planned from now on."""
        self._views[side] = replace(self._views[side], round_trip=seconds)

    def end(self, reason: EndReason) -> None:
        """End it, whatever its phase; nothing if it has ended."""
        if self.phase is Phase.ENDED:
            return
        self.phase = Phase.ENDED
        for appointment in (self._limit, self._gathered, self._replanning, self._longest, self._expected):
            _cancel(appointment)
        for progress in self._steps:
            progress.unwatch()
        best = self._best
        self.outcome = Outcome(
            reason=reason,
            step=best.numbered.step if best is not None else None,
            first=self._first_at or 0.0,
            best=self._best_at,
        )
        self._note(Event.ENDED, detail=reason.value)
        self._events.ended(self)

    def forget(self) -> None:
        """It has ended, and all were told: of what it took only the outcome is kept."""
        self.trace = Trace(0)
        self.skipped = ()
        self._views = {side: PeerView() for side in Side}
        self._steps.clear()

    # -- what the sides report -------------------------------------------------------------------

    def report(self, side: Side, number: int, result: Result, detail: str = "") -> Ignored | None:
        """*side* tells what became of a step; why it changed nothing, if so."""
        progress = self._involved(side, number)
        if isinstance(progress, Ignored):
            return progress
        if result is Result.OPENED:
            if side in progress.opened:
                return Ignored.DUPLICATE
            progress.opened.add(side)
            self._note(Event.OPENED, side, progress.numbered)
        elif result is Result.LOST:
            return self._lost(side, progress, detail)
        else:
            if progress.closed:
                return Ignored.DUPLICATE
            self._note(Event.FAILED, side, progress.numbered, detail)
            progress.close()
        self._raced()
        self._look()
        return None

    def carried(self, side: Side, number: int) -> Ignored | None:
        """*side* has got bytes of the game itself over that step; why it changed nothing, if so."""
        progress = self._involved(side, number)
        if isinstance(progress, Ignored):
            return progress
        if side in progress.carried:
            return Ignored.DUPLICATE
        progress.opened.add(side)
        progress.carried.add(side)
        self._note(Event.CARRIED, side, progress.numbered)
        self._raced()
        if self._steps.carried_by_both(progress) and progress.better_than(self._best):
            self._settle(progress)
        self._look()
        return None

    def _lost(self, side: Side, progress: Progress, detail: str) -> Ignored | None:
        if side not in progress.carried:
            return Ignored.DUPLICATE
        progress.carried.discard(side)
        self._note(Event.LOST, side, progress.numbered, detail)
        if progress is not self._best:
            return None
        # The sides fall back to another path by themselves, if there is one.
        self._best = self._steps.best_carrying()
        if self._best is None:
            self.phase = Phase.RACING
            self._limit_to(self._timings.connect, EndReason.NO_PATH)
        return None

    def _involved(self, side: Side, number: int) -> Progress | Ignored:
        if self.phase is Phase.ENDED:
            return Ignored.ENDED
        progress = self._steps.get(number)
        if progress is None:
            return Ignored.UNKNOWN_STEP
        if progress.numbered.step.order(side) is None:
            return Ignored.NOT_INVOLVED
        return progress

    def _raced(self) -> None:
        if self.phase is Phase.PLANNED:
            self.phase = Phase.RACING

    def _settle(self, progress: Progress) -> None:
        now = self._seconds()
        if self._best is None:
            self._limit_to(self._timings.upgrade, EndReason.CONNECTED)
        if self._first_at is None:
            self._first_at = now
        self._best, self._best_at = progress, now
        self._note(Event.SETTLED, None, progress.numbered)
        self._events.settled(self, progress.numbered)

    def _look(self) -> None:
        """Where are we: is anything better than what we have still possible, or anything at all?"""
        if self.phase in {Phase.ENDED, Phase.GATHERING}:
            return
        more = (
            self._replanning is not None
            or self._expected is not None
            or len(self._complete) < len(Side)
            or any(not one.closed and one.better_than(self._best) for one in self._steps)
        )
        if self._best is not None:
            self.phase = Phase.UPGRADING if more else Phase.SETTLED
        if not more:
            self.end(EndReason.CONNECTED if self._best is not None else EndReason.NO_PATH)

    def _limit_to(self, seconds: float, reason: EndReason) -> None:
        _cancel(self._limit)
        self._limit = self._agenda.after(seconds, partial(self.end, reason))

    def _long_enough(self) -> None:
        self.end(EndReason.CONNECTED if self._best is not None else EndReason.NO_PATH)

    # -- plans -----------------------------------------------------------------------------------

    def _gathering_over(self) -> None:
        if self.phase is Phase.GATHERING:
            _cancel(self._gathered)
            self._gathered = None
            self.phase = Phase.PLANNED
            self._plan()
            self._look_again_at_relay()

    def _look_again_at_relay(self) -> None:
        """Play over the relay may have begun while candidates were still gathered."""
        if any(progress.opened for progress in self._steps):
            self._raced()
        self._look()

    def _replan_later(self) -> Ignored | None:
        if self._plans >= self._timings.max_plans:
            return Ignored.TOO_MANY
        if self._replanning is None:
            self._replanning = self._agenda.after(self._timings.replan, self._replan)
        return None

    def _replan(self) -> None:
        self._replanning = None
        self._plan()
        self._look()

    def _plan(self) -> None:
        self._plans += 1
        options = replace(self._options, birthday_spent=self._options.birthday_spent or self.birthday_tried)
        plan = make_plan(self._views[Side.HOST], self._views[Side.GUEST], options)
        self.skipped = plan.skipped
        fresh = self._steps.add(plan)
        self._note(Event.PLANNED, detail=f"{len(fresh)} new steps, {len(plan.skipped)} left out")
        for numbered in fresh:
            self._note(Event.STEP, None, numbered, numbered.step.why)
        for skipped in plan.skipped:
            self.trace.add(
                Entry(
                    at=self._seconds(),
                    event=Event.SKIPPED,
                    technique=skipped.technique,
                    transport=skipped.transport,
                    family=skipped.family,
                    detail=skipped.reason,
                )
            )
        self._events.planned(self, self._plans, fresh, plan.skipped)

    def _too_late(self, progress: Progress) -> None:
        if not progress.opened:
            self._note(Event.TIMED_OUT, None, progress.numbered)
        elif progress.carried == set(Side):
            return
        progress.close()
        self._look()

    # -- words -----------------------------------------------------------------------------------

    def sentence(self) -> str:
        """What a player is told about it; sensible once it has ended."""
        if self.outcome is None:
            return "Still trying."
        failures = dict.fromkeys(
            f"{entry.technique} over {entry.transport.value.upper()}"
            for entry in self.trace.entries
            if entry.event in {Event.FAILED, Event.TIMED_OUT} and entry.transport is not None
        )
        return sentence(self.outcome, tuple(failures), self.skipped)

    def steps(self) -> tuple[Numbered, ...]:
        """All steps sent so far."""
        return tuple(progress.numbered for progress in self._steps)

    def _seconds(self) -> float:
        return round(self._agenda.now() - self._begun, 4)

    def _note(
        self, event: Event, side: Side | None = None, numbered: Numbered | None = None, detail: str = ""
    ) -> None:
        step = numbered.step if numbered is not None else None
        self.trace.add(
            Entry(
                at=self._seconds(),
                event=event,
                side=side,
                step=numbered.number if numbered is not None else None,
                technique=step.technique if step is not None else None,
                transport=step.transport if step is not None else None,
                family=step.family if step is not None else None,
                detail=detail,
            )
        )


def _cancel(appointment: Appointment | None) -> None:
    if appointment is not None:
        appointment.cancel()
