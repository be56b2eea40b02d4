"""The world of a client over real sockets, on any event loop."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import partial

from wlnet.client.net import shell_addresses
from wlnet.client.net.network import Accepted, Received, StreamHandler, T, Timer, TlsOptions
from wlnet.client.net.shell_addresses import family_of, open_socket, sockaddr
from wlnet.client.net.shell_datagram import BoundDatagramSocket
from wlnet.client.net.shell_listener import SocketListener
from wlnet.client.net.shell_loop import EventLoop
from wlnet.client.net.shell_stream import SocketStream
from wlnet.client.net.shell_tls import TlsClient
from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

_MOST_ADDRESSES = 16
"""Addresses of one name that are told."""

_BACKLOG = 64


class SocketNetwork:
    """See :class:`wlnet.client.net.network.Network`."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._streams: set[SocketStream] = set()
        self._quiet: list[Callable[[], None]] = []

    def when_quiet(self, call: Callable[[], None]) -> None:
        """Call it when there is no stream any more: those that were closed may take a few seconds."""
        self._quiet.append(call)
        self._loop.call_later(0, self._look_quiet)

    def _look_quiet(self) -> None:
        if not self._streams:
            quiet, self._quiet = self._quiet, []
            for call in quiet:
                call()

    def _stream_over(self, stream: SocketStream) -> None:
        self._streams.discard(stream)
        if self._quiet and not self._streams:
            self._loop.call_later(0, self._look_quiet)

    def now(self) -> float:
        """See Network."""
        return time.monotonic()

    def wall(self) -> float:
        """See Network."""
        return time.time()

    def random_bytes(self, count: int) -> bytes:
        """See Network."""
        return os.urandom(count)

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """See Network."""
        return self._loop.call_later(delay, call)

    def open_datagram(
        self, family: Family, received: Received, *, address: str = "", port: int = 0, reuse: bool = False
    ) -> BoundDatagramSocket:
        """See Network."""
        sock = open_socket(family, socket.SOCK_DGRAM, reuse, address, port)
        return BoundDatagramSocket(self._loop, sock, family, received)

    def connect(
        self,
        destination: Endpoint,
        handler: StreamHandler,
        *,
        port: int = 0,
        reuse: bool = False,
        tls: TlsOptions | None = None,
    ) -> SocketStream:
        """See Network."""
        family = family_of(destination.host)
        address = sockaddr(family, destination)
        crypto = None if tls is None else TlsClient(tls)
        sock = open_socket(family, socket.SOCK_STREAM, reuse, "", port if port or reuse else None)
        try:
            stream = SocketStream(self._loop, sock, destination, self._stream_over, crypto)
            stream.connect(address, handler)
        except BaseException:
            sock.close()
            raise
        self._streams.add(stream)
        return stream

    def _accepted(self, sock: socket.socket, remote: Endpoint) -> SocketStream:
        stream = SocketStream(self._loop, sock, remote, self._stream_over)
        self._streams.add(stream)
        return stream

    def listen(
        self, family: Family, accepted: Accepted, *, address: str = "", port: int = 0, reuse: bool = False
    ) -> SocketListener:
        """See Network."""
        sock = open_socket(family, socket.SOCK_STREAM, reuse, address, port, listens=True)
        try:
            sock.listen(_BACKLOG)
            return SocketListener(self._loop, sock, self._accepted, accepted)
        except BaseException:
            sock.close()
            raise

    def resolve(self, host: str, done: Callable[[tuple[str, ...] | OSError], None]) -> None:
        """See Network."""
        try:
            parse_address(host)
        except ValueError:
            self._loop.in_thread(
                partial(shell_addresses.addresses_of, host, _MOST_ADDRESSES),
                lambda found: done(_as_os_error(found)),
            )
        else:
            self._loop.call_later(0, lambda: done((host,)))

    def interfaces(self) -> tuple[str, ...]:
        """See Network."""
        return shell_addresses.interfaces()

    def source_for(self, destination: Endpoint) -> str | None:
        """See Network."""
        return shell_addresses.source_for(destination)

    def in_thread(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """See Network."""
        self._loop.in_thread(work, done)


def _as_os_error(found: tuple[str, ...] | Exception) -> tuple[str, ...] | OSError:
    return found if isinstance(found, tuple | OSError) else OSError(str(found))
