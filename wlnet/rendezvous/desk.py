"""The desk: who publishes, who joins whom, and everything said between the two until they are connected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from itertools import count

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import address_key, parse_address
from wlnet.limits.buckets import TokenBucket
from wlnet.lobby.game import Carrier, Game, GameState, owner_key
from wlnet.lobby.hosting import OpenRefusal
from wlnet.lobby.lobby import Lobby
from wlnet.lobby.player import Player
from wlnet.metrics import Front, Limit, Metrics
from wlnet.moderation.sanctions import Kind, Sanction, Sanctions, Target
from wlnet.rendezvous.claims import Claims, is_address
from wlnet.rendezvous.events import (
    Begin,
    Ended,
    ExchangeInbox,
    Granted,
    PlanPart,
    Published,
    Refusal,
    Settled,
    StepOrder,
    Unpublished,
)
from wlnet.rendezvous.member import Meeting, Member, PublishedGame, Seat, new_member
from wlnet.rendezvous.permits import Permits
from wlnet.rendezvous.ports import PairRelays, ReachPort
from wlnet.rendezvous.vetting import Vetting
from wlnet.steering.attempt import Attempt, Ignored, Numbered, Result, Timings
from wlnet.steering.model import Side
from wlnet.steering.orders import Skipped
from wlnet.steering.rules import PlanOptions, other
from wlnet.steering.statistics import Statistics
from wlnet.steering.trace import EndReason
from wlnet.steering.view import PeerView
from wlnet.tickets.ticket import TicketError, TicketProblem

SECRET_SIZE = 32

_OPEN_REFUSALS = {
    OpenRefusal.EXISTS: Refusal.GAME_EXISTS,
    OpenRefusal.NAME: Refusal.GAME_NAME,
    OpenRefusal.TOO_MANY_OF_PLAYER: Refusal.TOO_MANY_GAMES,
    OpenRefusal.TOO_MANY: Refusal.SERVER_FULL,
    OpenRefusal.RELAY: Refusal.NO_RELAY,
}
_LEFT = {Side.HOST: EndReason.HOST_LEFT, Side.GUEST: EndReason.GUEST_LEFT}


class Refusing(Exception):  # noqa: N818  it is no error of ours
    """What was asked is not done; *text* is a sentence, *code* for programs."""

    def __init__(self, code: Refusal, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Desk:
    """Everything about peer games. Methods named by what a player asks raise :class:`Refusing`.

    :param wall: Unix seconds.
    :param random_bytes: so many bytes nobody can guess.
    """

    def __init__(
        self,
        lobby: Lobby,
        settings: schema.Rendezvous,
        metrics: Metrics,
        relays: PairRelays,
        reach: ReachPort,
        sanctions: Sanctions,
        *,
        wall: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        new_game_id: Callable[[], str],
    ) -> None:
        self.settings = settings
        self._lobby = lobby
        self._agenda: Agenda = lobby.agenda
        self._metrics = metrics
        self._relays = relays
        self._random_bytes = random_bytes
        self._new_game_id = new_game_id
        self._statistics = Statistics(metrics)
        self._members: dict[Player, Member] = {}
        self._games: dict[Game, PublishedGame] = {}
        self._meetings: dict[int, Meeting] = {}
        self._birthdays: dict[tuple[str, str], None] = {}
        self._numbers = count(1)
        self._permits = Permits(relays, settings, wall, random_bytes)
        self._vetting = Vetting(
            self._agenda, settings, relays, reach, random_bytes, self._count, self._refresh
        )
        lobby.discipline.on_expel = self._expelled
        lobby.discipline.on_game_closed = self._game_closed
        sanctions.subscribe(self)

    @property
    def members(self) -> int:
        """Players who speak the exchange."""
        return len(self._members)

    @property
    def meetings(self) -> int:
        """Pairs known, those whose attempt has ended included."""
        return len(self._meetings)

    # -- coming and going ------------------------------------------------------------------------

    def enter(self, player: Player, inbox: ExchangeInbox, reached_at: str) -> Member:
        """*player*'s client speaks the exchange from now on."""
        former = self._members.get(player)
        if former is not None:
            self.leave(former)
        bucket = TokenBucket(self.settings.join_rate, self.settings.join_burst, self._agenda.now())
        member = self._members[player] = new_member(player, inbox, reached_at, bucket)
        return member

    def observe_tickets(self, member: Member) -> tuple[str, ...]:
        """Tickets *member* shows in packets to our UDP ports, so that we learn where else he is."""
        return self._permits.for_observation(member.player.session)

    def observed(self, ticket: bytes, address: str) -> bytes:
        """A packet with *ticket* came from *address*: that is where its player is, too.

        :returns: the serial of the ticket, to be sent back.
        :raises TicketError: the ticket is worth nothing, or its player is gone.
        """
        try:
            checked = self._permits.observation(ticket)
            member = self._of_session(checked.subject)
            if member is None:
                raise TicketError(TicketProblem.CLAIMS)
        except TicketError:
            self._count(Limit.TICKETS)
            raise
        if member.saw(str(parse_address(address))):
            self._refresh(member)
        return checked.serial

    def leave(self, member: Member) -> None:
        """*member*'s connection is gone. Paths that carry games go on; nothing is steered any more."""
        if not member.present:
            return
        member.present = False
        if self._members.get(member.player) is member:
            del self._members[member.player]
        self._vetting.probes.forget(member)
        for meeting in list(member.meetings.values()):
            meeting.attempt.end(_LEFT[meeting.side_of(member)])
        member.meetings.clear()

    # -- games -----------------------------------------------------------------------------------

    def publish(self, member: Member, name: str, traffic: str, fingerprint: str) -> None:
        """List a game, or take an own one up again after the connection was lost."""
        hosting, player = self._lobby.hosting, member.player
        listed = hosting.find(name)
        if listed is not None and listed.carrier is Carrier.PEER and listed.host is player:
            game = listed
        else:
            refusal = hosting.check_open(player, name)
            if refusal is not None:
                raise Refusing(_OPEN_REFUSALS[refusal], f"The game cannot be opened: {refusal.value}.")
            game = Game(
                room_id=self._new_game_id(),
                name=name,
                build=player.build,
                carrier=Carrier.PEER,
                host=player,
                host_name=player.name,
                owner_key=owner_key(player.key),
                state=GameState.SETUP,
            )
            game.on_end = partial(self._game_ended, game)
            hosting.list_game(game, player)
            hosting.enter(player, game)
        published = PublishedGame(game=game, host=member, traffic=traffic, fingerprint=fingerprint)
        self._games[game] = published
        member.games[name] = published
        member.inbox.tell(Published(game=name))

    def unpublish(self, member: Member, name: str) -> None:
        """Take an own game off the list."""
        published = member.games.get(name)
        if published is None:
            raise Refusing(Refusal.NOT_YOUR_GAME, "You do not host a game of that name here.")
        self._lobby.hosting.end(published.game)

    def _game_ended(self, game: Game) -> None:
        published = self._games.pop(game, None)
        if published is None:
            return
        host = published.host
        if host.games.pop(game.name, None) is not None and host.present:
            host.inbox.tell(Unpublished(game=game.name))
        for meeting in [one for one in self._meetings.values() if one.game.game is game]:
            meeting.attempt.end(EndReason.GAME_ENDED)

    # -- joining ---------------------------------------------------------------------------------

    def join(self, guest: Member, name: str, fingerprint: str) -> None:
        """Begin an attempt between *guest* and the host of the game *name*."""
        if not guest.bucket.take(self._agenda.now()):
            self._count(Limit.JOIN_RATE)
            raise Refusing(Refusal.TOO_FAST, "You ask too often; wait a moment.")
        game = self._lobby.hosting.find(name)
        published = self._games.get(game) if game is not None else None
        if published is None:
            raise Refusing(Refusal.NO_SUCH_GAME, "There is no peer game of that name.")
        host = published.host
        if host.player is guest.player:
            raise Refusing(Refusal.OWN_GAME, "That is your own game.")
        if not host.present:
            raise Refusing(Refusal.HOST_AWAY, "The host has lost the connection to the lobby.")
        for former in [one for one in guest.meetings.values() if one.game.game is published.game]:
            former.attempt.end(EndReason.REPLACED)
            self._forget(former)
        self._check_room(host, guest)
        self._meet(published, guest, fingerprint)

    def _check_room(self, host: Member, guest: Member) -> None:
        if _under_way(host, Side.HOST) >= self.settings.attempts_per_host:
            self._count(Limit.ATTEMPTS)
            raise Refusing(Refusal.HOST_BUSY, "Too many others are joining this host.")
        if _under_way(guest, Side.GUEST) >= self.settings.attempts_per_guest:
            self._count(Limit.ATTEMPTS)
            raise Refusing(Refusal.TOO_MANY_ATTEMPTS, "You are joining too many games.")
        if len(self._meetings) >= self.settings.attempts:
            done = next((one for one in self._meetings.values() if one.over), None)
            if done is None:
                self._count(Limit.ATTEMPTS)
                raise Refusing(Refusal.SERVER_FULL, "Too many players are being connected.")
            self._forget(done)

    def _meet(self, published: PublishedGame, guest: Member, fingerprint: str) -> None:
        settings, host = self.settings, published.host
        number = next(self._numbers)
        seats = {
            Side.HOST: Seat(member=host, player=host.player, address=host.player.address),
            Side.GUEST: Seat(member=guest, player=guest.player, address=guest.player.address),
        }
        attempt = Attempt(
            number,
            self._agenda,
            self,
            Timings(
                gather=settings.gather_time, connect=settings.connect_time, upgrade=settings.upgrade_time
            ),
            PlanOptions(
                relay=self._relays.place(guest.reached_at),
                birthday_spent=_names(host, guest) in self._birthdays,
            ),
            host=self._view(seats[Side.HOST]),
            guest=self._view(seats[Side.GUEST]),
        )
        meeting = self._meetings[number] = Meeting(
            number=number,
            game=published,
            pair=self._random_bytes(16).hex(),
            seats=seats,
            attempt=attempt,
            begun=self._agenda.now(),
        )
        secret = self._random_bytes(SECRET_SIZE).hex()
        for side, seat in seats.items():
            seat.member.meetings[number] = meeting
            peer = seats[other(side)]
            seat.member.inbox.tell(
                Begin(
                    attempt=number,
                    side=side,
                    game=published.game.name,
                    traffic=published.traffic,
                    peer=peer.player.name,
                    fingerprint=fingerprint if side is Side.HOST else published.fingerprint,
                    secret=secret,
                    gather=settings.gather_time,
                    relay=self._permits.for_relay(meeting, side),
                )
            )
        attempt.begin()

    def renew(self, member: Member, number: int) -> None:
        """A new ticket for the relay of an attempt, which may have ended."""
        meeting = self._meeting(member, number)
        grant = self._permits.for_relay(meeting, meeting.side_of(member))
        if grant is None:
            raise Refusing(Refusal.NO_RELAY, "This server has no relay for pairs.")
        member.inbox.tell(Granted(attempt=number, relay=grant))

    def depart(self, member: Member, number: int) -> None:
        """*member* is done with an attempt and whatever came of it; the relay of the pair is closed."""
        meeting = self._meeting(member, number)
        meeting.attempt.end(_LEFT[meeting.side_of(member)])
        self._forget(meeting)
        self._relays.revoke(meeting.pair)

    # -- what sides tell -------------------------------------------------------------------------

    def ready(self, member: Member, number: int) -> None:
        """The answer to Begin: it took a round trip. Later ones count for nothing."""
        meeting = self._meeting(member, number)
        side = meeting.side_of(member)
        seat = meeting.seats[side]
        if seat.ready:
            raise self._stale(Ignored.DUPLICATE)
        seat.ready = True
        seat.round_trip = min(5.0, self._agenda.now() - meeting.begun)
        meeting.attempt.measured_round_trip(side, seat.round_trip)

    def present(self, member: Member, number: int, claims: Claims) -> None:
        """What *member* is: for attempt *number*, or (0) whoever joins him.

        Candidates nobody is to be sent to are left out; the rest counts, and then this raises.
        """
        meeting = self._meeting(member, number) if number else None
        if len(claims.candidates) > self.settings.candidates:
            self._count(Limit.CANDIDATES)
            raise Refusing(Refusal.TOO_MANY_CANDIDATES, f"Name {self.settings.candidates} addresses at most.")
        sound, problem = self._vetting.sound(member, claims)
        if meeting is None:
            member.standing = sound
        else:
            meeting.seats[meeting.side_of(member)].claims = sound
        self._vetting.test(member, sound)
        if meeting is not None:
            self._tell_attempt(meeting, meeting.side_of(member))
        else:
            self._refresh(member)
        if problem is not None:
            raise Refusing(Refusal.BAD_CANDIDATE, problem)

    def probed(self, member: Member, token: str) -> None:
        """*member* got this token from one of our tests."""
        if not self._vetting.probes.answered(member, token):
            self._count(Limit.STALE)
            raise Refusing(Refusal.STALE, "No such test is under way.")

    def report(self, member: Member, number: int, step: int, result: Result, detail: str) -> None:
        """What became of a step on *member*'s side."""
        meeting = self._meeting(member, number)
        self._unless_ignored(meeting.attempt.report(meeting.side_of(member), step, result, detail))

    def carried(self, member: Member, number: int, step: int) -> None:
        """*member* got bytes of the game itself over that step."""
        meeting = self._meeting(member, number)
        self._unless_ignored(meeting.attempt.carried(meeting.side_of(member), step))

    # -- removal ---------------------------------------------------------------------------------

    def imposed(self, sanction: Sanction) -> None:
        """A ban (see :meth:`Sanctions.subscribe`) also ends what cut-off players still have at the relay."""
        if sanction.kind is not Kind.BAN or not sanction.sweeps:
            return
        for meeting in list(self._meetings.values()):
            if any(_hit(sanction, seat) for seat in meeting.seats.values()):
                self._close(meeting, EndReason.REMOVED)

    def lifted(self, sanction: Sanction) -> None:
        """Nothing to undo."""

    def stop(self) -> None:
        """The server stops; paths that carry games go on."""
        for meeting in list(self._meetings.values()):
            meeting.attempt.end(EndReason.SERVER_STOPS)

    def _expelled(self, player: Player) -> None:
        for meeting in list(self._meetings.values()):
            if any(seat.player is player for seat in meeting.seats.values()):
                self._close(meeting, EndReason.REMOVED)

    def _game_closed(self, game: Game) -> None:
        for meeting in [one for one in self._meetings.values() if one.game.game is game]:
            self._close(meeting, EndReason.GAME_ENDED)

    def _close(self, meeting: Meeting, reason: EndReason) -> None:
        meeting.attempt.end(reason)
        self._forget(meeting)
        self._relays.revoke(meeting.pair)

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
        """Count it and tell both."""
        self._statistics.count(attempt)
        meeting = self._meetings[attempt.number]
        if attempt.birthday_tried:
            self._remember_birthday(meeting)
        outcome = attempt.outcome
        if outcome is None:
            return
        for seat in meeting.seats.values():
            if seat.member.present:
                seat.member.inbox.tell(
                    Ended(
                        attempt=attempt.number,
                        reason=outcome.reason,
                        kind=outcome.path,
                        text=attempt.sentence(),
                    )
                )

    # -- parts -----------------------------------------------------------------------------------

    def _meeting(self, member: Member, number: int) -> Meeting:
        meeting = member.meetings.get(number)
        if meeting is None:
            self._count(Limit.STALE)
            raise Refusing(Refusal.NO_SUCH_ATTEMPT, "You have no such attempt.")
        return meeting

    def _unless_ignored(self, ignored: Ignored | None) -> None:
        if ignored is not None:
            raise self._stale(ignored)

    def _stale(self, why: Ignored) -> Refusing:
        self._count(Limit.STALE)
        return Refusing(Refusal.STALE, f"That changes nothing: {why.value}.")

    def _count(self, limit: Limit) -> None:
        self._metrics.limited(Front.RENDEZVOUS, limit)

    def _of_session(self, session: str) -> Member | None:
        return next(
            (member for member in self._members.values() if member.player.session[:40] == session), None
        )

    def _refresh(self, member: Member) -> None:
        """Something new is known of *member*: all his attempts hear of it."""
        self._vetting.test(member, member.standing)
        for meeting in list(member.meetings.values()):
            side = meeting.side_of(member)
            self._vetting.test(member, meeting.seats[side].claims)
            if not meeting.over:
                self._tell_attempt(meeting, side)

    def _tell_attempt(self, meeting: Meeting, side: Side) -> None:
        seat = meeting.seats[side]
        meeting.attempt.present(side, self._view(seat), complete=seat.claims.complete)

    def _view(self, seat: Seat) -> PeerView:
        return seat.member.view(seat.claims, seat.round_trip, birthday=self.settings.birthday)

    def _remember_birthday(self, meeting: Meeting) -> None:
        key = _names(meeting.seats[Side.HOST].member, meeting.seats[Side.GUEST].member)
        self._birthdays[key] = None
        while len(self._birthdays) > self.settings.attempts:
            del self._birthdays[next(iter(self._birthdays))]

    def _forget(self, meeting: Meeting) -> None:
        self._meetings.pop(meeting.number, None)
        for seat in meeting.seats.values():
            seat.member.meetings.pop(meeting.number, None)


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


def _hit(sanction: Sanction, seat: Seat) -> bool:
    match sanction.target:
        case Target.ACCOUNT:
            return seat.player.account == sanction.value
        case Target.NAME:
            return seat.player.name == sanction.value
        case Target.ADDRESS:
            return address_key(seat.address) == address_key(sanction.value)
        case Target.NETWORK:
            return is_address(seat.address) and parse_address(seat.address) in ip_network(sanction.value)
