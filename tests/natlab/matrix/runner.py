"""Plays many cells side by side, each in homes nobody else uses meanwhile."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tests.natlab.matrix.cells import Cell, Outcome, Stage

# Cells at a time. A cell mostly waits; starting its programs is what keeps a processor busy.
AT_ONCE = 6

Progress = Callable[[str], None]


class Runner:
    """Begins to play when made; whoever wants an outcome waits for it.

    :param again: a cell that failed is played so often once more, alone at the end; the last outcome counts.
    """

    def __init__(self, stage: Stage, cells: Sequence[Cell], at_once: int = AT_ONCE) -> None:
        self._stage = stage
        self._waiting = list(cells)
        self._count = len(cells)
        self._outcomes: dict[Cell, Outcome] = {}
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self._begun = time.monotonic()
        self._stopped = False
        self._threads = [threading.Thread(target=self._work) for _ in range(at_once)]
        for thread in self._threads:
            thread.start()

    def outcome(self, cell: Cell, progress: Progress) -> Outcome:
        """Wait for it; meanwhile `progress` is told, in this thread, of each cell that is done."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or cell in self._outcomes or self._stopped)
                lines, outcome = list(self._lines), self._outcomes.get(cell)
                self._lines.clear()
            for text in lines:
                progress(text)
            if outcome is not None or self._stopped:
                return self._outcomes[cell]

    def wait(self) -> list[Outcome]:
        """All outcomes, when all are there."""
        for thread in self._threads:
            thread.join()
        return list(self._outcomes.values())

    def stop(self) -> None:
        """Begin nothing more; wait for what has begun."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
        self.wait()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._begun

    def _next(self) -> Cell | None:
        """A cell whose homes are free, or else the first one; None: all are taken."""
        with self._changed:
            if not self._waiting:
                return None
            town = self._stage.town
            free = (cell for cell in self._waiting if cell.event or town.is_free(cell.host, cell.guest))
            cell = next(free, None)
            cell = cell or self._waiting[0]
            self._waiting.remove(cell)
            return cell

    def _work(self) -> None:
        while (cell := self._next()) is not None:
            outcome = Outcome.of(cell)
            try:
                outcome = self._stage.play(cell)
            except Exception as error:
                outcome.problems.append(f"the laboratory: {error!r}")
            with self._changed:
                self._outcomes[cell] = outcome
                self._lines.append(
                    f"[{len(self._outcomes)}/{self._count} {self.seconds:.0f} s] {line(outcome)}"
                )
                self._changed.notify_all()


def line(outcome: Outcome) -> str:
    """One cell in one line."""
    words = [f"{outcome.cell}:"]
    if outcome.letter is not None:
        words.append(f"{outcome.first_letter}->{outcome.letter}" if outcome.upgrade else outcome.letter)
        words.append(f"{outcome.technique} {outcome.transport}")
    if outcome.first_byte is not None:
        words.append(f"first byte {outcome.first_byte:.2f} s")
    if outcome.upgrade:
        words.append(f"upgrade {outcome.upgrade:.2f} s")
    if outcome.silence is not None:
        words.append(f"then {outcome.fallback or 'the same'}, still for {outcome.silence:.2f} s")
    if outcome.problems:
        words.append(f"FAILED: {'; '.join(outcome.problems)}")
    return " ".join(words)
