"""The relay's own figures: plain integers, cheap enough for the byte path."""

from __future__ import annotations


class Figures:
    """Counts since the start, except those that say "now". Bytes are those on the relay's sockets."""

    __slots__ = (
        "bytes_in", "bytes_out", "connections_now", "connections_total", "dropped_slow",
        "dropped_total_queues", "frames_in", "frames_out", "joins_total", "refused_hellos",
        "rooms_hosted_total", "rooms_total", "timeouts", "violations",
    )  # fmt: skip

    def __init__(self) -> None:
        self.bytes_in = 0
        self.bytes_out = 0
        self.connections_now = 0
        self.connections_total = 0
        self.dropped_slow = 0
        self.dropped_total_queues = 0
        self.frames_in = 0
        """Game packets received (ToHost, ToClients)."""
        self.frames_out = 0
        """Game packets passed on, one for each receiver."""
        self.joins_total = 0
        self.refused_hellos = 0
        self.rooms_hosted_total = 0
        self.rooms_total = 0
        self.timeouts = 0
        self.violations = 0

    def as_dict(self) -> dict[str, int]:
        """All of them by name."""
        return {name: getattr(self, name) for name in self.__slots__}
