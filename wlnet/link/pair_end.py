"""The relay's end of the link, as far as pairs go: load told, revocations heard, observations passed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from wlnet.agenda import Agenda, Appointment
from wlnet.config import schema
from wlnet.limits.buckets import KeyedBuckets
from wlnet.link.messages import FromRelay, Observe, PairLoad
from wlnet.metrics import Front, Limit, Metrics
from wlnet.relay.control import PairControl
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import Rendezvous, TicketError, to_text, verify

Answer = Callable[[bytes], object]
"""Sends the serial of a ticket back to where the ticket came from."""


@dataclass(frozen=True, slots=True)
class _Asked:
    serial: bytes
    answer: Answer
    timer: Appointment


class PairEnd:
    """Speaks with the lobby while there is one; without one, observations are dropped.

    :param load: so many pairs are carried now.
    :param control: None: no pairs are carried here, only observations passed on.
    :param keys: the keys in force now, the lobby's.
    :param wall: Unix seconds.
    """

    def __init__(
        self,
        settings: schema.Link,
        rendezvous: schema.Rendezvous,
        agenda: Agenda,
        metrics: Metrics,
        keys: Callable[[], TicketKeys],
        wall: Callable[[], float],
        control: PairControl | None,
        load: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._skew = rendezvous.clock_skew
        self._agenda = agenda
        self._metrics = metrics
        self._keys = keys
        self._wall = wall
        self._control = control
        self._load = load
        self._rate = KeyedBuckets(agenda.now, settings.observation_rate, settings.observation_burst)
        self._asked: dict[int, _Asked] = {}
        self._numbers = count(1)
        self._told = -1
        self._timer: Appointment | None = None
        self._tell: Callable[[FromRelay], None] | None = None

    # From the link.

    def linked(self, tell: Callable[[FromRelay], None]) -> None:
        """The lobby is there; *tell* sends to it."""
        self._tell = tell
        self._told = -1
        self._tell_load()

    def lost(self) -> None:
        """It is not there any more. Pairs live on; what it was asked it will not answer."""
        self._tell = None
        if self._timer is not None:
            self._timer.cancel()
        for asked in self._asked.values():
            asked.timer.cancel()
        self._asked.clear()

    def revoke(self, pairs: tuple[str, ...]) -> None:
        """The lobby ends pairs."""
        if self._control is not None:
            for pair in pairs:
                self._control.revoke(pair)

    def observed(self, request: int, ok: bool) -> None:
        """The lobby's answer; one that was waited for too long is ignored."""
        asked = self._asked.pop(request, None)
        if asked is None:
            return
        asked.timer.cancel()
        if ok:
            asked.answer(asked.serial)

    # From the ports.

    def observe(self, ticket: bytes, address: str, answer: Answer) -> None:
        """A ticket came from *address* (an IP literal). Only what the lobby made is passed on.

        Whether it was used before is for the lobby to say; who shows the same again and again uses up what
        may be passed on of his own player only.
        """
        tell = self._tell
        if tell is None:
            return
        if len(self._asked) >= self._settings.max_observations:
            self._limited(Limit.PENDING)
            return
        try:
            checked = verify(self._keys(), Rendezvous, ticket, now=self._wall(), skew=self._skew)
        except TicketError:
            self._limited(Limit.TICKETS)
            return
        if not self._rate.take(checked.subject):
            self._limited(Limit.REQUEST_RATE)
            return
        request = next(self._numbers)
        timer = self._agenda.after(self._settings.open_timeout, lambda: self._too_late(request))
        self._asked[request] = _Asked(checked.serial, answer, timer)
        tell(Observe(request=request, ticket=to_text(ticket), address=address.partition("%")[0]))

    # Parts.

    def _tell_load(self) -> None:
        tell = self._tell
        if tell is None or self._control is None:
            return
        self._timer = self._agenda.after(self._settings.keepalive, self._tell_load)
        load = self._load()
        if load != self._told:
            self._told = load
            tell(PairLoad(pairs=load))

    def _too_late(self, request: int) -> None:
        self._asked.pop(request, None)

    def _limited(self, limit: Limit) -> None:
        self._metrics.limited(Front.LINK, limit)
