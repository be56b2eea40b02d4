"""Finds out over UDP what a NAT does to one local socket (RFC 5780 section 4; docs/protocols/stun.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from wlnet.protocols.stun import wire
from wlnet.protocols.stun.findings import (
    Finding,
    allocation_of,
    canonical,
    family_of,
    mapping_of,
    plausible_other,
)
from wlnet.protocols.stun.transaction import State, StunTransaction, pace_for
from wlnet.protocols.stun.wire import Attribute, Change, Endpoint, Kind, StunError
from wlnet.steering.model import (
    Behaviour,
    Candidate,
    CandidateKind,
    Filtering,
    Mapping,
    Transport,
)

SOCKETS = 4
"""Sockets worth having: the one in question, and three fresh ones."""
DEADLINE = 3.0
_FIRST_RTO = 0.25
_FIRST_TRIES = 5
_LATER_TRIES = 3
_BOTH = Change.ADDRESS | Change.PORT


class Transmit(NamedTuple):
    """Send *data* from the local socket of that number."""

    socket: int
    data: bytes
    destination: Endpoint


class BehaviourDiscovery:
    """Measures mapping, filtering, port allocation and hairpinning towards one server.

    The driver opens sockets, and then calls :meth:`transmits`, :meth:`receive` and :meth:`tick` as things
    happen, until :attr:`done`. It never takes longer than *deadline*, whatever is lost or blocked.

    The first socket is the one in question. The last two test hairpinning and the second one filtering, so it
    must not have sent to the server before; that and port allocation are left out without fresh sockets.

    :param server: the server's first address and first port.
    :param second_port: its second port.
    :param sockets: the endpoints of the local sockets, with the address the system uses towards the server.
    :param identity: makes 12 random bytes.
    :param now: seconds of any clock that does not go back.
    :param other: the server's second address, if known; its OTHER-ADDRESS is believed otherwise.
    :param deadline: seconds.
    :raises ValueError: no local socket, or the server is no IP literal.
    """

    def __init__(
        self,
        server: Endpoint,
        second_port: int,
        sockets: Sequence[Endpoint],
        identity: Callable[[], bytes],
        now: float,
        *,
        other: Endpoint | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        if not sockets:
            raise ValueError("no local socket")
        self.family = family_of(server)
        server = canonical(server)
        self._server = server
        self._second_port = second_port
        self._locals = tuple(sockets)
        self._identity = identity
        self._end = now + deadline
        self._running: dict[bytes, tuple[int, StunTransaction]] = {}
        self._out: list[Transmit] = []
        self._other: Endpoint | None = None
        self._other_address: StunTransaction | None = None
        self._filters: list[StunTransaction] = []
        self._hairpins: dict[bytes, int] = {}
        self._hairpin: bool | None = None
        self.finding: Finding | None = None
        # In this order on the wire, so that the ports of fresh mappings show how they are chosen.
        self._firsts = [self._ask(number, server, now) for number in range(len(self._locals))]
        self._other_port = self._ask(0, Endpoint(server.host, second_port), now)
        if other is not None:
            self._learn_other(other, now)
        self._send_due(now)

    @property
    def done(self) -> bool:
        """All is known that can be; :attr:`finding` says it."""
        return self.finding is not None

    @property
    def candidate(self) -> Candidate | None:
        """The server-reflexive candidate, long before all is done."""
        mapped = _mapped(self._firsts[0])
        if mapped is None or mapped.port == 0:
            return None
        return Candidate(
            kind=CandidateKind.SERVER_REFLEXIVE, transport=Transport.UDP, address=mapped.host,
            port=mapped.port, base_port=self._locals[0].port,
        )  # fmt: skip

    def so_far(self) -> Finding | None:
        """What is known before all is done: mapping and allocation after one or two round trips.

        Filtering and hairpinning are left out, since that nothing came is no result yet. None: not even that.
        """
        finding = self.finding or self._conclude()
        if finding.behaviour.mapping in (Mapping.BLOCKED, Mapping.UNKNOWN):
            return None
        if self.finding is not None:
            return finding
        behaviour = replace(finding.behaviour, filtering=Filtering.UNKNOWN, hairpin=self._hairpin)
        return replace(finding, behaviour=behaviour, certain_filtering=False)

    def transmits(self) -> list[Transmit]:
        """What to send now; ask after each other call."""
        out, self._out = self._out, []
        return out

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick` next; None when done."""
        if self.finding is not None:
            return None
        times = [deadline for _, one in self._running.values() if (deadline := one.next_deadline())]
        return min([*times, self._end])

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self.finding is None:
            self._send_due(now)
            self._finish_if_done()

    def receive(self, number: int, data: bytes, source: Endpoint, now: float) -> bool:
        """A datagram arrived at the socket of that number; True if it was one of this discovery."""
        if not wire.looks_like_stun(data):
            return False
        try:
            message = wire.decode(data)
        except StunError:
            return False
        if message.kind is Kind.REQUEST:
            sender = self._hairpins.get(message.transaction)
            if sender is None or sender == number:
                return False
            self._hairpin = True
            self._stop_hairpins()
        else:
            found = self._running.get(message.transaction)
            if found is None or found[0] != number or not found[1].receive(message, source, now):
                return False
            self._go_on(found[1], now)
        if self.finding is None:
            self._send_due(now)
            self._finish_if_done()
        return True

    # -- steps -----------------------------------------------------------------------------------

    def _ask(
        self,
        number: int,
        destination: Endpoint,
        now: float,
        change: Change = Change.NONE,
        tries: int = _FIRST_TRIES,
    ) -> StunTransaction:
        if tries == _FIRST_TRIES:
            pace = pace_for(None, tries, _FIRST_RTO)
        else:  # most of these go unanswered, so do not wait for long
            pace = pace_for(self._rtt(), tries, _FIRST_RTO, 1.0)
        transaction = StunTransaction(self._identity(), destination, now, pace, change)
        self._running[transaction.identity] = (number, transaction)
        return transaction

    def _go_on(self, answered: StunTransaction, now: float) -> None:
        answer = answered.answer
        if answer is None or self.finding is not None:
            return
        if answered in self._firsts and self._other is None:
            try:
                other = answer.address(Attribute.OTHER_ADDRESS)
            except StunError:
                other = None
            if other is not None and plausible_other(self._server, other):
                self._learn_other(other, now)
        if len(self._locals) > 1 and answered is self._firsts[1]:
            self._test_filtering(now)
        if answered in self._firsts[-2:]:
            self._test_hairpin(now)

    def _learn_other(self, other: Endpoint, now: float) -> None:
        self._other = other = canonical(other)
        self._other_address = self._ask(0, Endpoint(other.host, self._server.port), now)

    def _test_filtering(self, now: float) -> None:
        if self._filters or _mapped(self._firsts[1]) is None:
            return
        for change in (_BOTH, Change.PORT) if self._other is not None else (Change.PORT,):
            self._filters.append(self._ask(1, self._server, now, change, _LATER_TRIES))

    def _test_hairpin(self, now: float) -> None:
        """Both send to the other, so that filtering does not hide it."""
        if self._hairpins or len(self._locals) < 2:
            return
        one, other = len(self._locals) - 2, len(self._locals) - 1
        places = {number: _mapped(self._firsts[number]) for number in (one, other)}
        for sender, receiver in ((one, other), (other, one)):
            place = places[receiver]
            if place is None or place.port == 0 or places[sender] is None:
                return
        for sender, receiver in ((one, other), (other, one)):
            place = places[receiver]
            if place is not None:
                call = self._ask(sender, place, now, tries=_LATER_TRIES)
                self._hairpins[call.identity] = sender

    def _stop_hairpins(self) -> None:
        for identity in self._hairpins:
            self._running[identity][1].give_up()

    def _send_due(self, now: float) -> None:
        if now >= self._end:
            for _, transaction in self._running.values():
                transaction.give_up()
            return
        for number, transaction in self._running.values():
            data = transaction.due(now)
            if data is not None:
                self._out.append(Transmit(number, data, transaction.destination))

    def _finish_if_done(self) -> None:
        pending = [one for _, one in self._running.values() if one.state is State.PENDING]
        if pending and self._worth_waiting(pending):
            return
        for one in pending:
            one.give_up()
        self._out.clear()
        self.finding = self._conclude()

    def _worth_waiting(self, pending: Sequence[StunTransaction]) -> bool:
        """Whether one of *pending* can still tell something new."""
        if self._filtering()[0] is Filtering.ENDPOINT_INDEPENDENT:
            return any(one not in self._filters for one in pending)
        return True

    # -- conclusions -----------------------------------------------------------------------------

    def _conclude(self) -> Finding:
        seen = [_mapped(one) for one in self._firsts]
        other_port = _mapped(self._other_port)
        other_address = _mapped(self._other_address)
        mapping, certain = mapping_of(self._locals[0], seen[0], other_port, other_address)
        if mapping in (Mapping.BLOCKED, Mapping.UNKNOWN) and any(seen):
            mapping, certain = Mapping.UNKNOWN, False  # the fresh sockets got through
        samples = [
            (local.port, one.port) for local, one in zip(self._locals, seen, strict=True) if one is not None
        ]
        if mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT and other_port is not None:
            samples.append((self._locals[0].port, other_port.port))
        allocation, step = allocation_of(samples)
        filtering, certain_filtering = self._filtering()
        behaviour = Behaviour(
            mapping=mapping,
            filtering=filtering,
            allocation=allocation,
            step=step,
            hairpin=self._hairpinning(),
        )
        return Finding(
            family=self.family, transport=Transport.UDP, behaviour=behaviour, candidate=self.candidate,
            rtt=self._rtt(), certain_mapping=certain, certain_filtering=certain_filtering,
            ports=tuple(outside for _, outside in samples),
        )  # fmt: skip

    def _filtering(self) -> tuple[Filtering, bool]:
        passed: dict[Change, bool] = {}
        for test in self._filters:
            if test.state is State.FAILED:
                continue  # the server would not
            if test.state is State.ANSWERED and not self._really_changed(test):
                continue
            passed[test.change] = test.state is State.ANSWERED
        if passed.get(_BOTH):
            return Filtering.ENDPOINT_INDEPENDENT, True
        if Change.PORT not in passed:
            return Filtering.UNKNOWN, False
        if passed[Change.PORT]:
            return Filtering.ADDRESS_DEPENDENT, _BOTH in passed
        return Filtering.ADDRESS_AND_PORT_DEPENDENT, True

    def _really_changed(self, test: StunTransaction) -> bool:
        source = test.source
        if source is None:
            return False
        same_host = source.host == self._server.host
        return source.port != self._server.port and same_host == (test.change == Change.PORT)

    def _hairpinning(self) -> bool | None:
        if self._hairpin or not self._hairpins:
            return self._hairpin
        return False

    def _rtt(self) -> float | None:
        known = [one.rtt for _, one in self._running.values() if one.rtt is not None]
        return min(known) if known else None


def _mapped(transaction: StunTransaction | None) -> Endpoint | None:
    """Where an answered request was seen to come from."""
    if transaction is None or transaction.answer is None or transaction.state is not State.ANSWERED:
        return None
    try:
        return transaction.answer.mapped()
    except StunError:
        return None
