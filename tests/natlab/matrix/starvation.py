"""How long processes waited for the processor: what of a delay was this machine's, not the program's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


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


class Starvation:
    """How long some processes have waited for the processor since this was made, together.

    They may have waited at the same time, so it is the most by which they can have been late.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._before = {pid: waited(pid) for pid in pids}

    @property
    def seconds(self) -> float:
        return sum(max(0.0, waited(pid) - before) for pid, before in self._before.items())
