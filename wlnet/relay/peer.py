"""One connection of the relay, as rooms see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from wlnet.limits.addresses import address_key
from wlnet.relay.backlog import Backlog
from wlnet.relay.reasons import Reason

if TYPE_CHECKING:
    from wlnet.relay.relay import Relay
    from wlnet.relay.room import Room


class Carrier(Protocol):
    """What moves the bytes of one peer (a shell's connection)."""

    def send(self, data: bytes | memoryview, /) -> int:
        """Take some of *data* at once and say how many bytes.

        :raises BlockingIOError: none can be taken now.
        :raises OSError: the connection is dead.
        """

    def watch(self, wanted: bool) -> None:
        """Call (or stop calling) :meth:`~wlnet.relay.outgoing.Outgoing.writable` when more can be taken."""

    def finish(self) -> None:
        """Everything was sent: end our side, throw away what still comes until the other side ends its."""

    def abort(self) -> None:
        """Drop the connection now."""


class Peer(ABC):
    """A connection: newcomer, host or client. The wire protocol is what a subclass adds.

    :param address: the IP literal it comes from.
    :param session_id: short and unique, for the log.
    """

    __slots__ = (
        "address", "address_key", "awaits_writable", "backlog", "budgeted", "carrier", "client_id", "closed",
        "closing", "dirty", "dirty_peers", "finished", "out", "ping_sent_at", "ping_sequence", "pong_at",
        "relay", "room", "round_trip_ms", "send", "session_id", "slow",
    )  # fmt: skip

    def __init__(self, relay: Relay, carrier: Carrier, address: str, session_id: str) -> None:
        self.relay = relay
        self.carrier = carrier
        self.send: Callable[[bytes | memoryview], int] = carrier.send
        self.address = address
        self.address_key = address_key(address)
        self.session_id = session_id
        self.room: Room | None = None
        self.client_id = 0
        """Its id in the room: 1 is the host, 0 nobody yet."""
        # Output: frames of this round, then (only if it does not read fast enough) the backlog.
        self.out: list[bytes] = []
        self.dirty = False
        self.dirty_peers = relay.outgoing.dirty
        self.backlog: Backlog | None = None
        self.budgeted = 0
        self.slow = False
        """Not to be served by the quick path of a flush: it has a backlog or is being closed."""
        self.awaits_writable = False
        self.closing = False
        self.finished = False
        self.closed = False
        # Pings.
        self.ping_sequence = 0
        self.ping_sent_at: float | None = None
        self.pong_at = relay.now()
        self.round_trip_ms = 255

    def put(self, frame: bytes) -> None:
        """Send one or several whole frames at the end of this round."""
        self.out.append(frame)
        if not self.dirty:
            self.dirty = True
            self.dirty_peers.append(self)

    def close(self, reason: Reason, *, discard: bool = False) -> None:
        """Let it have what is queued and the reason, then end the connection. It must be in no room any more.

        :param discard: of what is queued only the frame already begun is sent.
        """
        if self.closing or self.closed:
            return
        self.closing = self.slow = True
        self.ignore_input()
        if discard:
            self.relay.outgoing.discard(self)
        self.put(self.farewell(reason))

    @abstractmethod
    def ignore_input(self) -> None:
        """Nothing that still arrives is to have any effect."""

    @abstractmethod
    def became_host(self, room: Room) -> None:
        """It is the host of *room* now: greet it."""

    @abstractmethod
    def became_client(self, room: Room, host: Peer) -> None:
        """It is a client of *room* now, ``client_id`` is set: greet it."""

    @abstractmethod
    def farewell(self, reason: Reason) -> bytes:
        """The last frame of a connection."""

    @abstractmethod
    def ping(self, sequence: int) -> bytes:
        """A question that a living peer answers."""

    @abstractmethod
    def client_joined(self, client_id: int) -> bytes:
        """To the host: a client is there."""

    @abstractmethod
    def client_left(self, client_id: int) -> bytes:
        """To the host: a client is gone."""

    @abstractmethod
    def end_of_frame(self, chunk: bytes, offset: int) -> int:
        """Where in *chunk* (whole frames, sent by us) the frame ends that byte *offset* belongs to."""
