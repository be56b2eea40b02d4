"""The client's sockets under Twisted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.integration.client_net.real import RealSockets
from wlnet.client.net.shell_twisted import TwistedNetwork


class TestTwisted(RealSockets, TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.network = TwistedNetwork()

    async def until(self, predicate: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not predicate():
            assert time.monotonic() < deadline, "waited too long"
            await self.some_time(0.003)

    async def some_time(self, seconds: float) -> None:
        await deferLater(reactor, seconds)

    def folder(self) -> Path:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def mistakes(self) -> list[str]:
        return [failure.getErrorMessage() for failure in self.flushLoggedErrors(ValueError)]
