"""TCP connections, with TLS if asked for."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable

from wlnet.client.net.network import StreamEnd, StreamHandler, Timer
from wlnet.client.net.shell_addresses import endpoint
from wlnet.client.net.shell_loop import EventLoop, guarded
from wlnet.client.net.shell_tls import TlsClient, TlsError
from wlnet.protocols.stun.wire import Endpoint

_READ = 65536
"""Bytes read before others have their turn."""

_WRITE = 262144
"""Bytes offered to the system at once."""

_LINGER = 3.0
"""Seconds without progress a stream that was closed may still take."""

_STARTED = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, errno.EINTR, 10035}  # WSAEWOULDBLOCK

_RESETS = {errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054, 10061}


class SocketStream:
    """See :class:`wlnet.client.net.network.Stream`.

    Writes of one turn of the event loop leave together.

    :param sock: non-blocking; then :meth:`accept` or :meth:`connect` is to be called.
    :param over: called when its socket is closed.
    """

    def __init__(
        self,
        loop: EventLoop,
        sock: socket.socket,
        remote: Endpoint,
        over: Callable[[SocketStream], None],
        tls: TlsClient | None = None,
    ) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.remote = remote
        self._loop = loop
        self._sock = sock
        self._tls = tls
        self._gone = over
        self._handler: StreamHandler | None = None
        self._open = False  # connected, and trusted if there is TLS
        self._connecting = False
        self._plain = bytearray()  # still to be encrypted
        self._outgoing = bytearray()
        self._soon: Timer | None = None
        self._had_to_wait = False
        self._paused = False
        self._read_over = False
        self._ending = False
        self._said_end = False  # within TLS
        self._sent_end = False
        self._closing = False
        self._over = False
        self._linger: Timer | None = None
        self._left = 0
        self._watch = loop.watch(sock, self._readable, self._writable)
        self.local = endpoint(sock.getsockname())

    def accept(self, handler: StreamHandler) -> None:
        """An accepted connection gets its handler."""
        self._handler = handler
        self._open = True
        if self._over:  # aborted by who was to take it
            return
        self._reading()
        if self._plain or self._ending:
            self._flush_soon()

    def connect(self, address: tuple[object, ...], handler: StreamHandler) -> None:
        """Connect; what comes of it is told to *handler*."""
        self._handler = handler
        self._connecting = True
        code = self._sock.connect_ex(address)
        self.local = endpoint(self._sock.getsockname())
        if code == 0 or code in _STARTED:
            self._watch.writing(True)
        else:
            self._soon = self._loop.call_later(0, lambda: self._broken(code))

    @property
    def waiting(self) -> int:
        """See :class:`wlnet.client.net.network.Stream`."""
        return len(self._plain) + len(self._outgoing)

    def write(self, data: bytes) -> None:
        """See :class:`wlnet.client.net.network.Stream`."""
        if self._ending or self._over or not data:
            return
        self._plain += data
        self._had_to_wait = True
        self._flush_soon()

    def pause(self) -> None:
        """See :class:`wlnet.client.net.network.Stream`."""
        self._paused = True
        self._reading()

    def resume(self) -> None:
        """See :class:`wlnet.client.net.network.Stream`."""
        self._paused = False
        self._reading()

    def end(self) -> None:
        """See :class:`wlnet.client.net.network.Stream`."""
        if not self._ending:
            self._ending = True
            self._flush_soon()

    def close(self) -> None:
        """See :class:`wlnet.client.net.network.Stream`."""
        if self._closing or self._over:
            return
        self._ending = self._closing = True
        self._flush_soon()
        self._left = self.waiting
        self._linger = self._loop.call_later(_LINGER, self._linger_over)
        self._reading()

    def abort(self) -> None:
        """See :class:`wlnet.client.net.network.Stream`."""
        if not self._over:
            if not self._connecting:
                self._reset_on_close()
            self._shut()

    # Reading

    def _reading(self) -> None:
        """Read if it makes sense; a closed stream is read to its end, as unread bytes would reset it."""
        if self._over or self._connecting:
            return
        wanted = not self._paused or self._closing or not self._open
        self._watch.reading(wanted and not self._read_over)

    def _readable(self) -> None:
        if self._over or self._connecting or self._read_over:
            return
        try:
            data = self._sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._broken(error.errno or 0)
            return
        if self._tls is not None:
            self._decrypt(self._tls, data)
            return
        if data:
            self._deliver(data)
        else:
            self._their_end()

    def _decrypt(self, tls: TlsClient, data: bytes) -> None:
        if not data:
            if tls.finished:
                self._their_end()
            else:
                self._finish(StreamEnd(text="cut off within TLS"))
            return
        self._feed(tls, data)

    def _feed(self, tls: TlsClient, data: bytes) -> None:
        try:
            plain = tls.feed(data)
        except TlsError as failure:
            self._untrusted(tls, failure)
            return
        self._take_outgoing(tls)
        if tls.ready and not self._open:
            self._opened()
        if plain and not self._over:
            self._deliver(plain)
        if tls.finished and not self._over:
            self._their_end()

    def _untrusted(self, tls: TlsClient, failure: TlsError) -> None:
        alert = tls.outgoing()
        try:
            self._sock.send(alert)
        except OSError:
            pass  # they need not know
        self._finish(StreamEnd(text=str(failure), untrusted=failure.untrusted))

    def _deliver(self, data: bytes) -> None:
        if not self._closing and self._handler is not None:
            self._tell("received", self._handler.received, data)

    def _their_end(self) -> None:
        self._read_over = True
        self._reading()
        if not self._closing and self._handler is not None:
            self._tell("ended", self._handler.ended)
        self._perhaps_finish()

    # Writing

    def _writable(self) -> None:
        if self._over:
            return
        if self._connecting:
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._broken(code)
                return
            self._connecting = False
            self.local = endpoint(self._sock.getsockname())
            if self._tls is None:
                self._opened()
            else:
                self._reading()
                self._feed(self._tls, b"")
            return
        self._flush()

    def _opened(self) -> None:
        self._open = True
        self._reading()
        if not self._closing and self._handler is not None:
            self._tell("connected", self._handler.connected, self.local)
        if not self._over:
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._soon is None and not self._over:
            self._soon = self._loop.call_later(0, self._flush)

    def _take_outgoing(self, tls: TlsClient) -> None:
        out = tls.outgoing()
        if out:
            self._outgoing += out
            self._flush_soon()

    def _flush(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._over:
            return
        if self._connecting:
            if self._closing and not self._plain:
                self._finish(StreamEnd())
            return
        if self._open and not self._prepare():
            return
        try:
            while self._outgoing:
                with memoryview(self._outgoing) as view, view[:_WRITE] as part:
                    taken = self._sock.send(part)
                del self._outgoing[:taken]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._broken(error.errno or 0)
            return
        self._watch.writing(bool(self._outgoing))
        if not self._outgoing:
            self._all_taken()

    def _prepare(self) -> bool:
        """Encrypt what waits, or take it as it is."""
        if self._tls is None:
            self._outgoing += self._plain
            self._plain.clear()
            return True
        try:
            if self._plain:
                self._tls.write(bytes(self._plain))
                self._plain.clear()
            if self._ending and not self._said_end:
                self._said_end = True
                self._tls.end()
        except TlsError as failure:
            self._finish(StreamEnd(text=str(failure)))
            return False
        self._outgoing += self._tls.outgoing()
        return True

    def _all_taken(self) -> None:
        if not self._open:
            return
        if self._had_to_wait:
            self._had_to_wait = False
            if not self._closing and self._handler is not None:
                self._tell("drained", self._handler.drained)
        if self._ending and not self._over and not self.waiting:
            self._send_end()

    def _send_end(self) -> None:
        if not self._sent_end:
            self._sent_end = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._broken(error.errno or 0)
                return
        self._perhaps_finish()

    # The end

    def _perhaps_finish(self) -> None:
        if self._read_over and self._sent_end and not self._over:
            self._finish(StreamEnd())

    def _linger_over(self) -> None:
        if self._over:
            return
        waiting = self.waiting
        if waiting and waiting < self._left:
            self._left = waiting
            self._linger = self._loop.call_later(_LINGER, self._linger_over)
        elif waiting:
            self._reset_on_close()
            self._finish(StreamEnd(text="not everything was taken"))
        else:
            self._finish(StreamEnd())

    def _broken(self, code: int) -> None:
        if not self._over:
            self._finish(StreamEnd(reset=code in _RESETS, text=os.strerror(code)))

    def _finish(self, end: StreamEnd) -> None:
        self._shut()
        if self._handler is not None:
            guarded(self._loop, "stream closed", self._handler.closed, end)

    def _shut(self) -> None:
        self._over = True
        self._watch.stop()
        for timer in (self._soon, self._linger):
            if timer is not None:
                timer.cancel()
        self._sock.close()
        self._plain.clear()
        self._outgoing.clear()
        self._gone(self)

    def _reset_on_close(self) -> None:
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _linger_none())
        except OSError:
            pass  # then they get a FIN

    def _tell(self, what: str, call: Callable[..., None], *arguments: object) -> None:
        """Tell the handler something; one that raises loses its stream, and is told that."""
        if not guarded(self._loop, f"stream {what}", call, *arguments) and not self._over:
            self._reset_on_close()
            self._finish(StreamEnd(text="a mistake in this program"))


def _linger_none() -> bytes:
    return struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
