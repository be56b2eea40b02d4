"""The API under Twisted: promises are Deferreds."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar, cast

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as LateError
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from tests.integration.client_api.contract import ApiContract
from wlnet.client.api import Client, Settings, twisted_client

T = TypeVar("T")


class TestTwisted(ApiContract, TestCase):
    timeout = 60

    def make(self, settings: Settings) -> Client:
        return twisted_client(settings)

    async def within(self, seconds: float, promise: Awaitable[T]) -> T:
        assert isinstance(promise, Deferred)
        promise.addTimeout(seconds, cast("IReactorTime", reactor))
        try:
            return cast("T", await promise)
        except LateError as error:
            raise TimeoutError from error

    def cancel(self, promise: Awaitable[Any]) -> None:
        assert isinstance(promise, Deferred)
        promise.addErrback(lambda failure: failure.trap(CancelledError) and None)
        promise.cancel()
