"""Drives an agenda by one reactor timer."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from wlnet.agenda import Agenda

_log = Logger(namespace="wlnet.ticker")


class Ticker(Service):
    """Runs what is due on *agenda*, as long as the service runs.

    An action that fails is logged and does not keep the others from running.
    """

    def __init__(self, agenda: Agenda, reactor: IReactorTime) -> None:
        self._agenda = agenda
        self._reactor = reactor
        self._timer: IDelayedCall | None = None

    def startService(self) -> None:
        """Start driving."""
        super().startService()
        self._agenda.on_earlier = self._appoint
        self._appoint()

    def stopService(self) -> None:
        """Stop driving; appointments stay on the agenda."""
        super().stopService()
        self._agenda.on_earlier = lambda: None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _appoint(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._agenda.next_deadline()
        if deadline is not None:
            self._timer = self._reactor.callLater(max(0.0, deadline - self._agenda.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        # Appointments made meanwhile are looked at once, at the end.
        self._agenda.on_earlier = lambda: None
        try:
            self._agenda.run_due()
        except Exception:
            _log.failure("an appointment failed")
        self._agenda.on_earlier = self._appoint
        self._appoint()
