"""What goes wrong in exchanges, as log lines."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger, LogLevel

from wlnet.limits.buckets import TokenBucket
from wlnet.lobby.player import Player
from wlnet.rendezvous.events import Ended, Refusal
from wlnet.tickets.ticket import TicketProblem

_ROUTINE = frozenset({Refusal.STALE, Refusal.NO_SUCH_ATTEMPT})
"""Reports cross with ends all the time."""

UNPROVEN_RATE, UNPROVEN_BURST = 2.0, 100.0
"""Lines a second, and at once, about all senders together whose address nothing proves."""

_log = Logger(namespace="wlnet.rendezvous")


class LogJournal:
    """An :class:`~wlnet.protocols.exchange.watcher.ExchangeWatcher` that writes to the log of the service.

    :param may_log: asked with the address before each line about it; counts what it refuses.
    :param now: seconds; there are few lines about datagrams, whoever they are from, for that can be forged.
    """

    def __init__(self, may_log: Callable[[str], bool], now: Callable[[], float]) -> None:
        self._may_log = may_log
        self._now = now
        self._unproven = TokenBucket(UNPROVEN_RATE, UNPROVEN_BURST, now())

    def malformed(self, player: Player, problem: str) -> None:
        """No message."""
        self._note(LogLevel.info, player, "no message: {problem}", problem=problem)

    def refused(self, player: Player, asked: str, code: Refusal, text: str) -> None:
        """Not done."""
        level = LogLevel.debug if code in _ROUTINE else LogLevel.info
        self._note(level, player, "{asked} refused ({code}): {why}", asked=asked, code=code.value, why=text)

    def ended(self, player: Player, ended: Ended) -> None:
        """An attempt is over."""
        self._note(
            LogLevel.info,
            player,
            "attempt {attempt} of {name} ended ({reason}): {what}",
            attempt=ended.attempt,
            name=player.name,
            reason=ended.reason.value,
            what=ended.text,
        )

    def bad_ticket(self, address: str, problem: TicketProblem) -> None:
        """Worth nothing."""
        if self._unproven.take(self._now()) and self._may_log(address):
            _log.info("a ticket from {address} refused: {why}", address=address, why=problem.value)

    def _note(self, level: LogLevel, player: Player, form: str, **values: object) -> None:
        if self._may_log(player.address):
            _log.emit(level, form, session=player.session, address=player.address, **values)
