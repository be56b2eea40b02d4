"""How long processes waited for the processor: what of a delay was this machine's, not the program's."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

_PAUSE = 0.05


def waited(pid: int) -> float:
    """Seconds all threads of a process were ready to run and did not; 0.0 if it is gone.

    Linux: the second number of /proc/PID/task/TID/schedstat, in nanoseconds.
    """
    total = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(thread.read_text().split()[1])
        except (OSError, IndexError):
            continue
    return total / 1e9


class Watch:
    """Looks at `Starvation` again and again, so that any while can be asked about afterwards."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._starvation = Starvation(pids)
        self._looks = [(time.monotonic(), 0.0)]

    def sleep(self, seconds: float) -> None:
        """Look on for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(_PAUSE, left))
            self._looks.append((time.monotonic(), self._starvation.seconds))

    def between(self, begin: float, end: float) -> float:
        """Seconds waited from one look before `begin` to one after `end`."""
        before = max((waited for at, waited in self._looks if at <= begin), default=0.0)
        after = min((waited for at, waited in self._looks if at >= end), default=self._looks[-1][1])
        return max(0.0, after - before)


class Starvation:
    """How long some processes have waited for the processor since this was made, together.

    They may have waited at the same time, so it is the most by which they can have been late.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._before = {pid: waited(pid) for pid in pids}

    @property
    def seconds(self) -> float:
        return sum(max(0.0, waited(pid) - before) for pid, before in self._before.items())
