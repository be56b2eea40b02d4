"""A UDP socket of an attempt: ours until it is adopted, and what is ours on it also after that."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather import limits
from wlnet.client.gather.asking import DatagramQuestion
from wlnet.client.gather.mappings import Mapped
from wlnet.client.gather.words import KNOCK, KNOCK_SIZE, OBSERVED
from wlnet.client.net.network import DatagramSocket, Network, Received, Timer
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family


class KeptDatagram(DatagramSocket):
    """Bound to a port of the system's choice.

    STUN and the server's packets (0x23 to 0x25) stay here, everything else is for who adopted it, who also
    closes it.

    :param knocked: a test packet came, with that token.
    :param moved: the server sees it elsewhere now (or for the first time); None: it got no answer.
    :param hops: what is known of the TTL of primers.
    :raises OSError: no socket can be had.
    :ivar mapped: where the server sees it.
    :ivar granted: what the router made of it.
    """

    def __init__(
        self,
        network: Network,
        family: Family,
        knocked: Callable[[str], None],
        moved: Callable[[Endpoint | None], None],
        hops: Callable[[], int | None],
    ) -> None:
        self.family = family
        self.mapped: Endpoint | None = None
        self.granted: Mapped | None = None
        self.adopted = False
        self.closed = False
        self._network = network
        self._knocked: Callable[[str], None] | None = knocked
        self._moved = moved
        self._hops = hops
        self._received: Received | None = None
        self._question: DatagramQuestion | None = None
        self._keepalive: Timer | None = None
        self._server: Endpoint | None = None
        self._socket = network.open_datagram(family, self._arrived)

    # -- for the gathering -----------------------------------------------------------------------

    def ask(self, server: Endpoint) -> None:
        """Ask where the server sees us, and keep that so until the socket is adopted."""
        self._server = server
        self._question = DatagramQuestion(self._network, self._socket, server, self._answered)

    def forget(self) -> None:
        """The gathering is over: call it no more, and close the socket unless it was adopted."""
        self._knocked = None
        self._quiet()
        if not self.adopted:
            self.close()

    def _answered(self, mapped: Endpoint | None) -> None:
        if self._knocked is None:
            return
        self._question = None
        first = self.mapped is None
        if mapped is not None or first:
            changed = mapped != self.mapped
            self.mapped = mapped
            if changed or first:
                self._moved(mapped)
        if not self.adopted and not self.closed:
            self._keepalive = self._network.call_later(limits.KEEPALIVE, self._ask_again)

    def _ask_again(self) -> None:
        if self._server is not None and not self.adopted and not self.closed:
            self.ask(self._server)

    def _quiet(self) -> None:
        if self._question is not None:
            self._question.cancel()
            self._question = None
        if self._keepalive is not None:
            self._keepalive.cancel()
            self._keepalive = None

    def _arrived(self, data: bytes, source: Endpoint) -> None:
        if not data or self.closed:
            return
        if wire.looks_like_stun(data):
            if self._question is not None:
                self._question.receive(data, source)
        elif KNOCK <= data[0] <= OBSERVED:
            if data[0] == KNOCK and len(data) == KNOCK_SIZE and self._knocked is not None:
                self._knocked(data[1:].hex())
        elif self._received is not None:
            self._received(data, source)

    # -- for who adopts it -----------------------------------------------------------------------

    def adopt(self, received: Received) -> DatagramSocket | None:
        """Take it; None: somebody has, or it is closed."""
        if self.adopted or self.closed:
            return None
        self.adopted = True
        self._received = received
        if self._keepalive is not None:
            self._keepalive.cancel()
            self._keepalive = None
        return self

    @property
    def local(self) -> Endpoint:
        """Where it is bound."""
        return self._socket.local

    def send(self, data: bytes, destination: Endpoint, hops: int | None = None) -> bool:
        """Send it; a primer (*hops* given) with the TTL that is known now, or not at all."""
        if self.closed:
            return False
        if hops is not None:
            hops = self._hops()
            if hops is None:
                return False
        return self._socket.send(data, destination, hops)

    def close(self) -> None:
        """Close it at once."""
        if not self.closed:
            self.closed = True
            self._quiet()
            self._socket.close()
