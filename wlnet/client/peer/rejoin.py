"""When a guest asks the rendezvous for a new attempt. Pure arithmetic on times."""

from __future__ import annotations

from enum import Enum

from wlnet.client.peer.options import RejoinTimes


class Footing(Enum):
    """What carries the game."""

    NOTHING = "nothing"
    RELAYED = "relayed"
    DIRECT = "direct"
    """Any path without the relay."""


class Rejoin:
    """Says when to ask.

    :param begun: the first attempt began.
    :ivar possible: False: there is nothing to be joined any more.
    """

    def __init__(self, times: RejoinTimes, begun: float) -> None:
        self._times = times
        self._footing = Footing.NOTHING
        self._wish_at: float | None = None
        self._tries = 0
        self._tried_at = begun
        self._wants_own = False
        self._asking = False
        self.possible = True
        self._lobby = True

    @property
    def footing(self) -> Footing:
        """What carries the game."""
        return self._footing

    def stands(self, footing: Footing, now: float) -> None:
        """The game is carried by that now.

        Who had a path of his own and has it no more wants it back; who came no further than the relay
        stays with it, since all that could be tried was tried.
        """
        former, self._footing = self._footing, footing
        if footing is former:
            return
        if footing is Footing.DIRECT:
            self._wants_own = True
            self._wish_at = None
        elif footing is Footing.NOTHING or (self._wants_own and not self._asking):
            self._wish(now + self._times.patience)
        else:
            self._wish_at = None

    def network_changed(self, now: float) -> None:
        """Our addresses are others now; a path of its own that still works is left alone."""
        if self._footing is not Footing.DIRECT:
            self._wish(now)

    def lobby_lost(self, now: float, *, under_way: bool) -> None:
        """There is none to ask.

        :param under_way: an attempt was.
        """
        self._lobby = False
        if under_way or self._asking:
            self.failed(now)

    def lobby_back(self) -> None:
        """There is one again; what was asked before is not a reason to wait."""
        self._lobby = True
        self._tries = min(self._tries, 1)

    def tried(self) -> None:
        """The attempt is over, and all that could be tried was tried."""
        self._asking = False
        if self._footing is Footing.RELAYED:
            self._wants_own = False
            self._wish_at = None

    def failed(self, now: float) -> None:
        """The attempt came to nothing, or was broken off."""
        self._asking = False
        if self._footing is Footing.NOTHING or (self._wants_own and self._footing is Footing.RELAYED):
            self._wish(now)

    def asked(self, now: float) -> None:
        """A new attempt was asked for."""
        if now - self._tried_at >= self._times.calm:
            self._tries = 0
        self._tries += 1
        self._asking = True
        self._tried_at = now
        self._wish_at = None
        if self._footing is Footing.NOTHING:  # if it brings nothing either; it has its time until then
            self._wish(now + self._times.urgent)

    def _wish(self, at: float) -> None:
        self._wish_at = at if self._wish_at is None else min(self._wish_at, at)

    def due_at(self) -> float | None:
        """When to ask; None: there is no reason to."""
        if self._wish_at is None or not (self.possible and self._lobby):
            return None
        wait = self._times.waits[min(self._tries, len(self._times.waits) - 1)]
        if self._footing is Footing.NOTHING:
            wait = min(wait, self._times.urgent)
        return max(self._wish_at, self._tried_at + wait)
