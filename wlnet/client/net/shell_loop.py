"""What the sockets need of an event loop; Twisted and asyncio each give it in a few lines."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Protocol

from wlnet.client.net.network import T, Timer


class Watch(Protocol):
    """Interest in one socket, at first in nothing. Every method may be called in any state."""

    def reading(self, wanted: bool) -> None:
        """Say when there is something to read, or the other side is gone."""

    def writing(self, wanted: bool) -> None:
        """Say when there is room to write, or a connect is decided."""

    def stop(self) -> None:
        """Never call again; to be done before the socket is closed."""


class EventLoop(Protocol):
    """An event loop whose sockets are level-triggered. It calls back from its own turn only."""

    def watch(self, sock: socket.socket, readable: Callable[[], None], writable: Callable[[], None]) -> Watch:
        """Watch *sock*, which is non-blocking."""

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """See :meth:`wlnet.client.net.network.Network.call_later`."""

    def in_thread(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """See :meth:`wlnet.client.net.network.Network.in_thread`."""

    def failed(self, what: str, error: Exception) -> None:
        """Log, with its traceback, that a callback raised: a mistake in our program."""


def guarded(loop: EventLoop, what: str, call: Callable[..., None], *arguments: Any) -> bool:
    """Call it; what it raises is logged.

    :returns: whether it returned.
    """
    try:
        call(*arguments)
    except Exception as error:
        loop.failed(what, error)
        return False
    return True
