"""Trouble that may come a thousand times a second is told in a sentence now and then."""

from __future__ import annotations

from wlnet.client.forward.reports import Tell, Trouble
from wlnet.client.forward.tally import Tally


class Grumbling:
    """Counts trouble in a tally and tells of each kind at most once in *pause* seconds.

    Kinds are a few fixed words, so nothing grows here.
    """

    def __init__(self, tell: Tell, pause: float) -> None:
        self._tell = tell
        self._pause = pause
        self._told: dict[str, float] = {}

    def about(self, kind: str, text: str, tally: Tally, now: float) -> None:
        """Once more: *text* is a sentence."""
        times = tally.drop(kind)
        last = self._told.get(kind)
        if last is None or now >= last + self._pause:
            self._told[kind] = now
            self._tell(Trouble(text=text if times == 1 else f"{text} ({times} times so far)"))
