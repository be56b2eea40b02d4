"""The API under asyncio: promises are Futures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar
from unittest import IsolatedAsyncioTestCase

from tests.integration.client_api.contract import ApiContract
from wlnet.client.api import Client, Settings, asyncio_client

T = TypeVar("T")


class TestAsyncio(ApiContract, IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.mistakes: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: self.mistakes.append(str(context))
        )

    async def asyncTearDown(self) -> None:
        assert self.mistakes == []

    def make(self, settings: Settings) -> Client:
        return asyncio_client(settings)

    async def within(self, seconds: float, promise: Awaitable[T]) -> T:
        assert isinstance(promise, asyncio.Future)
        return await asyncio.wait_for(promise, seconds)

    def cancel(self, promise: Awaitable[Any]) -> None:
        assert isinstance(promise, asyncio.Future)
        promise.cancel()
