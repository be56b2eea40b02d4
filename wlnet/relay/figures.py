"""The relay's own figures: plain integers, cheap enough for the byte path."""

from __future__ import annotations


class Figures:
    """Counts since the start, except ``connections_now``. Bytes are those on the relay's sockets."""

    __slots__ = (
        "bytes_in", "bytes_out", "connections_now", "connections_total", "deliveries_to_clients",
        "dropped_slow", "dropped_total_queues", "joins_total", "packets_to_clients", "packets_to_host",
        "refused_hellos", "rooms_hosted_total", "rooms_total", "timeouts", "violations",
    )  # fmt: skip

    def __init__(self) -> None:
        self.bytes_in = 0
        self.bytes_out = 0
        self.connections_now = 0
        self.connections_total = 0
        self.deliveries_to_clients = 0
        """Packets sent by hosts, one for each client that was listed."""
        self.dropped_slow = 0
        self.dropped_total_queues = 0
        self.joins_total = 0
        self.packets_to_clients = 0
        """Packets sent by hosts, however many clients were listed."""
        self.packets_to_host = 0
        self.refused_hellos = 0
        self.rooms_hosted_total = 0
        self.rooms_total = 0
        self.timeouts = 0
        self.violations = 0

    @property
    def frames_in(self) -> int:
        """Game packets received."""
        return self.packets_to_host + self.packets_to_clients

    @property
    def frames_out(self) -> int:
        """Game packets passed on, one for each receiver."""
        return self.packets_to_host + self.deliveries_to_clients

    def as_dict(self) -> dict[str, int]:
        """All of them by name."""
        figures = {name: getattr(self, name) for name in self.__slots__}
        return figures | {"frames_in": self.frames_in, "frames_out": self.frames_out}
