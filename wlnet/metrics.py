"""What is counted: every series and every label value of wlnet, closed sets all of them.

Label values never come from a client. The hot path adds to plain integers; whoever owns them reports
through :meth:`Metrics.observe`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Front(StrEnum):
    """The door something happened at."""

    METASERVER = "metaserver"
    RELAY = "relay"
    LINK = "link"
    STUN = "stun"
    RENDEZVOUS = "rendezvous"
    PAIRS = "pairs"
    TLS = "tls"
    WEB = "web"


class Limit(StrEnum):
    """The limits that can refuse, delay or drop somebody."""

    CONNECTIONS = "connections"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"
    HANDSHAKE_TIME = "handshake_time"
    SILENCE = "silence"
    MALFORMED = "malformed"
    PACKET_SIZE = "packet_size"
    STRING_SIZE = "string_size"
    NAME = "name"
    GAMES = "games"
    GAMES_PER_PLAYER = "games_per_player"
    PLAYERS = "players"
    LOST_PLAYERS = "lost_players"
    CLIENTS_PER_GAME = "clients_per_game"
    COMMAND_RATE = "command_rate"
    CHAT_RATE = "chat_rate"
    FAILED_LOGINS = "failed_logins"
    QUEUE = "queue"
    TOTAL_QUEUES = "total_queues"
    LOG_LINES = "log_lines"
    BANNED = "banned"
    MUTED = "muted"
    ACCOUNTS_UNAVAILABLE = "accounts_unavailable"
    DATABASE_PENDING = "database_pending"
    PROBES = "probes"
    FAILED_PROOFS = "failed_proofs"
    RELAYS = "relays"
    PENDING = "pending"
    REQUEST_RATE = "request_rate"
    TOTAL_REQUEST_RATE = "total_request_rate"
    CHANGE_RATE = "change_rate"
    TOTAL_CHANGE_RATE = "total_change_rate"
    ATTEMPTS = "attempts"
    JOIN_RATE = "join_rate"
    LIST_RATE = "list_rate"
    CANDIDATES = "candidates"
    STALE = "stale"
    TICKETS = "tickets"
    FORGED_SOURCE = "forged_source"
    BAD_TICKET = "bad_ticket"
    USED_TICKET = "used_ticket"
    PAIRS = "pairs"
    PAIRS_PER_ADDRESS = "pairs_per_address"
    BIND_RATE = "bind_rate"
    CHALLENGE_RATE = "challenge_rate"
    TRANSFER = "transfer"
    LIFETIME = "lifetime"


class Metrics:
    """The counters of one server; a test makes its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._limits = Counter(
            "wlnet_limited", "Times a limit refused, delayed or dropped somebody",
            ["front", "limit"], registry=self.registry,
        )  # fmt: skip

    def limited(self, front: Front, limit: Limit, times: int = 1) -> None:
        """A limit did its work."""
        self._limits.labels(front.value, limit.value).inc(times)

    def times_limited(self, front: Front, limit: Limit) -> int:
        """How often *limit* did its work at *front*."""
        value = self.registry.get_sample_value(
            "wlnet_limited_total", {"front": front.value, "limit": limit.value}
        )
        return int(value or 0)

    def observe(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Export a figure somebody else keeps: *read* is called at each scrape."""
        gauge = Gauge(name, text, registry=self.registry)
        gauge.set_function(read)

    def exposition(self) -> bytes:
        """All series in the Prometheus text format."""
        return generate_latest(self.registry)
