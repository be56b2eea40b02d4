"""What a party needs of others: the link to the lobby, and the sockets found out about for an attempt."""

from __future__ import annotations

from typing import Protocol

from wlnet.client.net.network import Accepted, DatagramSocket, Listener, Received
from wlnet.protocols.exchange.messages import Candidates, Hello, Said
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import Begin
from wlnet.steering.model import Family


class Link(Protocol):
    """A connection to the lobby that comes back when it is lost (:mod:`wlnet.client.lobby.link`)."""

    @property
    def ready(self) -> bool:
        """Messages may be said now."""

    @property
    def server(self) -> Endpoint | None:
        """The lobby's end of the connection; None: there is none."""

    def say(self, message: Said) -> bool:
        """Say it; False if there is no connection now.

        :raises ValueError: it is longer than the lobby takes.
        """

    def negotiate(self) -> bool:
        """Ask for new tickets."""

    def reconnect(self) -> None:
        """The connection is dead, as far as we can tell: another one, without a goodbye."""

    def close(self) -> None:
        """Log out and close; nothing is called any more."""


class GatheringEvents(Protocol):
    """Who asked for a gathering hears of it here."""

    def gathered(self, candidates: Candidates) -> None:
        """What is known by now, for the attempt; said again when there is more."""

    def probed(self, token: str) -> None:
        """The server's test packet with that token arrived."""


class Gathering(Protocol):
    """The sockets made for one attempt, and the finding out where they can be reached.

    It goes on answering what is its own (STUN, the server's tests) on sockets that were adopted.
    """

    @property
    def primer_hops(self) -> int | None:
        """TTL that reaches out of our own network and not into the other's; None: not known."""

    def begin(self) -> None:
        """The relay is bound: what is opened from now on is what is measured."""

    def adopt_datagram(self, family: Family, port: int, received: Received) -> DatagramSocket | None:
        """The UDP socket bound to *port*: all else that arrives goes to *received*. None: not ours."""

    def adopt_listener(self, family: Family, port: int, accepted: Accepted) -> Listener | None:
        """The listening socket bound to *port*; None: not ours."""

    def close(self) -> None:
        """Close what was not adopted, give mappings back; nothing is called any more."""


class Gatherer(Protocol):
    """Knows our network, and begins gatherings."""

    def linked(self, server: Endpoint | None, hello: Hello) -> None:
        """The lobby is there, or gave new tickets; *server* is its end of the connection."""

    def gather(self, begin: Begin, events: GatheringEvents) -> Gathering:
        """For one attempt; nothing is told before this has returned."""

    def close(self) -> None:
        """Nothing is called any more."""
