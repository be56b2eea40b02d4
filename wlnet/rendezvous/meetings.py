"""The meetings: begun, told what their attempts decide, ended, and forgotten when there is need of room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import address_key
from wlnet.metrics import Limit
from wlnet.rendezvous.claims import Claims
from wlnet.rendezvous.events import Begin, Ended, PlanPart, Refusal, Settled, StepOrder, Wanted
from wlnet.rendezvous.member import Meeting, Member, PublishedGame, Seat
from wlnet.rendezvous.permits import Permits
from wlnet.rendezvous.ports import PairRelays
from wlnet.rendezvous.refusing import Refusing
from wlnet.steering.attempt import Attempt, Numbered, Timings
from wlnet.steering.model import Side
from wlnet.steering.orders import Skipped
from wlnet.steering.rules import PlanOptions, other
from wlnet.steering.statistics import Statistics
from wlnet.steering.trace import EndReason
from wlnet.steering.view import PeerView

SECRET_SIZE = 32
_ROUTER_TIME = 2.0
"""Seconds a router may take to map a port."""

_LEFT = {Side.HOST: EndReason.HOST_LEFT, Side.GUEST: EndReason.GUEST_LEFT}


class Meetings:
    """All pairs of a guest and a host; it is the :class:`~wlnet.steering.attempt.AttemptEvents` of them.

    :param count_limit: told of every limit met.
    :param random_bytes: so many bytes nobody can guess.
    :param ended: told of each meeting whose attempt has ended.
    """

    def __init__(
        self,
        agenda: Agenda,
        settings: schema.Rendezvous,
        relays: PairRelays,
        permits: Permits,
        statistics: Statistics,
        count_limit: Callable[[Limit], None],
        random_bytes: Callable[[int], bytes],
        ended: Callable[[Meeting], None],
    ) -> None:
        self._agenda = agenda
        self._settings = settings
        self._relays = relays
        self._permits = permits
        self._statistics = statistics
        self._count = count_limit
        self._random_bytes = random_bytes
        self._ended = ended
        self._meetings: dict[int, Meeting] = {}
        self._birthdays: dict[tuple[str, str], None] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        """Those whose attempt has ended included."""
        return len(self._meetings)

    def __iter__(self) -> Iterator[Meeting]:
        """Those there are now: they may be ended on the way."""
        return iter(list(self._meetings.values()))

    def __getitem__(self, number: int) -> Meeting:
        return self._meetings[number]

    def of(self, member: Member, number: int) -> Meeting:
        """The meeting of *member* with that number.

        :raises Refusing: he has none.
        """
        meeting = member.meetings.get(number)
        if meeting is None:
            self._count(Limit.STALE)
            raise Refusing(Refusal.NO_SUCH_ATTEMPT, "You have no such attempt.")
        return meeting

    # -- beginning -------------------------------------------------------------------------------

    def begin(self, published: PublishedGame, guest: Member, fingerprint: str) -> None:
        """*guest* meets the host of a game; a former meeting of the two is replaced.

        :raises Refusing: there is no room.
        """
        for former in [one for one in guest.meetings.values() if one.game.game is published.game]:
            former.attempt.end(EndReason.REPLACED)
            self._forget(former)
        self._check_room(published.host, guest)
        meeting = self._meet(published, guest)
        secret = self._random_bytes(SECRET_SIZE).hex()
        for side, seat in meeting.seats.items():
            seat.member.meetings[meeting.number] = meeting
            seat.member.inbox.tell(
                Begin(
                    attempt=meeting.number,
                    side=side,
                    game=published.game.name,
                    traffic=published.traffic,
                    peer=meeting.seats[other(side)].player.name,
                    fingerprint=fingerprint if side is Side.HOST else published.fingerprint,
                    secret=secret,
                    gather=self._settings.gather_time,
                    relay=self._permits.for_relay(meeting, side),
                )
            )
        meeting.attempt.begin()

    def _check_room(self, host: Member, guest: Member) -> None:
        settings = self._settings
        if _under_way(host, Side.HOST) >= settings.attempts_per_host:
            self._count(Limit.ATTEMPTS)
            raise Refusing(Refusal.HOST_BUSY, "Too many others are joining this host.")
        if _under_way(guest, Side.GUEST) >= settings.attempts_per_guest:
            self._count(Limit.ATTEMPTS)
            raise Refusing(Refusal.TOO_MANY_ATTEMPTS, "You are joining too many games.")
        if len(self._meetings) >= settings.attempts:
            done = next((one for one in self._meetings.values() if one.over), None)
            if done is None:
                self._count(Limit.ATTEMPTS)
                raise Refusing(Refusal.SERVER_FULL, "Too many players are being connected.")
            self._forget(done)

    def _meet(self, published: PublishedGame, guest: Member) -> Meeting:
        settings, host = self._settings, published.host
        number = next(self._numbers)
        pair = self._random_bytes(16).hex()
        seats = {
            Side.HOST: Seat(member=host, player=host.player, address=host.player.address),
            Side.GUEST: Seat(member=guest, player=guest.player, address=guest.player.address),
        }
        attempt = Attempt(
            number,
            self._agenda,
            self,
            Timings(
                gather=settings.gather_time,
                connect=settings.connect_time,
                upgrade=settings.upgrade_time,
                longest=3 * (settings.connect_time + settings.upgrade_time),
            ),
            PlanOptions(
                relay=self._relays.place(guest.reached_at, pair),
                birthday_spent=_names(host, guest) in self._birthdays,
            ),
            host=self._view(seats[Side.HOST]),
            guest=self._view(seats[Side.GUEST]),
        )
        meeting = self._meetings[number] = Meeting(
            number=number,
            game=published,
            pair=pair,
            seats=seats,
            attempt=attempt,
            begun=self._agenda.now(),
        )
        return meeting

    # -- going on --------------------------------------------------------------------------------

    def present(self, meeting: Meeting, side: Side) -> None:
        """Something more is known of *side*; its attempt hears of it unless it has ended."""
        if not meeting.over:
            seat = meeting.seats[side]
            view = self._view(seat)
            meeting.attempt.present(side, view, complete=seat.claims.complete)
            self._ask_for_port(meeting, other(side), view.only_port)

    def _ask_for_port(self, meeting: Meeting, side: Side, port: int) -> None:
        seat = meeting.seats[side]
        if port and not seat.wanted and not meeting.over:
            seat.wanted = True
            seat.member.inbox.tell(Wanted(attempt=meeting.number, port=port))
            # For the router's answer, the test from here, and the ways between.
            meeting.attempt.expect(self._settings.probe_time + _ROUTER_TIME)

    def _view(self, seat: Seat) -> PeerView:
        return seat.member.view(seat.claims, seat.round_trip, birthday=self._settings.birthday)

    # -- ending ----------------------------------------------------------------------------------

    def left(self, member: Member) -> None:
        """*member*'s connection is gone. What his meetings have at the relay goes on."""
        for meeting in list(member.meetings.values()):
            meeting.attempt.end(_LEFT[meeting.side_of(member)])
        member.meetings.clear()

    def depart(self, member: Member, number: int) -> None:
        """*member* is done with one of his meetings; the relay of the pair is closed.

        :raises Refusing: he has none of that number.
        """
        meeting = self.of(member, number)
        self.close(meeting, _LEFT[meeting.side_of(member)])

    def close(self, meeting: Meeting, reason: EndReason) -> None:
        """End a meeting and what it has at the relay.

        If its attempt has ended already the two play by themselves: only they can stop when one is removed.
        """
        if meeting.over and reason is EndReason.REMOVED:
            self._tell_both(
                meeting,
                Ended(
                    attempt=meeting.number,
                    reason=reason,
                    kind=None,
                    text="One of the two was removed from the lobby.",
                ),
            )
        meeting.attempt.end(reason)
        self._forget(meeting)
        self._relays.revoke(meeting.pair)

    def _forget(self, meeting: Meeting) -> None:
        self._meetings.pop(meeting.number, None)
        for seat in meeting.seats.values():
            seat.member.meetings.pop(meeting.number, None)

    # -- what attempts tell (AttemptEvents) ------------------------------------------------------

    def planned(
        self, attempt: Attempt, revision: int, steps: tuple[Numbered, ...], skipped: tuple[Skipped, ...]
    ) -> None:
        """Give each side its part."""
        meeting = self._meetings[attempt.number]
        for side, seat in meeting.seats.items():
            seat.member.inbox.tell(
                PlanPart(
                    attempt=attempt.number,
                    revision=revision,
                    steps=tuple(part for one in steps if (part := _part(one, side)) is not None),
                    skipped=skipped,
                )
            )

    def settled(self, attempt: Attempt, step: Numbered) -> None:
        """Both play over *step*."""
        for seat in self._meetings[attempt.number].seats.values():
            seat.member.inbox.tell(Settled(attempt=attempt.number, step=step.number, kind=step.step.kind))

    def ended(self, attempt: Attempt) -> None:
        """Count it, tell both, and have it recorded."""
        self._statistics.count(attempt)
        meeting = self._meetings[attempt.number]
        if attempt.birthday_tried:
            self._remember_birthday(meeting)
        outcome = attempt.outcome
        if outcome is None:
            return
        ended = Ended(
            attempt=attempt.number, reason=outcome.reason, kind=outcome.path, text=attempt.sentence()
        )
        self._tell_both(meeting, ended)
        self._ended(meeting)
        # The meeting stays known while its relay may be in use; what it was made of need not.
        attempt.forget()
        for seat in meeting.seats.values():
            seat.claims = Claims()

    def _tell_both(self, meeting: Meeting, ended: Ended) -> None:
        for seat in meeting.seats.values():
            if seat.member.present:
                seat.member.inbox.tell(ended)

    def _remember_birthday(self, meeting: Meeting) -> None:
        key = _names(meeting.seats[Side.HOST].member, meeting.seats[Side.GUEST].member)
        self._birthdays[key] = None
        while len(self._birthdays) > self._settings.attempts:
            del self._birthdays[next(iter(self._birthdays))]


def _under_way(member: Member, side: Side) -> int:
    return sum(not one.over and one.seats[side].member is member for one in member.meetings.values())


def _names(host: Member, guest: Member) -> tuple[str, str]:
    """A pair, as its birthday attempt is remembered: by network, for names are cheap."""
    return address_key(host.player.address), address_key(guest.player.address)


def _part(numbered: Numbered, side: Side) -> StepOrder | None:
    step = numbered.step
    order = step.order(side)
    if order is None:
        return None
    return StepOrder(
        number=numbered.number,
        technique=step.technique,
        transport=step.transport,
        family=step.family,
        kind=step.kind,
        preference=step.preference,
        deadline=step.deadline,
        guess=step.guess,
        why=step.why,
        order=order,
    )
