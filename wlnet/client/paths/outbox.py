"""What waits for the owner of the sockets to fetch it, bounded in case nobody does."""

from __future__ import annotations

from collections import Counter

from wlnet.client.paths import limits
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.words import Event, Transmit, Wish


class Outbox:
    """Packets, wishes, events and payloads, each in order.

    :ivar dropped: what was thrown away, here and elsewhere.
    """

    def __init__(self) -> None:
        self.dropped: Counter[Dropped] = Counter()
        self._transmits: list[Transmit] = []
        self._wishes: list[Wish] = []
        self._events: list[Event] = []
        self._delivered: list[bytes] = []

    def drop(self, dropped: Dropped) -> None:
        """Count something that was thrown away."""
        self.dropped[dropped] += 1

    def transmit(self, transmit: Transmit) -> None:
        """A packet to send."""
        if len(self._transmits) >= limits.MAX_TRANSMITS:
            self.drop(Dropped.TRANSMITS)
            return
        self._transmits.append(transmit)

    def wish(self, wish: Wish) -> None:
        """A socket to open or close; the number of sockets bounds these."""
        self._wishes.append(wish)

    def say(self, event: Event) -> None:
        """Something happened."""
        if len(self._events) >= limits.MAX_EVENTS:
            self.drop(Dropped.EVENTS)
            return
        self._events.append(event)

    def deliver(self, payload: bytes) -> bool:
        """A payload of the peer; False: there are too many."""
        if len(self._delivered) >= limits.MAX_DELIVERED:
            self.drop(Dropped.DELIVERED)
            return False
        self._delivered.append(payload)
        return True

    # -- fetching takes ----------------------------------------------------------------------------

    def take_transmits(self) -> list[Transmit]:
        """The packets."""
        taken, self._transmits = self._transmits, []
        return taken

    def take_wishes(self) -> list[Wish]:
        """The wishes."""
        taken, self._wishes = self._wishes, []
        return taken

    def take_events(self) -> list[Event]:
        """The events."""
        taken, self._events = self._events, []
        return taken

    def take_delivered(self) -> list[bytes]:
        """The payloads."""
        taken, self._delivered = self._delivered, []
        return taken
