"""Listening TCP sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable

from wlnet.client.net.network import Accepted, StreamHandler, Timer
from wlnet.client.net.shell_addresses import endpoint
from wlnet.client.net.shell_loop import EventLoop, guarded
from wlnet.client.net.shell_stream import SocketStream
from wlnet.protocols.stun.wire import Endpoint

_BATCH = 16
"""Connections accepted before others have their turn."""

_PAUSE = 0.5
"""Seconds without accepting after the system had no descriptor left."""


class SocketListener:
    """See :class:`wlnet.client.net.network.Listener`.

    :param sock: non-blocking and listening.
    :param make: makes a stream of an accepted socket.
    """

    def __init__(
        self,
        loop: EventLoop,
        sock: socket.socket,
        make: Callable[[socket.socket, Endpoint], SocketStream],
        accepted: Accepted,
    ) -> None:
        self.local = endpoint(sock.getsockname())
        self._loop = loop
        self._sock = sock
        self._make = make
        self._accepted = accepted
        self._closed = False
        self._pause: Timer | None = None
        self._watch = loop.watch(sock, self._readable, lambda: None)
        self._watch.reading(True)

    def close(self) -> None:
        """See :class:`wlnet.client.net.network.Listener`."""
        if not self._closed:
            self._closed = True
            if self._pause is not None:
                self._pause.cancel()
            self._watch.stop()
            self._sock.close()

    def _readable(self) -> None:
        for _ in range(_BATCH):
            if self._closed:
                return
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # gone before we came
            except OSError:
                self._watch.reading(False)
                self._pause = self._loop.call_later(_PAUSE, self._again)
                return
            self._take(sock, address)

    def _take(self, sock: socket.socket, address: object) -> None:
        try:
            sock.setblocking(False)
            stream = self._make(sock, endpoint(address))
        except OSError:
            sock.close()
            return
        handlers: list[StreamHandler | None] = []
        guarded(self._loop, "stream accepted", lambda: handlers.append(self._accepted(stream)))
        handler = handlers[0] if handlers else None
        if handler is None:
            stream.abort()
        else:
            stream.accept(handler)

    def _again(self) -> None:
        self._pause = None
        self._watch.reading(True)
