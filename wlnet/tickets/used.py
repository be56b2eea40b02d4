"""Tickets that may be used once: which ones have been."""

from __future__ import annotations

import heapq

from wlnet.tickets.ticket import Rendezvous, Ticket, TicketError, TicketProblem


class UsedTickets:
    """Remembers used tickets until they expire. When it is full nothing more is accepted until some have.

    :param capacity: tickets remembered at a time.
    :param skew: seconds, as given to :func:`wlnet.tickets.ticket.verify`.
    """

    def __init__(self, capacity: int, skew: float) -> None:
        self._capacity = capacity
        self._skew = skew
        self._serials: set[bytes] = set()
        self._endings: list[tuple[int, bytes]] = []

    def use(self, ticket: Ticket[Rendezvous], now: float) -> None:
        """Use a checked ticket up.

        :param now: Unix seconds.
        :raises TicketError: it was used before (USED), or too many are remembered (BUSY).
        """
        while self._endings and now >= self._endings[0][0] + self._skew:
            self._serials.discard(heapq.heappop(self._endings)[1])
        if ticket.serial in self._serials:
            raise TicketError(TicketProblem.USED)
        if len(self._serials) >= self._capacity:
            raise TicketError(TicketProblem.BUSY)
        self._serials.add(ticket.serial)
        heapq.heappush(self._endings, (ticket.expires, ticket.serial))

    def __len__(self) -> int:
        return len(self._serials)
