"""One request of a STUN client until it is answered or given up (RFC 8489 section 6.2)."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from wlnet.protocols.stun import wire
from wlnet.protocols.stun.wire import BINDING, Attribute, Change, Endpoint, Kind, Message


class Pace(Struct, frozen=True, kw_only=True):
    """When to send again.

    :ivar rto: seconds until the first retransmission; the waits double (RFC 8489: at least 0.5 s unless
        the round trip time is known).
    :ivar tries: how often a request is sent at most.
    :ivar last_wait: how many *rto* to wait for an answer to the last.
    """

    rto: float = 0.5
    tries: int = 7
    last_wait: float = 16.0


STREAM_PACE = Pace(rto=39.5, tries=1, last_wait=1.0)
"""Over TCP a request is sent once (RFC 8489 section 6.2.2)."""

SHORTEST_RTO = 0.1


def pace_for(rtt: float | None, tries: int, unknown_rto: float = 0.5, last_wait: float = 2.0) -> Pace:
    """The pace for a known round trip time (RFC 6298, one measurement), else with *unknown_rto*."""
    rto = unknown_rto if rtt is None else max(SHORTEST_RTO, 3 * rtt)
    return Pace(rto=rto, tries=tries, last_wait=last_wait)


class State(Enum):
    """Where a transaction is."""

    PENDING = "pending"
    ANSWERED = "answered"
    FAILED = "failed"
    TIMED_OUT = "timed out"


class StunTransaction:
    """A Binding request. Ask :meth:`due` for what to send at the start and whenever the deadline has come.

    :param identity: 12 random bytes; only who saw the request can make an answer.
    :param destination: where it goes, and where the answer must come from.
    :param change: asks for an answer from elsewhere.
    :param now: seconds of any clock that does not go back; all times are of that clock.
    :ivar answer: the answer, of either kind, once there is one.
    :ivar source: where it came from.
    :ivar rtt: seconds, if it is known which of the requests sent was answered.
    """

    def __init__(
        self,
        identity: bytes,
        destination: Endpoint,
        now: float,
        pace: Pace | None = None,
        change: Change = Change.NONE,
    ) -> None:
        self.identity = identity
        self.destination = destination
        self.change = change
        self.state = State.PENDING
        self.answer: Message | None = None
        self.source: Endpoint | None = None
        self.rtt: float | None = None
        self.sent = 0
        attributes = ((int(Attribute.CHANGE_REQUEST), wire.change_value(change)),) if change else ()
        self.request = wire.encode(Message(Kind.REQUEST, BINDING, identity, attributes, True))
        self._pace = pace or Pace()
        self._wait = self._pace.rto
        self._next = now
        self._sent_at = now

    def due(self, now: float) -> bytes | None:
        """The request, if it is to be sent now. May end the transaction."""
        if self.state is not State.PENDING or now < self._next:
            return None
        if self.sent >= self._pace.tries:
            self.state = State.TIMED_OUT
            return None
        self.sent += 1
        self._sent_at = now
        if self.sent >= self._pace.tries:
            self._next = now + self._pace.rto * self._pace.last_wait
        else:
            self._next = now + self._wait
            self._wait *= 2
        return self.request

    def next_deadline(self) -> float | None:
        """When :meth:`due` is to be asked next; None once it has ended."""
        return self._next if self.state is State.PENDING else None

    def receive(self, message: Message, source: Endpoint, now: float) -> bool:
        """Take *message* if it is the answer; True if it is (also one that comes twice)."""
        if message.transaction != self.identity or message.kind not in (Kind.SUCCESS, Kind.ERROR):
            return False
        if source != self.destination and not self.change:
            return False
        if self.state is State.PENDING and self.sent:
            self.state = State.ANSWERED if message.kind is Kind.SUCCESS else State.FAILED
            self.answer = message
            self.source = source
            if self.sent == 1:  # else it may answer an earlier one (RFC 8489 section 6.2.1, Karn)
                self.rtt = max(0.0, now - self._sent_at)
        return True

    def give_up(self) -> None:
        """Wait no longer."""
        if self.state is State.PENDING:
            self.state = State.TIMED_OUT
