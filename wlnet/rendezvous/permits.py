"""Tickets the rendezvous gives and takes."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.config import schema
from wlnet.rendezvous.claims import is_address
from wlnet.rendezvous.events import RelayGrant
from wlnet.rendezvous.member import Meeting
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
"""Characters of a name or session in a ticket."""


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
        self._used = UsedTickets(settings.used_tickets, settings.clock_skew)

    def for_observation(self, session: str) -> tuple[str, ...]:
        """Tickets of one use each for the player of that session."""
        expires = self._wall() + self._settings.ticket_lifetime
        return tuple(
            to_text(
                mint(
                    self._relays.keys(),
                    Rendezvous(purpose=OBSERVE),
                    subject=session[:_SUBJECT],
                    expires=expires,
                    serial=self._random_bytes(SERIAL_SIZE),
                )
            )
            for _ in range(OBSERVE_TICKETS)
        )

    def observation(self, ticket: bytes) -> Ticket[Rendezvous]:
        """Check such a ticket and use it up; its subject is the session.

        :raises TicketError: it is worth nothing.
        """
        now = self._wall()
        checked = verify(self._relays.keys(), Rendezvous, ticket, now=now, skew=self._settings.clock_skew)
        if checked.claims.purpose != OBSERVE:
            raise TicketError(TicketProblem.SCOPE)
        self._used.use(checked, now)
        return checked

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
