"""The desk: everything a player can ask of the rendezvous, and who must not use it any more."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import address_key, parse_address
from wlnet.limits.buckets import TokenBucket
from wlnet.lobby.game import Game
from wlnet.lobby.lobby import Lobby
from wlnet.lobby.player import Player
from wlnet.metrics import Front, Limit, Metrics
from wlnet.moderation.sanctions import Kind, Sanction, Sanctions, Target
from wlnet.rendezvous.claims import Claims, is_address
from wlnet.rendezvous.events import ExchangeInbox, Granted, Refusal
from wlnet.rendezvous.meetings import Meetings
from wlnet.rendezvous.member import Meeting, Member, Seat, new_member
from wlnet.rendezvous.permits import Permits
from wlnet.rendezvous.ports import PairRelays, ReachPort, StunPlace
from wlnet.rendezvous.publishing import Publishing
from wlnet.rendezvous.records import AttemptRecord, record_of
from wlnet.rendezvous.refusing import Refusing
from wlnet.rendezvous.vetting import Vetting
from wlnet.steering.attempt import Ignored, Result
from wlnet.steering.model import Side
from wlnet.steering.statistics import Statistics
from wlnet.steering.trace import EndReason
from wlnet.tickets.ticket import TicketError

__all__ = ["Desk", "Refusing"]

MEMBER_ID_SIZE = 16


class Desk:
    """Everything about peer games. Methods named by what a player asks raise :class:`Refusing`.

    :param wall: Unix seconds.
    :param random_bytes: so many bytes nobody can guess.
    :param on_record: given the record of each attempt that has ended, and the guest's address.
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
        on_record: Callable[[AttemptRecord, str], None] = lambda _record, _address: None,
    ) -> None:
        self.settings = settings
        self._agenda: Agenda = lobby.agenda
        self._metrics = metrics
        self._members: dict[Player, Member] = {}
        self._by_id: dict[str, Member] = {}
        self._random_bytes = random_bytes
        self._wall = wall
        self._on_record = on_record
        self._relays = relays
        self._permits = Permits(relays, settings, wall, random_bytes)
        self._publishing = Publishing(lobby.hosting, new_game_id, self._game_ended)
        self._meetings = Meetings(
            self._agenda,
            settings,
            relays,
            self._permits,
            Statistics(metrics),
            self._count,
            random_bytes,
            self._attempt_ended,
        )
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
        member = self._members[player] = new_member(
            player,
            inbox,
            reached_at,
            self._new_bucket,
            member_id=self._random_bytes(MEMBER_ID_SIZE).hex(),
            used=self._permits.memory(),
        )
        self._by_id[member.id] = member
        return member

    def observe_tickets(self, member: Member) -> tuple[str, ...]:
        """Tickets *member* shows in packets to our UDP ports, so that we learn where else he is."""
        return self._permits.for_observation(member)

    def stun(self, member: Member) -> StunPlace | None:
        """Where *member* finds STUN, and shows such tickets."""
        return self._relays.stun(member.reached_at)

    def observed(self, ticket: bytes, address: str) -> bytes:
        """A packet with *ticket* came from *address*: that is where its player is, too.

        :returns: the serial of the ticket, to be sent back.
        :raises TicketError: the ticket is worth nothing, or its player is gone.
        """
        try:
            member, checked = self._permits.observation(ticket, self._by_id.get)
        except TicketError:
            self._count(Limit.TICKETS)
            raise
        seen = str(parse_address(address))
        if self._vetting.credible(member, seen) and member.saw(seen):
            self._refresh(member)
        return checked.serial

    def leave(self, member: Member) -> None:
        """*member*'s connection is gone. Paths that carry games go on; nothing is steered any more."""
        if not member.present:
            return
        member.present = False
        self._by_id.pop(member.id, None)
        if self._members.get(member.player) is member:
            del self._members[member.player]
        self._vetting.probes.forget(member)
        self._meetings.left(member)

    # -- games -----------------------------------------------------------------------------------

    def publish(self, member: Member, name: str, traffic: str, fingerprint: str) -> None:
        """List a game, or take an own one up again after the connection was lost."""
        self._publishing.publish(member, name, traffic, fingerprint)

    def unpublish(self, member: Member, name: str) -> None:
        """Take an own game off the list."""
        self._publishing.unpublish(member, name)

    def list_games(self, member: Member) -> None:
        """Tell *member* which games he could join."""
        if not member.list_bucket.take(self._agenda.now()):
            self._count(Limit.LIST_RATE)
            raise Refusing(Refusal.TOO_FAST, "You ask too often; wait a moment.")
        member.inbox.tell(self._publishing.open_to(member, self.settings.games_listed))

    def _game_ended(self, game: Game) -> None:
        for meeting in self._meetings:
            if meeting.game.game is game:
                meeting.attempt.end(EndReason.GAME_ENDED)

    # -- meeting ---------------------------------------------------------------------------------

    def join(self, guest: Member, name: str, fingerprint: str) -> None:
        """Begin an attempt between *guest* and the host of the game *name*."""
        if not guest.bucket.take(self._agenda.now()):
            self._count(Limit.JOIN_RATE)
            raise Refusing(Refusal.TOO_FAST, "You ask too often; wait a moment.")
        published = self._publishing.find(name)
        if published is None:
            raise Refusing(Refusal.NO_SUCH_GAME, "There is no peer game of that name.")
        host = published.host
        if host.player is guest.player:
            raise Refusing(Refusal.OWN_GAME, "That is your own game.")
        if not host.present:
            raise Refusing(Refusal.HOST_AWAY, "The host has lost the connection to the lobby.")
        self._meetings.begin(published, guest, fingerprint)

    def renew(self, member: Member, number: int) -> None:
        """A new ticket for the relay of an attempt, which may have ended."""
        meeting = self._meetings.of(member, number)
        grant = self._permits.for_relay(meeting, meeting.side_of(member))
        if grant is None:
            raise Refusing(Refusal.NO_RELAY, "This server has no relay for pairs.")
        member.inbox.tell(Granted(attempt=number, relay=grant))

    def depart(self, member: Member, number: int) -> None:
        """*member* is done with an attempt and whatever came of it; the relay of the pair is closed."""
        self._meetings.depart(member, number)

    # -- what sides tell -------------------------------------------------------------------------

    def ready(self, member: Member, number: int) -> None:
        """The answer to Begin: it took a round trip. Later ones count for nothing."""
        meeting = self._meetings.of(member, number)
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
        meeting = self._meetings.of(member, number) if number else None
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
            self._meetings.present(meeting, meeting.side_of(member))
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
        meeting = self._meetings.of(member, number)
        self._unless_ignored(meeting.attempt.report(meeting.side_of(member), step, result, detail))

    def carried(self, member: Member, number: int, step: int) -> None:
        """*member* got bytes of the game itself over that step."""
        meeting = self._meetings.of(member, number)
        self._unless_ignored(meeting.attempt.carried(meeting.side_of(member), step))

    # -- removal ---------------------------------------------------------------------------------

    def imposed(self, sanction: Sanction) -> None:
        """A ban (see :meth:`Sanctions.subscribe`) also ends what cut-off players still have at the relay."""
        if sanction.kind is not Kind.BAN or not sanction.sweeps:
            return
        for meeting in self._meetings:
            if any(_hit(sanction, seat) for seat in meeting.seats.values()):
                self._meetings.close(meeting, EndReason.REMOVED)

    def lifted(self, sanction: Sanction) -> None:
        """Nothing to undo."""

    def stop(self) -> None:
        """The server stops; paths that carry games go on."""
        for meeting in self._meetings:
            meeting.attempt.end(EndReason.SERVER_STOPS)

    def _expelled(self, player: Player) -> None:
        for meeting in self._meetings:
            if any(seat.player is player for seat in meeting.seats.values()):
                self._meetings.close(meeting, EndReason.REMOVED)

    def _game_closed(self, game: Game) -> None:
        for meeting in self._meetings:
            if meeting.game.game is game:
                self._meetings.close(meeting, EndReason.GAME_ENDED)

    # -- parts -----------------------------------------------------------------------------------

    def _unless_ignored(self, ignored: Ignored | None) -> None:
        if ignored is not None:
            raise self._stale(ignored)

    def _stale(self, why: Ignored) -> Refusing:
        self._count(Limit.STALE)
        return Refusing(Refusal.STALE, f"That changes nothing: {why.value}.")

    def _new_bucket(self) -> TokenBucket:
        return TokenBucket(self.settings.join_rate, self.settings.join_burst, self._agenda.now())

    def _attempt_ended(self, meeting: Meeting) -> None:
        record = record_of(meeting, self._agenda.now(), self._wall())
        if record is not None:
            self._on_record(record, meeting.seats[Side.GUEST].address)

    def _count(self, limit: Limit) -> None:
        self._metrics.limited(Front.RENDEZVOUS, limit)

    def _refresh(self, member: Member) -> None:
        """Something new is known of *member*: all his attempts hear of it."""
        self._vetting.test(member, member.standing)
        for meeting in list(member.meetings.values()):
            if not meeting.over:
                side = meeting.side_of(member)
                self._vetting.test(member, meeting.seats[side].claims)
                self._meetings.present(meeting, side)


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
