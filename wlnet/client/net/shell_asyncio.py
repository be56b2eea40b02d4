"""Sockets under asyncio, on event loops with ``add_reader`` (on Windows: the selector loop)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from wlnet.client.net.network import T
from wlnet.client.net.shell_loop import guarded
from wlnet.client.net.shell_sockets import SocketNetwork


class AsyncioNetwork(SocketNetwork):
    """See :class:`wlnet.client.net.network.Network`.

    :param loop: None: the running one.
    :ivar loop: the loop.
    :raises RuntimeError: the loop cannot watch sockets, as the default one on Windows.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        loop = loop or asyncio.get_running_loop()
        _check(loop)
        self.loop = loop
        super().__init__(_AsyncioLoop(loop))


def _check(loop: asyncio.AbstractEventLoop) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            loop.remove_reader(probe.fileno())
        except NotImplementedError:
            raise RuntimeError(
                f"{type(loop).__name__} cannot watch sockets; on Windows run the program on a selector loop:"
                " asyncio.run(main(), loop_factory=asyncio.SelectorEventLoop), or before Python 3.12"
                " asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy()) first"
            ) from None


class _Watched:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        readable: Callable[[], None],
        writable: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._descriptor = sock.fileno()
        self._readable = readable
        self._writable = writable
        self._reads = False
        self._writes = False

    def reading(self, wanted: bool) -> None:
        if wanted != self._reads:
            self._reads = wanted
            if wanted:
                self._loop.add_reader(self._descriptor, self._readable)
            else:
                self._loop.remove_reader(self._descriptor)

    def writing(self, wanted: bool) -> None:
        if wanted != self._writes:
            self._writes = wanted
            if wanted:
                self._loop.add_writer(self._descriptor, self._writable)
            else:
                self._loop.remove_writer(self._descriptor)

    def stop(self) -> None:
        self.reading(False)
        self.writing(False)


class _AsyncioLoop:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def watch(
        self, sock: socket.socket, readable: Callable[[], None], writable: Callable[[], None]
    ) -> _Watched:
        return _Watched(self._loop, sock, readable, writable)

    def call_later(self, delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(max(0.0, delay), guarded, self, "timer", call)

    def in_thread(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        future = self._loop.run_in_executor(None, work)

        def finished(result: asyncio.Future[T]) -> None:
            if result.cancelled():
                return
            error = result.exception()
            if isinstance(error, Exception):
                guarded(self, "thread done", done, error)
            else:
                guarded(self, "thread done", done, result.result())

        future.add_done_callback(finished)

    def failed(self, what: str, error: Exception) -> None:
        self._loop.call_exception_handler({"message": f"mistake in {what}", "exception": error})
