"""Tickets the rendezvous gives and takes."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.config import schema
from wlnet.rendezvous.claims import is_address
from wlnet.rendezvous.events import RelayGrant
from wlnet.rendezvous.member import Meeting, Member
from wlnet.rendezvous.ports import PairRelays
from wlnet.steering.model import Side
from wlnet.tickets.ticket import (
    SERIAL_SIZE,
    Rendezvous,
    Ticket,
    TicketError,
    TicketProblem,
    mint,
    to_text,
    verify,
)
from wlnet.tickets.used import UsedTickets

OBSERVE = "observe"
"""Purpose of the tickets with which a player shows us where he comes from."""
OBSERVE_TICKETS = 4
_SUBJECT = 40
"""Characters of a name in a ticket."""


class Permits:
    """Mints and checks.

    :param wall: Unix seconds.
    """

    def __init__(
        self,
        relays: PairRelays,
        settings: schema.Rendezvous,
        wall: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._relays = relays
        self._settings = settings
        self._wall = wall
        self._random_bytes = random_bytes

    def memory(self) -> UsedTickets:
        """To remember the used tickets of one member: nobody can use up the room of others."""
        return UsedTickets(self._settings.used_tickets_per_player, self._settings.clock_skew)

    def for_observation(self, member: Member) -> tuple[str, ...]:
        """Tickets of one use each for *member*."""
        expires = self._wall() + self._settings.ticket_lifetime
        return tuple(
            to_text(
                mint(
                    self._relays.keys(),
                    Rendezvous(purpose=OBSERVE),
                    subject=member.id,
                    expires=expires,
                    serial=self._random_bytes(SERIAL_SIZE),
                )
            )
            for _ in range(OBSERVE_TICKETS)
        )

    def observation(
        self, ticket: bytes, find: Callable[[str], Member | None]
    ) -> tuple[Member, Ticket[Rendezvous]]:
        """Check such a ticket and use it up; whose it is.

        :param find: gives the member of that id, if he is there.
        :raises TicketError: it is worth nothing, or its holder is gone.
        """
        now = self._wall()
        checked = verify(self._relays.keys(), Rendezvous, ticket, now=now, skew=self._settings.clock_skew)
        if checked.claims.purpose != OBSERVE:
            raise TicketError(TicketProblem.SCOPE)
        member = find(checked.subject)
        if member is None:
            raise TicketError(TicketProblem.CLAIMS)
        member.used.use(checked, now)
        return member, checked

    def for_relay(self, meeting: Meeting, side: Side) -> RelayGrant | None:
        """Permission for one side of a meeting; None: there is no relay of pairs."""
        seat = meeting.seats[side]
        place = self._relays.place(seat.member.reached_at, meeting.pair)
        if place is None:
            return None
        expires = int(self._wall() + self._settings.ticket_lifetime)
        address = seat.address if is_address(seat.address) else ""
        ticket = mint(
            self._relays.keys(),
            self._relays.quotas(meeting.pair, side, address),
            subject=seat.player.name[:_SUBJECT],
            expires=expires,
            serial=self._random_bytes(SERIAL_SIZE),
        )
        return RelayGrant(
            pair=meeting.pair,
            ticket=to_text(ticket),
            expires=expires,
            addresses=place.addresses,
            udp_port=place.udp_port,
            tcp_port=place.tcp_port,
            tls_port=place.tls_port,
        )
