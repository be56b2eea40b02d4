"""The sockets of one attempt, and where they can be reached: docs/protocols/gather.md.

Order matters where a NAT counts ports up: the survey is over before, TCP is measured before UDP, and nothing
else is opened until what was measured is said.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.gather import limits
from wlnet.client.gather.datagrams import KeptDatagram
from wlnet.client.gather.listening import KeptListener
from wlnet.client.gather.mappings import Lease, Mapped, Mapper
from wlnet.client.gather.presenting import Offer, present
from wlnet.client.gather.surveyor import Surveyor
from wlnet.client.gather.web import WebDoors, WebSeat
from wlnet.client.gather.words import WEB_PORT, GatheringEvents, GatherOptions, Line
from wlnet.client.net.network import Accepted, DatagramSocket, Listener, Network, Received, Timer
from wlnet.limits.addresses import parse_address
from wlnet.limits.buckets import TokenBucket
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Transport
from wlnet.steering.view import is_public

_Kept = KeptDatagram | KeptListener


class Gathering:
    """For one attempt. Opens its sockets at once, sends nothing before :meth:`begin`.

    :param mapper: asks the router for mappings; None: nobody does.
    :param doors: of all attempts; None: we are not to be reachable at 443.
    :ivar notes: what somebody should know who wonders, such as a mapping that lies.
    """

    def __init__(
        self,
        network: Network,
        surveyor: Surveyor,
        attempt: int,
        events: GatheringEvents,
        options: GatherOptions,
        mapper: Mapper | None = None,
        doors: WebDoors | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._network = network
        self._surveyor = surveyor
        self._attempt = attempt
        self._events = events
        self._options = options
        self._router = mapper if options.mappings else None
        self._doors = doors if options.web_port else None
        self._kept: dict[Line, _Kept] = {}
        self._web: dict[Family, WebSeat] = {}
        self._leases: dict[Line, Lease] = {}
        self._asked: set[Line] = set()
        self._unanswered: set[Line] = set()
        self._said = 0
        self._last: object = None
        self._begun_at: float | None = None
        self._complete = False
        self._closed = False
        self._tokens: dict[str, None] = {}
        self._knocks = TokenBucket(limits.KNOCKS, limits.KNOCK_BURST, network.now())
        self._cancel_wait: Callable[[], None] = lambda: None
        self._timers: dict[str, Timer] = {}
        surveyor.hold(self, limits.HOLD)
        if not options.relay_only:
            self._open()
        self._later("begin", limits.START_AT_LATEST, self.begin)

    # -- for who asked for it ------------------------------------------------------------------------

    def begin(self) -> None:
        """The relay is bound: measure. Done by itself a moment after the beginning."""
        if self._closed or self._begun_at is not None:
            return
        self._begun_at = self._network.now()
        self._drop("begin")
        self._later("complete", limits.COMPLETE_AT_LATEST - limits.START_AT_LATEST, self._conclude)
        self._later("survey", limits.SURVEY_WAIT, self._measure)
        self._cancel_wait = self._surveyor.when_known(self._measure)

    @property
    def primer_hops(self) -> int | None:
        """TTL of primers; None: not known.

        While it is still looked for this is a guess: the sockets made here put in its place what is known
        when they send.
        """
        known = [self._primer_hops(family) for family in self._surveyor.families]
        guess = limits.GUESSED_HOPS if self._surveyor.searching else None
        return min((one for one in known if one is not None), default=guess)

    def _primer_hops(self, family: Family) -> int | None:
        return self._surveyor.survey.primer_hops(family)

    def adopt_datagram(self, family: Family, port: int, received: Received) -> DatagramSocket | None:
        """The UDP socket bound to *port*: all else that arrives goes to *received*. None: not ours."""
        kept = self._kept.get((Transport.UDP, family))
        if self._closed or not isinstance(kept, KeptDatagram) or kept.closed or kept.local.port != port:
            return None
        return kept.adopt(received)

    def adopt_listener(self, family: Family, port: int, accepted: Accepted) -> Listener | None:
        """The listening socket bound to *port*; None: not ours."""
        for kept in (self._kept.get((Transport.TCP, family)), self._web.get(family)):
            if isinstance(kept, KeptListener | WebSeat) and not kept.closed and kept.local.port == port:
                return None if self._closed else kept.adopt(accepted)
        return None

    def close(self) -> None:
        """Close what was not adopted, give mappings back; nothing is called any more."""
        if self._closed:
            return
        self._closed = True
        self._cancel_wait()
        for name in list(self._timers):
            self._drop(name)
        for lease in self._leases.values():
            lease.close()
        self._leases.clear()
        for kept in (*self._kept.values(), *self._web.values()):
            kept.forget()
        self._surveyor.release(self)

    # -- sockets -------------------------------------------------------------------------------------

    def _open(self) -> None:
        for family in self._surveyor.families:
            if self._options.udp:
                moved = partial(self._moved, (Transport.UDP, family))
                hops = partial(self._primer_hops, family)
                self._keep((Transport.UDP, family), partial(KeptDatagram, moved=moved, hops=hops))
            if self._options.tcp:
                self._keep((Transport.TCP, family), KeptListener)
                if self._doors is not None:
                    self._open_web(family, self._doors)
        if self._router is not None:
            self._ask_router(self._router)

    def _keep(self, line: Line, make: Callable[..., _Kept]) -> None:
        try:
            self._kept[line] = make(self._network, line[1], self._knocked)
        except OSError as error:
            self.notes.append(f"no {line[0].value} socket over IPv{line[1].value}: {error}")

    def _open_web(self, family: Family, doors: WebDoors) -> None:
        public = any(is_public(one) for one in self._addresses(family))
        try:
            seat = doors.enter(
                family, self._attempt, public=public, knocked=self._knocked, changed=self._changed
            )
        except OSError as error:
            self.notes.append(f"not reachable at port {WEB_PORT} over IPv{family.value}: {error}")
            return
        if seat is not None:
            self._web[family] = seat

    def _addresses(self, family: Family) -> list[str]:
        """Our own addresses, the one the system prefers first."""
        server = self._surveyor.server(family)
        preferred = self._network.source_for(server) if server is not None else None
        known = dict.fromkeys([preferred] if preferred is not None else [])
        known |= dict.fromkeys(self._network.interfaces())
        return [one for one in known if (":" in one) == (family is Family.V6)][: limits.MAX_HOSTS]

    # -- measuring -----------------------------------------------------------------------------------

    def _measure(self) -> None:
        """TCP first, UDP last, unless the order does not matter."""
        self._drop("survey")
        self._cancel_wait()
        if self._closed or self._asked or self._complete:
            return
        survey = self._surveyor.survey
        lines = [line for line in self._kept if not survey.is_blocked(*line)]
        self._asked = set(lines)
        self._unanswered = set(lines)
        streams = [line for line in lines if line[0] is Transport.TCP]
        for line in streams:
            self._ask(line)
        if streams and survey.counts:
            self._later("head", limits.STREAM_HEAD, self._measure_datagrams)
        else:
            self._measure_datagrams()
        self._settle()

    def _measure_datagrams(self) -> None:
        self._drop("head")
        for line in self._asked:
            if line[0] is Transport.UDP:
                self._ask(line)

    def _ask(self, line: Line) -> None:
        kept = self._kept[line]
        server = self._surveyor.server(line[1])
        if server is None or kept.closed:
            self._unanswered.discard(line)
        elif isinstance(kept, KeptDatagram):
            kept.ask(server)
        else:
            kept.ask(server, partial(self._moved, line))

    def _moved(self, line: Line, mapped: Endpoint | None) -> None:  # noqa: ARG002
        if self._closed:
            return
        self._unanswered.discard(line)
        streams = any(one[0] is Transport.TCP for one in self._unanswered)
        if "head" in self._timers and not streams:
            self._measure_datagrams()
        self._settle()

    def _settle(self) -> None:
        """Say it if there is nothing more to wait for, or something new."""
        if self._complete:
            self._later("late", limits.LATE, self._say)
        elif not self._unanswered:
            self._conclude()

    def _conclude(self) -> None:
        """Say what is known as complete, and what comes later as it comes."""
        if self._complete or self._closed:
            return
        self._complete = True
        self._drop("complete")
        self._say()
        self._later("expire", limits.UNUSED, self._expire)
        if not self._surveyor.survey.complete:
            self._cancel_wait = self._surveyor.when_known(self._catch_up, over=True)

    def _catch_up(self) -> None:
        """The survey is over late: where something came back after all, measure as well."""
        survey = self._surveyor.survey
        for line in [line for line in self._kept if line not in self._asked]:
            if not self._closed and not survey.is_blocked(*line):
                self._asked.add(line)
                self._ask(line)
        self._settle()

    def _expire(self) -> None:
        """No plan names any more what none has named by now."""
        for line, kept in self._kept.items():
            if not kept.adopted:
                kept.forget()
                lease = self._leases.pop(line, None)
                if lease is not None:
                    lease.close()
        for seat in self._web.values():
            if not seat.adopted:
                seat.forget()

    # -- mappings ------------------------------------------------------------------------------------

    def _ask_router(self, router: Mapper) -> None:
        for line, kept in self._kept.items():
            told = partial(self._granted, kept)
            self._leases[line] = router.map(*line, kept.local.port, told)

    def _granted(self, kept: _Kept, mapped: Mapped | None) -> None:
        kept.granted = mapped
        self._changed()

    def _changed(self) -> None:
        if self._complete and not self._closed:
            self._settle()

    def _believed(self, line: Line, granted: Mapped | None, seen: set[str]) -> Mapped | None:
        """Unless the router's outer address is the one the server sees, nobody gets through to it."""
        if granted is None:
            return None
        try:
            address = str(parse_address(granted.address))
        except ValueError:
            return None
        if address in seen:
            return granted
        note = f"the router maps {line[0].value} to {address}, where the server does not see us"
        if note not in self.notes and len(self.notes) < limits.MAX_NOTES:
            self.notes.append(note)
        return None

    # -- saying --------------------------------------------------------------------------------------

    def _say(self) -> None:
        self._drop("late")
        if self._closed or self._said >= limits.MAX_SAID:
            return
        survey = self._surveyor.survey
        seen = set(survey.seen)
        seen |= {kept.mapped.host for kept in self._kept.values() if kept.mapped is not None}
        offers = []
        for line, kept in self._kept.items():
            if not kept.closed:
                granted = self._believed(line, kept.granted, seen)
                addresses = self._addresses(line[1])
                offers.append(Offer(line, kept.local.port, addresses, kept.mapped, granted))
        for family, seat in self._web.items():
            if not seat.closed:
                line = (Transport.TCP, family)
                own = [one for one in self._addresses(family) if is_public(one)]
                granted = self._believed(line, seat.granted, seen)
                offers.append(Offer(line, seat.local.port, own, None, granted))
        candidates = present(
            self._attempt,
            offers,
            survey,
            self._options,
            most=self._surveyor.most_candidates,
            complete=self._complete,
        )
        if candidates != self._last:
            self._last = candidates
            self._said += 1
            self._events.gathered(candidates)

    # -- small things --------------------------------------------------------------------------------

    def _knocked(self, token: str) -> None:
        if self._closed or token in self._tokens or not self._knocks.take(self._network.now()):
            return
        self._tokens[token] = None
        if len(self._tokens) > limits.KNOCK_BURST:
            del self._tokens[next(iter(self._tokens))]
        self._events.probed(token)

    def _later(self, name: str, delay: float, call: Callable[[], None]) -> None:
        if name not in self._timers:
            self._timers[name] = self._network.call_later(delay, partial(self._due, name, call))

    def _due(self, name: str, call: Callable[[], None]) -> None:
        self._timers.pop(name, None)
        call()

    def _drop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
