"""Whether a router has lost its mappings: RFC 6887 section 8.5, which RFC 6886 section 3.6 agrees with."""

from __future__ import annotations


class EpochWatch:
    """Compares the router's clock with ours."""

    def __init__(self) -> None:
        self._router: int | None = None
        self._ours = 0.0

    def lost(self, epoch: int, now: float) -> bool:
        """Take the epoch of an answer.

        :param epoch: the router's seconds since it lost its mappings.
        :param now: our seconds, of any clock that does not go back.
        :returns: it lost them since the last answer.
        """
        before, since = self._router, self._ours
        self._router, self._ours = epoch, now
        if before is None:
            return False
        if epoch < before - 1:
            return True
        ours, theirs = now - since, epoch - before
        return ours + 2 < theirs - theirs / 16 or theirs + 2 < ours - ours / 16
