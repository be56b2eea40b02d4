"""What attempts came to, as figures: by path, by technique, by what the two networks do.

All label values are from closed sets; nothing a peer says becomes one.
"""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import Counter, Histogram

from wlnet.metrics import Metrics
from wlnet.steering.attempt import Attempt
from wlnet.steering.model import Allocation, Family, Filtering, Mapping, Side, Transport
from wlnet.steering.trace import Event
from wlnet.steering.view import PeerView

_RESULTS = {
    Event.OPENED: "opened",
    Event.FAILED: "failed",
    Event.TIMED_OUT: "timed-out",
    Event.SETTLED: "used",
}


class Network(StrEnum):
    """What a peer's network does over UDP and IPv4 (IPv6 if there is no IPv4): for figures only."""

    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    PUBLIC = "public"
    ENDPOINT_FILTERING = "endpoint-filtering"
    ADDRESS_FILTERING = "address-filtering"
    PORT_FILTERING = "port-filtering"
    COUNTING = "counting"
    CHANGING = "changing"


_BY_FILTERING = {
    Filtering.ENDPOINT_INDEPENDENT: Network.ENDPOINT_FILTERING,
    Filtering.ADDRESS_DEPENDENT: Network.ADDRESS_FILTERING,
}


def network_of(peer: PeerView) -> Network:
    """The label for *peer*."""
    behaviour = peer.behaviour(Transport.UDP, Family.V4)
    if behaviour.mapping is Mapping.UNKNOWN:
        behaviour = peer.behaviour(Transport.UDP, Family.V6)
    match behaviour.mapping:
        case Mapping.UNKNOWN:
            return Network.UNKNOWN
        case Mapping.BLOCKED:
            return Network.BLOCKED
        case Mapping.NONE if behaviour.filtering is Filtering.ENDPOINT_INDEPENDENT:
            return Network.PUBLIC
        case Mapping.NONE | Mapping.ENDPOINT_INDEPENDENT:
            return _BY_FILTERING.get(behaviour.filtering, Network.PORT_FILTERING)
        case _:
            return Network.COUNTING if behaviour.allocation is Allocation.SEQUENTIAL else Network.CHANGING


class Statistics:
    """Counts ended attempts into *metrics*; make one a server."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._attempts = Counter(
            "wlnet_attempts", "Attempts to connect a guest with a host, by the path the game ended up on",
            ["path", "reason"], registry=registry,
        )  # fmt: skip
        self._pairs = Counter(
            "wlnet_attempt_networks", "The same, by what the two networks do",
            ["host", "guest", "path"], registry=registry,
        )  # fmt: skip
        self._steps = Counter(
            "wlnet_steps", "What was tried in attempts, and what became of it",
            ["technique", "transport", "family", "result"], registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "wlnet_first_play_seconds", "From the guest's wish to the game's first bytes both ways",
            buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 20), registry=registry,
        )  # fmt: skip

    def count(self, attempt: Attempt) -> None:
        """An attempt has ended. Play counts only if both sides reported the game's bytes."""
        outcome = attempt.outcome
        if outcome is None:
            return
        path = outcome.path.value if outcome.path is not None else "none"
        self._attempts.labels(path, outcome.reason.value).inc()
        self._pairs.labels(
            network_of(attempt.view(Side.HOST)).value, network_of(attempt.view(Side.GUEST)).value, path
        ).inc()
        if outcome.step is not None:
            self._seconds.observe(outcome.first)
        seen: set[tuple[int | None, str]] = set()
        for entry in attempt.trace.entries:
            result = _RESULTS.get(entry.event)
            if result is None or entry.technique is None or entry.transport is None:
                continue
            if (entry.step, result) in seen:  # both sides told
                continue
            seen.add((entry.step, result))
            family = str(entry.family.value) if entry.family is not None else "any"
            self._steps.labels(entry.technique.value, entry.transport.value, family, result).inc()
