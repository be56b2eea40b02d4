"""Who hears what goes wrong in exchanges, for the log."""

from __future__ import annotations

from typing import Protocol

from wlnet.lobby.player import Player
from wlnet.rendezvous.events import Ended, Refusal
from wlnet.tickets.ticket import TicketProblem


class ExchangeWatcher(Protocol):
    """Told of what a stranger can cause, so it decides how much of that is written down."""

    def malformed(self, player: Player, problem: str) -> None:
        """*player* said something that is no message; *problem* may repeat words of his."""

    def refused(self, player: Player, asked: str, code: Refusal, text: str) -> None:
        """What *player* asked by a message of type *asked* was not done."""

    def ended(self, player: Player, ended: Ended) -> None:
        """An attempt of *player* is over."""

    def bad_ticket(self, address: str, problem: TicketProblem) -> None:
        """A packet from *address* showed a ticket that is worth nothing."""


class NoWatcher:
    """Listens to nothing."""

    def malformed(self, player: Player, problem: str) -> None:
        """Nothing."""

    def refused(self, player: Player, asked: str, code: Refusal, text: str) -> None:
        """Nothing."""

    def ended(self, player: Player, ended: Ended) -> None:
        """Nothing."""

    def bad_ticket(self, address: str, problem: TicketProblem) -> None:
        """Nothing."""
