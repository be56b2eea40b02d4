"""Shows the server where our packets come from: docs/protocols/rendezvous.md, "Observation"."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Iterable

from wlnet.client.gather import limits
from wlnet.client.gather.words import OBSERVE, OBSERVED
from wlnet.client.net.network import DatagramSocket, Network, Timer
from wlnet.protocols.stun.findings import family_of
from wlnet.protocols.stun.wire import Endpoint
from wlnet.tickets.ticket import MAX_TICKET, SERIAL_SIZE

_SERIAL = slice(10, 10 + SERIAL_SIZE)


def tickets_of(texts: Iterable[str]) -> list[bytes]:
    """The tickets of a hello as bytes; what cannot be one is left out."""
    found = []
    for text in list(texts)[: limits.MAX_TICKETS]:
        try:
            ticket = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (Error, UnicodeError, ValueError):
            continue
        if _SERIAL.stop < len(ticket) <= MAX_TICKET:
            found.append(ticket)
    return found


class Observation:
    """One packet over each family, and another one with another ticket where no answer came.

    :param servers: one endpoint a family.
    """

    def __init__(self, network: Network, servers: Iterable[Endpoint], texts: Iterable[str]) -> None:
        self._network = network
        self._tickets = tickets_of(texts)
        self._sockets: dict[Endpoint, DatagramSocket] = {}
        self._waiting: dict[bytes, Endpoint] = {}
        self._unanswered = list(servers)
        self._timer: Timer | None = None
        self._go_on()

    @property
    def over(self) -> bool:
        """Nothing more is sent or awaited."""
        return self._timer is None

    def close(self) -> None:
        """Stop it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for socket in self._sockets.values():
            socket.close()
        self._sockets.clear()

    def _go_on(self) -> None:
        self._timer = None
        sent = False
        for server in self._unanswered:
            if not self._tickets:
                break
            ticket = self._tickets.pop(0)
            if self._send(server, ticket):
                sent = True
        if sent:
            self._timer = self._network.call_later(limits.OBSERVATION_AGAIN, self._go_on)
        else:
            self.close()

    def _send(self, server: Endpoint, ticket: bytes) -> bool:
        socket = self._sockets.get(server)
        if socket is None:
            try:
                socket = self._network.open_datagram(family_of(server), self._received)
            except OSError:
                return False
            self._sockets[server] = socket
        self._waiting[ticket[_SERIAL]] = server
        socket.send(bytes([OBSERVE]) + ticket, server)
        return True

    def _received(self, data: bytes, source: Endpoint) -> None:
        if len(data) != 1 + SERIAL_SIZE or data[0] != OBSERVED:
            return
        server = self._waiting.pop(data[1:], None)
        if server is None or source != server:
            return
        if server in self._unanswered:
            self._unanswered.remove(server)
        if not self._unanswered:
            self.close()
