"""One path: how it is checked, and when it is alive, suspect or lost. Pure arithmetic on times."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import NamedTuple

from wlnet.client.paths import limits
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import Family, PathKind, Technique, Transport

_KINDS = tuple(PathKind)
_SENT = 32


class Way(NamedTuple):
    """From a socket of ours to an endpoint of the peer; :data:`RELAYED` for whatever leg the relay has."""

    socket: int
    remote: Endpoint | None


RELAYED = Way(0, None)
"""There is one relayed path, whichever leg it takes."""


class State(Enum):
    """What is known of a path."""

    PROBING = "probing"
    ALIVE = "alive"
    LOST = "lost"


Rank = tuple[int, bool, bool, bool]


def rank_of(step: StepOrder) -> Rank:
    """The smaller the better: kind, LAN, UDP, IPv6, as in a plan."""
    return (
        _KINDS.index(step.kind),
        step.technique is not Technique.LAN,
        step.transport is Transport.TCP,
        step.family is Family.V4,
    )


class Path:
    """A path from the first authenticated packet on.

    :ivar rtt: smoothed round trip; None until the first answer.
    :ivar authentic: a right check of the peer came from there, so payloads are taken too.
    :ivar losses: how often it was lost.
    :ivar steady_at: it is not moved to by choice before this.
    :ivar suspect_at: when it becomes suspect unless answers come.
    """

    __slots__ = (
        "_sent",
        "_unanswered",
        "authentic",
        "carried",
        "interval",
        "losses",
        "next_check",
        "rank",
        "rtt",
        "state",
        "steady_at",
        "step",
        "tries",
        "validated_at",
        "way",
    )

    def __init__(self, way: Way, step: StepOrder, now: float) -> None:
        self.way = way
        self.state = State.PROBING
        self.rtt: float | None = None
        self.authentic = False
        self.carried = False
        self.losses = 0
        self.steady_at = now
        self.validated_at = now
        self.tries = 0
        self.interval = limits.STANDBY_INTERVAL
        self.next_check: float = now
        self._sent: deque[float] = deque(maxlen=_SENT)
        self._unanswered = 0
        self.serve(step)

    def serve(self, step: StepOrder) -> None:
        """It is a path of *step*."""
        self.step = step
        self.rank: Rank = rank_of(step)

    @property
    def alive(self) -> bool:
        """It may carry payloads."""
        return self.state is State.ALIVE

    @property
    def relayed(self) -> bool:
        """It goes through the relay."""
        return self.way == RELAYED

    @property
    def _patience(self) -> float:
        return max(limits.SHORTEST_PATIENCE, 2 * (self.rtt or 0.0))

    def suspect(self, now: float) -> bool:
        """Answers are missing."""
        return bool(self._sent) and now >= self._sent[0] + max(limits.SUSPECT_AFTER, 1.5 * (self.rtt or 0.0))

    def doubtful(self, now: float) -> bool:
        """An answer is overdue; the first sign that it may be dead."""
        return bool(self._sent) and now >= self._sent[0] + self._patience

    # -- checks ----------------------------------------------------------------------------------

    def sent(self, now: float) -> None:
        """A request went out; sets when the next one does."""
        self.tries += 1
        if self.state is State.ALIVE:
            if not self._sent:
                self._unanswered = 0
            self._unanswered += 1
            if len(self._sent) < _SENT:  # the oldest unanswered one counts
                self._sent.append(now)
            self.next_check = now + (
                limits.HURRIED_INTERVAL if self.doubtful(now) else min(self.interval, self._patience)
            )
        elif self.state is State.LOST:
            self.next_check = now + limits.RETRIES[min(self.tries, len(limits.RETRIES) - 1)]
        elif not self.relayed:
            self.next_check = now + limits.PROBE_INTERVAL
        else:
            early = self.tries < limits.RELAY_PROBE_TRIES
            self.next_check = now + (limits.RELAY_PROBE_INTERVAL if early else limits.RELAY_PROBE_SLOW)

    def answered(self, sent_at: float, now: float) -> bool:
        """A right reply to the request of *sent_at*; True if the path was not alive before."""
        sample = max(0.0, now - sent_at)
        self.rtt = sample if self.rtt is None or not self.alive else 0.875 * self.rtt + 0.125 * sample
        self.authentic = True
        if not self.alive:
            self.state = State.ALIVE
            self.tries = 0
            self._sent.clear()
            self._unanswered = 0
            self.validated_at = now
            self.steady_at = now + (min(limits.LONGEST_HOLD, 2.0**self.losses) if self.losses else 0.0)
            self.next_check = now + self.interval
            return True
        while self._sent and self._sent[0] <= sent_at:
            self._sent.popleft()
            self._unanswered = max(0, self._unanswered - 1)
        if not self._sent:
            self._unanswered = 0
            self.next_check = max(now, sent_at + self.interval)
        return False

    def use(self, current: bool, now: float) -> None:
        """It is, or is no longer, the path in use."""
        interval = limits.CURRENT_INTERVAL if current else limits.STANDBY_INTERVAL
        if interval != self.interval:
            self.interval = interval
            if self.alive:
                self.next_check = min(self.next_check, now + interval)

    def hurry(self, now: float) -> None:
        """Check it now: the peer just did. A lost path does not pay for that with one of its tries."""
        if self.state is State.LOST:
            self.tries = max(0, self.tries - 1)
        self.next_check = min(self.next_check, now)

    def prove(self, now: float) -> None:
        """It may soon be needed: check it now, unless an answer is awaited already."""
        if self.alive and not self._sent:
            self.next_check = min(self.next_check, now)

    # -- ends ------------------------------------------------------------------------------------

    def dead_at(self) -> float | None:
        """When it is lost unless an answer comes."""
        if not self.alive or not self._sent or self._unanswered < limits.DEAD_CHECKS:
            return None
        return self._sent[0] + max(limits.DEAD_AFTER, 2 * (self.rtt or 0.0))

    def lose(self, now: float) -> None:
        """It is lost; it is checked now and then."""
        self.state = State.LOST
        self.losses += 1
        self.tries = 0
        self._sent.clear()
        self._unanswered = 0
        self.next_check = now + limits.RETRIES[0]

    def reset(self, now: float) -> None:
        """Probe it from the beginning (a relay that is bound anew)."""
        if self.state is not State.ALIVE:
            self.state = State.PROBING
            self.tries = 0
        self.next_check = now

    def hopeless(self) -> bool:
        """All tries are used up."""
        if self.relayed or self.alive:
            return False
        most = limits.PROBE_TRIES if self.state is State.PROBING else len(limits.RETRIES)
        return self.tries >= most
