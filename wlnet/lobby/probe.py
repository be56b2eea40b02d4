"""The question whether an old connection still lives, asked before its seat is given away."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.agenda import Agenda, Appointment
from wlnet.lobby.events import Probe
from wlnet.lobby.player import Player


class LivenessProbe:
    """Asks one live player to say anything within *timeout* seconds; answers exactly once.

    Keep it first, then :meth:`ask`: the answer may come at once.

    :param answer: called with True (the player spoke) or False (he was silent, or is gone), as soon as
        that is known.
    """

    def __init__(
        self, player: Player, agenda: Agenda, timeout: float, answer: Callable[[bool], None]
    ) -> None:
        if player.probe is not None or player.inbox is None:
            raise ValueError("not to be probed now")
        self._player = player
        self._answer: Callable[[bool], None] | None = answer
        player.probe = self
        self._deadline: Appointment = agenda.after(timeout, lambda: self.settle(False))

    def ask(self) -> None:
        """Put the question to the player."""
        if self._answer is not None and self._player.inbox is not None:
            self._player.inbox.deliver(Probe())

    def settle(self, alive: bool) -> None:
        """The player spoke (True), or is gone (False)."""
        answer = self.abandon()
        if answer is not None:
            answer(alive)

    def abandon(self) -> Callable[[bool], None] | None:
        """Nobody wants to know any more; gives the callback that will not be called."""
        answer, self._answer = self._answer, None
        self._deadline.cancel()
        if self._player.probe is self:
            self._player.probe = None
        return answer
