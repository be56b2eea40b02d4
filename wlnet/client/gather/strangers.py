"""Accepted connections of whom it is not known yet whose they are: their first bytes decide."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from wlnet.client.gather import limits
from wlnet.client.gather.words import KNOCK, KNOCK_SIZE
from wlnet.client.net.network import Network, Stream, StreamEnd, StreamHandler
from wlnet.protocols.stun.wire import Endpoint

_HELD = 2048
"""Bytes read of a connection that nobody took yet."""


class Verdict(Enum):
    """No decision."""

    WAIT = "for more bytes, or for an owner"


WAIT = Verdict.WAIT

Judge = Callable[[bytes, Stream], "StreamHandler | Verdict | None"]
"""Gets the first bytes: who owns the connection, None if nobody wants it, or :data:`WAIT`."""


class Strangers:
    """Those of one port. Who begins with the server's test packet is answered for here.

    :param knocked: a test packet came, with that token.
    """

    def __init__(self, network: Network, judge: Judge, knocked: Callable[[str], None]) -> None:
        self.judge = judge
        self.knocked = knocked
        self._network = network
        self._all: list[_Stranger] = []

    def arrived(self, stream: Stream) -> StreamHandler | None:
        """A connection was accepted; None: there are too many."""
        if len(self._all) >= limits.MAX_STRANGERS:
            return None
        stranger = _Stranger(self, self._network, stream)
        self._all.append(stranger)
        return stranger

    def decide_again(self) -> None:
        """There may be an owner now."""
        for stranger in list(self._all):
            stranger.decide()

    def close(self) -> None:
        """Those who wait are refused; who was handed over goes on."""
        for stranger in list(self._all):
            stranger.refuse()

    def remove(self, stranger: _Stranger) -> None:
        """It is no stranger any more."""
        if stranger in self._all:
            self._all.remove(stranger)


class _Stranger(StreamHandler):
    """One of them; once it has an owner it passes everything on."""

    def __init__(self, strangers: Strangers, network: Network, stream: Stream) -> None:
        self._strangers = strangers
        self._stream = stream
        self._buffer = b""
        self._handler: StreamHandler | None = None
        self._ended = False
        self._timer = network.call_later(limits.STRANGER_TIME, self.refuse)

    def connected(self, local: Endpoint) -> None:
        """It was from the start."""

    def received(self, data: bytes) -> None:
        if self._handler is not None:
            self._handler.received(data)
            return
        self._buffer += data
        if len(self._buffer) > _HELD:
            self._stream.pause()
        self.decide()

    def ended(self) -> None:
        if self._handler is not None:
            self._handler.ended()
            return
        self._ended = True
        if not self._buffer or self._buffer[0] == KNOCK:
            self.refuse()

    def drained(self) -> None:
        if self._handler is not None:
            self._handler.drained()

    def closed(self, end: StreamEnd) -> None:
        if self._handler is not None:
            self._handler.closed(end)
        else:
            self._leave()

    def refuse(self) -> None:
        """It is nobody's."""
        if self._handler is None:
            self._leave()
            self._stream.abort()

    def decide(self) -> None:
        """Look at the first bytes."""
        if self._handler is not None or not self._buffer:
            return
        if self._buffer[0] == KNOCK:
            if len(self._buffer) >= KNOCK_SIZE:
                self._leave()
                self._stream.close()
                self._strangers.knocked(self._buffer[1:KNOCK_SIZE].hex())
            return
        handler = self._strangers.judge(self._buffer, self._stream)
        if isinstance(handler, Verdict):
            return
        if handler is None:
            self.refuse()
            return
        self._leave()
        self._handler = handler
        buffer, self._buffer = self._buffer, b""
        self._stream.resume()
        handler.received(buffer)
        if self._ended:
            handler.ended()

    def _leave(self) -> None:
        self._timer.cancel()
        self._strangers.remove(self)
