"""The packet with which a player shows where he comes from: docs/protocols/rendezvous.md, "Observation".

request    0x24, ticket                      to a UDP port of the server
answer     0x25, serial of the ticket (8)    never longer than the request
"""

from __future__ import annotations

from wlnet.protocols.exchange.watcher import ExchangeWatcher
from wlnet.rendezvous.desk import Desk
from wlnet.tickets.ticket import TicketError

REQUEST = 0x24
ANSWER = 0x25


def observe(
    desk: Desk, datagram: bytes, address: str, watcher: ExchangeWatcher | None = None
) -> bytes | None:
    """Take a datagram that begins with :data:`REQUEST` and came from *address*; gives the answer, if any."""
    try:
        return bytes([ANSWER]) + desk.observed(datagram[1:], address)
    except TicketError as error:
        if watcher is not None:
            watcher.bad_ticket(address, error.problem)
        return None
