"""Which path carries the payloads. The guest chooses and nominates, the host follows."""

from __future__ import annotations

from collections.abc import Iterable

from wlnet.client.paths import limits
from wlnet.client.paths.path import Path


def best(paths: Iterable[Path]) -> Path | None:
    """The best path that is alive, whatever it went through."""
    alive = [path for path in paths if path.alive]
    return min(alive, key=lambda path: (path.rank, path.rtt or 0.0), default=None)


def refuge(paths: Iterable[Path], now: float) -> Path | None:
    """Where to go when a path dies: others may have died with it, so one that answers comes first."""
    alive = [path for path in paths if path.alive]
    return best([path for path in alive if not path.doubtful(now)]) or best(alive)


def better(candidate: Path, current: Path) -> bool:
    """It is worth a move: of a better kind, or much quicker."""
    if candidate.rank != current.rank:
        return candidate.rank < current.rank
    if candidate.rtt is None or current.rtt is None:
        return False
    return candidate.rtt < current.rtt * limits.RTT_FACTOR and candidate.rtt < current.rtt - limits.RTT_MARGIN


def wanted(paths: Iterable[Path], current: Path, moved_at: float, now: float) -> Path | None:
    """The path the guest should move to by choice now; None: stay."""
    if now < moved_at + dwell(current):
        return None
    return best([path for path in paths if path.steady_at <= now and better(path, current)])


def dwell(current: Path) -> float:
    """How long *current* is kept after a move."""
    return 0.0 if current.relayed else limits.DWELL


def reconsider_at(paths: Iterable[Path], current: Path, moved_at: float) -> float | None:
    """When :func:`wanted` may have another answer, if nothing else happens."""
    ready = [
        max(path.steady_at, moved_at + dwell(current))
        for path in paths
        if path.alive and path is not current and better(path, current)
    ]
    return min(ready, default=None)
