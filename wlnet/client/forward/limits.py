"""What carrying a game may cost on this machine. Sizes in bytes, times in seconds."""

from __future__ import annotations

from msgspec import Struct


class ForwardLimits(Struct, frozen=True, kw_only=True):
    """Bounds of one player's forwarding; those of the tunnel come on top.

    :ivar connections: TCP connections of the game with one other player (the tunnel has 64 streams).
    :ivar waiting: of these at a guest, how many may wait for the path.
    :ivar waiting_time: how long they wait before they are reset.
    :ivar connect: for the host's game to accept a connection.
    :ivar flows: UDP sockets of the game with one other player; the one silent for longest goes beyond it.
    :ivar flow_idle: a flow without datagrams either way ends after so long.
    :ivar early_datagrams: the newest so many wait for the path; *early_bytes*: of them in all.
    :ivar report_pause: between two sentences about the same trouble.
    """

    connections: int = 56
    waiting: int = 56
    waiting_time: float = 60.0
    connect: float = 5.0
    flows: int = 64
    flow_idle: float = 120.0
    early_datagrams: int = 64
    early_bytes: int = 65536
    report_pause: float = 30.0
