"""Counts of what was carried and what was not."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Bytes are those of the game, without any headers.

    :ivar sent: to the other player.
    :ivar received: from the other player.
    :ivar connections: TCP connections carried so far; *flows*: UDP flows.
    :ivar dropped: datagrams and connections that were not carried, by reason.
    """

    sent: int = 0
    received: int = 0
    connections: int = 0
    flows: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str) -> int:
        """One more was not carried for *reason* (one of a few fixed words); gives how many so far."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        return self.dropped[reason]
