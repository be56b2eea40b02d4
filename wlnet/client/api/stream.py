"""A stream of the game: bytes in order between two players, whatever path carries them."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable

from wlnet.client.api.errors import OverError, TooMuchWaitingError, WrongUseError
from wlnet.client.api.promises import Promise, Promises
from wlnet.client.peer.streams import PeerStream, StreamUser

_READ = 65536


class GameStream(StreamUser):
    """One stream.

    What the other side sends is fetched only as fast as it is read, and :meth:`write` is kept as fast as the
    other side reads: await it, and no queue grows.

    :param write_queue: bytes :meth:`write` keeps for programs that do not wait.
    """

    def __init__(self, promises: Promises, write_queue: int) -> None:
        self._promises = promises
        self._write_queue = write_queue
        self._stream: PeerStream | None = None
        self._buffer = bytearray()
        self._uncredited = 0
        self._ended = False
        self._over: str | None = None
        self._aborted = False
        self._reading: tuple[Promise[bytes], int, bool] | None = None
        self._writes: deque[tuple[memoryview, Promise[None]]] = deque()
        self._waiting = 0
        self._ending = False

    def attach(self, stream: PeerStream) -> None:
        """Used by players: the stream below."""
        self._stream = stream

    @property
    def purpose(self) -> int:
        """The number its opener gave it, 0 to 254."""
        return self._stream.purpose if self._stream is not None else 0

    # -- for the program -------------------------------------------------------------------------

    def read(self, limit: int = _READ) -> Awaitable[bytes]:
        """The next bytes, at least one and at most *limit*; b"" when the other side has ended the stream.

        :raises OverError: the stream was broken off.
        :raises WrongUseError: a read is under way.
        """
        return self._read(limit, whole=False)

    def read_exactly(self, size: int) -> Awaitable[bytes]:
        """The next *size* bytes.

        :raises OverError: the stream ended or was broken off before.
        :raises WrongUseError: a read is under way.
        """
        return self._read(size, whole=True)

    def write(self, data: bytes) -> Awaitable[None]:
        """Send bytes in order; kept when there is room for more.

        :raises OverError: the stream is over, or was ended by us.
        :raises TooMuchWaitingError: too much waits already, nothing of *data* is sent.
        """
        if self._over is not None or self._ending or self._stream is None:
            return self._promises.broken(OverError(self._over or "We ended the stream."))
        if self._writes and self._waiting + len(data) > self._write_queue:
            return self._promises.broken(TooMuchWaitingError(f"{self._waiting} bytes wait to be sent"))
        promise: Promise[None] = Promise(self._promises)
        self._writes.append((memoryview(bytes(data)), promise))
        self._waiting += len(data)
        self._push(self._stream)
        return promise.future

    def end(self) -> None:
        """Nothing more comes from us after what was written; the other side may still send."""
        if not self._ending:
            self._ending = True
            if not self._writes and self._stream is not None:
                self._stream.end()

    def abort(self) -> None:
        """Break it off in both directions; what is under way may be lost."""
        if self._over is None and self._stream is not None:
            self._stream.reset()
            self._aborted = True
            self.closed("We broke the stream off.")

    # -- what comes (StreamUser) -----------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """See StreamUser."""
        if not self._aborted:
            self._buffer += data
            self._uncredited += len(data)
            self._promises.soon(self._serve)

    def ended(self) -> None:
        """See StreamUser."""
        self._ended = True
        self._promises.soon(self._serve)

    def writable(self) -> None:
        """See StreamUser."""
        if self._stream is not None:
            self._push(self._stream)

    def closed(self, text: str) -> None:
        """See StreamUser."""
        if self._over is not None:
            return
        self._over = text
        if self._aborted:
            self._buffer.clear()
        for _, promise in self._writes:
            promise.fail(OverError(text))
        self._writes.clear()
        self._waiting = 0
        self._promises.soon(self._serve)

    # -- writing ---------------------------------------------------------------------------------

    def _push(self, stream: PeerStream) -> None:
        """Hand over what waits until there is no room: having seen that, the stream says when there is."""
        while self._writes:
            view, promise = self._writes[0]
            room = stream.room
            if view and not room:
                return
            taken = stream.write(bytes(view[:room]))
            self._waiting -= taken
            if taken < len(view):
                self._writes[0] = (view[taken:], promise)
            else:
                self._writes.popleft()
                promise.keep(None)
        if self._ending:
            stream.end()

    # -- reading ---------------------------------------------------------------------------------

    def _read(self, size: int, *, whole: bool) -> Awaitable[bytes]:
        if size < 1:
            return self._promises.broken(WrongUseError("at least one byte is read"))
        if self._reading is not None and not self._reading[0].done:
            return self._promises.broken(WrongUseError("one read at a time"))
        promise: Promise[bytes] = Promise(self._promises)
        self._reading = (promise, size, whole)
        self._promises.soon(self._serve)
        return promise.future

    def _serve(self) -> None:
        if self._reading is None:
            return
        promise, size, whole = self._reading
        if promise.done:  # whoever waited does not any more
            self._reading = None
            return
        if len(self._buffer) >= (size if whole else 1):
            self._reading = None
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._credit()
            promise.keep_now(data)
        elif self._over is not None or self._ended:
            self._reading = None
            if self._over is None and not whole:
                promise.keep_now(b"")
            else:
                promise.fail(OverError(self._over or "The other side ended the stream."))
        elif whole:
            self._credit(everything=True)

    def _credit(self, *, everything: bool = False) -> None:
        """Let the other side send more: what the program took, or all of it if it waits for more."""
        size = self._uncredited if everything else max(0, self._uncredited - len(self._buffer))
        if size and self._stream is not None:
            self._uncredited -= size
            self._stream.consumed(size)
