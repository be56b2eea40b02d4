"""The client's sockets under asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import IsolatedAsyncioTestCase

import pytest

from tests.integration.client_net.real import RealSockets
from wlnet.client.net.shell_asyncio import AsyncioNetwork


class TestAsyncio(RealSockets, IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.network = AsyncioNetwork()
        self.logged: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: self.logged.append(str(context.get("exception")))
        )

    async def asyncTearDown(self) -> None:
        assert self.logged == []

    async def until(self, predicate: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not predicate():
            assert time.monotonic() < deadline, "waited too long"
            await asyncio.sleep(0.003)

    async def some_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def folder(self) -> Path:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def mistakes(self) -> list[str]:
        logged, self.logged = self.logged, []
        return logged


class LoopWithoutSockets(asyncio.SelectorEventLoop):
    """Like Windows' default loop in that matter."""

    def remove_reader(self, fd: Any) -> bool:
        raise NotImplementedError


def test_a_loop_that_cannot_watch_sockets_is_refused_with_advice() -> None:
    loop = LoopWithoutSockets()
    try:
        with pytest.raises(RuntimeError, match=r"LoopWithoutSockets cannot watch sockets.*SelectorEventLoop"):
            AsyncioNetwork(loop)
    finally:
        loop.close()
