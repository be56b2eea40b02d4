"""Work that blocks on the database, in a bounded pool of threads, with an end to every wait.

A thread that hangs in a driver cannot be stopped. It costs one of the pool's threads and nothing else: who
asked is answered at the deadline, and at most *max_pending* pieces of work, hanging and waiting ones
together, exist at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")
Reactor = Any
"""A reactor that is IReactorTime and IReactorFromThreads; types have no way to say "and" here."""

_STOP_POLL = 0.05


class DatabaseBusyError(Exception):
    """Too much work is waiting; this piece was not begun."""


class DatabaseSlowError(Exception):
    """The work was not done in time; its result, if it ever comes, is dropped."""


class DatabaseStoppedError(Exception):
    """The threads are not running (yet, or any more)."""


class DatabaseThreads:
    """A pool of threads for work on the database.

    :param name: of the threads, for stack dumps.
    :param threads: how many at most; they are made when needed.
    :param timeout: seconds a piece of work may take, waiting for a thread included.
    :param max_pending: pieces of work at a time.
    """

    def __init__(
        self, reactor: Reactor, name: str, *, threads: int, timeout: float, max_pending: int
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._threads = threads
        self._timeout = timeout
        self._max_pending = max_pending
        self._pool: ThreadPool | None = None
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """Pieces of work that wait for a thread or have one, those given up included."""
        return self._under_way

    def start(self) -> None:
        """Accept work."""
        if self._pool is None:
            self._pool = ThreadPool(minthreads=0, maxthreads=self._threads, name=self._name)
            self._pool.threadFactory = _DaemonThread
            self._pool.start()

    def stop(self) -> Deferred[None]:
        """Accept no more work; fires when the threads have ended, or after the timeout at the latest.

        Threads that hang even then are left alone; they do not keep the process from ending.
        """
        pool, self._pool = self._pool, None
        stopped: Deferred[None] = Deferred()
        deadline = self._reactor.seconds() + self._timeout

        def look() -> None:
            if pool is not None and self._under_way == 0:
                pool.stop()
            elif pool is not None and self._reactor.seconds() < deadline:
                self._reactor.callLater(_STOP_POLL, look)
                return
            stopped.callback(None)

        look()
        return stopped

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """Do *work* in a thread. The answer comes in the reactor's thread, exactly once.

        It fails with :class:`DatabaseStoppedError`, :class:`DatabaseBusyError`, :class:`DatabaseSlowError`
        or whatever *work* raised. Work not begun at its deadline is never begun.
        """
        if self._pool is None:
            return fail(DatabaseStoppedError("The database is not in use (any more)."))
        if self._under_way >= self._max_pending:
            return fail(
                DatabaseBusyError(f"{self._max_pending} questions are waiting for the database already.")
            )
        self._under_way += 1
        answer: Deferred[T] = Deferred()
        given_up = False

        def in_thread() -> T:
            if given_up:
                raise DatabaseSlowError
            return work()

        def give_up() -> None:
            nonlocal given_up
            given_up = True
            answer.errback(DatabaseSlowError(f"The database did not answer within {self._timeout:g} s."))

        deadline = self._reactor.callLater(self._timeout, give_up)

        def done(result: T | Failure) -> None:
            self._under_way -= 1
            if not given_up:
                deadline.cancel()
                answer.callback(result)

        deferToThreadPool(self._reactor, self._pool, in_thread).addBoth(done)
        return answer


class _DaemonThread(Thread):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "daemon": True})
