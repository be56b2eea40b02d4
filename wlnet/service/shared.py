"""What all roles of one process share: clock, figures, limits, bans."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from wlnet.agenda import Agenda
from wlnet.config.schema import Config
from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Front, Metrics
from wlnet.moderation.sanctions import Sanctions
from wlnet.moderation.shell_ids import new_sanction_id
from wlnet.service.logs import AddressLog

Reactor = Any
"""Twisted's reactor: several interfaces at once, which types have no way to say."""


class Shared:
    """Made once a process.

    :ivar agenda: runs on a clock that never goes back; the time of day is :attr:`wall`.
    :ivar may_log: whether one more line about an address may be logged.
    """

    def __init__(self, config: Config, reactor: Reactor) -> None:
        self.config = config
        self.reactor = reactor
        self.agenda = Agenda(time.monotonic)
        self.wall: Callable[[], float] = time.time
        self.metrics = Metrics()
        self.budget = QueueBudget(config.limits.total_queues)
        self.sanctions = Sanctions(self.wall, new_sanction_id, config.moderation.max_entries)
        front = Front.METASERVER if "lobby" in config.server.roles else Front.RELAY
        address_log = AddressLog(
            self.agenda, config.limits.log_rate, config.limits.log_burst, self.metrics, front
        )
        self.may_log: Callable[[str], bool] = address_log.may_log
        self.metrics.observe(
            "wlnet_queued_bytes", "Bytes waiting for slow receivers", lambda: self.budget.held
        )


def new_challenge() -> str:
    """32 hex digits nobody can guess."""
    return secrets.token_hex(16)


def new_room_id() -> str:
    """Unique for ever, see :class:`wlnet.lobby.ports.RelayPort`."""
    return secrets.token_hex(12)


def session_ids(prefix: str) -> Callable[[], str]:
    """``m1``, ``m2``, ...: for people who follow one connection through the log."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):x}"
