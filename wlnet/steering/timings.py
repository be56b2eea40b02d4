"""How long an attempt may take, and how much of anything it may make."""

from __future__ import annotations

from msgspec import Struct


class Timings(Struct, frozen=True, kw_only=True):
    """Durations in seconds, and bounds.

    :ivar gather: what has come by then makes the plan.
    :ivar connect: without play by then the attempt has failed.
    :ivar upgrade: after the first play, better paths are tried for so long at most.
    :ivar replan: pause before late candidates make a new plan.
    :ivar longest: an attempt whose paths come and go is not steered for longer than this.
    :ivar slack: added to the deadline of a step before it is given up for a side that says nothing.
    """

    gather: float = 2.0
    connect: float = 20.0
    upgrade: float = 45.0
    replan: float = 0.2
    longest: float = 180.0
    slack: float = 1.0
    max_plans: int = 6
    max_steps: int = 128
    max_trace: int = 200
