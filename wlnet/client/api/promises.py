"""Deferreds or Futures: whatever the program of the game is made of, through txaio's instances for one loop.

txaio's process-wide choice of a framework is neither made nor needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from wlnet.client.net.network import Network, Timer

T = TypeVar("T")


class FutureApi(Protocol):
    """What is used of ``txaio.tx.with_config()`` and ``txaio.aio.with_config()``."""

    def create_future(self) -> Any:
        """A Deferred or Future."""

    def create_future_success(self, result: Any) -> Any:
        """One that has its result."""

    def create_future_error(self, error: Any) -> Any:
        """One that failed."""

    def resolve(self, future: Any, result: Any) -> None:
        """Give it its result."""

    def reject(self, future: Any, error: Any) -> None:
        """Let it fail."""

    def is_called(self, future: Any) -> bool:
        """It has a result, has failed or was cancelled."""


class Promises:
    """Makes promises and keeps them, never within a call of the program: it is not re-entered."""

    def __init__(self, api: FutureApi, network: Network) -> None:
        self.api = api
        self._network = network
        self._due: list[Callable[[], None]] = []
        self._timer: Timer | None = None

    def kept(self, value: T) -> Awaitable[T]:
        """A promise that is kept already."""
        future: Awaitable[T] = self.api.create_future_success(value)
        return future

    def broken(self, error: Exception) -> Awaitable[Any]:
        """A promise that is broken already."""
        future: Awaitable[Any] = self.api.create_future_error(error)
        return future

    def soon(self, call: Callable[[], None]) -> None:
        """Call it in a turn of its own, in the order asked for."""
        self._due.append(call)
        if self._timer is None:
            self._timer = self._network.call_later(0.0, self._run)

    def _run(self) -> None:
        self._timer = None
        due, self._due = self._due, []
        for number, call in enumerate(due):
            try:
                call()
            except BaseException:
                for left in due[number + 1 :]:
                    self.soon(left)
                raise


class Promise(Generic[T]):
    """One promise, to be kept once.

    :ivar future: what the program awaits.
    """

    def __init__(self, promises: Promises) -> None:
        self._promises = promises
        self.future: Awaitable[T] = promises.api.create_future()

    @property
    def done(self) -> bool:
        """Kept or broken, or the program does not want it any more."""
        return self._promises.api.is_called(self.future)

    def keep(self, value: T, unwanted: Callable[[], None] = lambda: None) -> None:
        """Soon; *unwanted* is called if the program does not want it any more."""
        self._promises.soon(lambda: unwanted() if self.done else self.keep_now(value))

    def fail(self, error: Exception) -> None:
        """Soon."""
        self._promises.soon(lambda: self._fail_now(error))

    def keep_now(self, value: T) -> None:
        """In a turn of :meth:`Promises.soon` only."""
        if not self.done:
            self._promises.api.resolve(self.future, value)

    def _fail_now(self, error: Exception) -> None:
        if not self.done:
            self._promises.api.reject(self.future, error)


class Mailbox(Generic[T]):
    """What arrives is taken one by one; nobody who gave up waiting takes anything with him.

    :param most: things kept; the oldest goes when there is one more.
    :param most_bytes: likewise for their sizes together.
    :ivar dropped: things that went because nobody took them.
    """

    def __init__(
        self,
        promises: Promises,
        most: int,
        most_bytes: int | None = None,
        size: Callable[[T], int] = lambda _thing: 0,
    ) -> None:
        self.dropped = 0
        self._promises = promises
        self._most = most
        self._most_bytes = most_bytes
        self._size = size
        self._bytes = 0
        self._things: deque[T] = deque()
        self._waiting: deque[Promise[T]] = deque()
        self._end: Exception | None = None

    def __len__(self) -> int:
        return len(self._things)

    def put(self, thing: T) -> list[T]:
        """Keep it for who asks.

        :returns: what had to go for it.
        """
        self._things.append(thing)
        self._bytes += self._size(thing)
        gone = []
        while len(self._things) > self._most or (
            self._most_bytes is not None and self._bytes > self._most_bytes
        ):
            gone.append(self._pop())
            self.dropped += 1
        self._promises.soon(self._hand_out)
        return gone

    def take(self) -> Awaitable[T]:
        """The next thing; when the end was told and all is taken, the promise is broken."""
        if self._things and not self._waiting:
            return self._promises.kept(self._pop())
        if self._end is not None and not self._things:
            return self._promises.broken(self._end)
        promise: Promise[T] = Promise(self._promises)
        self._waiting.append(promise)
        return promise.future

    def end(self, error: Exception) -> list[T]:
        """Nothing more comes.

        :returns: what nobody has taken yet; it can still be taken.
        """
        if self._end is None:
            self._end = error
            self._promises.soon(self._hand_out)
        return list(self._things)

    def clear(self) -> None:
        """Nobody gets what is left."""
        self._things.clear()
        self._bytes = 0

    def _pop(self) -> T:
        thing = self._things.popleft()
        self._bytes -= self._size(thing)
        return thing

    def _hand_out(self) -> None:
        while self._waiting and (self._things or self._end is not None):
            promise = self._waiting.popleft()
            if promise.done:
                continue
            if self._things:
                promise.keep_now(self._pop())
            elif self._end is not None:
                promise.fail(self._end)
