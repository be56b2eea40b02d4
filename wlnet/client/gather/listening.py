"""A TCP port of an attempt: it listens from the start, and the first bytes decide whose a connection is."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather import limits
from wlnet.client.gather.asking import StreamQuestion
from wlnet.client.gather.words import KNOCK, KNOCK_SIZE
from wlnet.client.net.network import Accepted, Listener, Network, Stream, StreamEnd, StreamHandler, Timer
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

_HELD = 2048
"""Bytes read of a connection that nobody took yet."""


class KeptListener(Listener):
    """Listens at a port of all addresses; shares it with connects (SO_REUSEADDR, SO_REUSEPORT).

    A connection that begins with the server's test packet ends here, all others are for who adopted it, and
    wait a little if nobody has.

    :param port: 0: one of the system's choice.
    :param knocked: a test packet came, with that token.
    :raises OSError: the port cannot be had.
    """

    def __init__(
        self, network: Network, family: Family, knocked: Callable[[str], None], *, port: int = 0
    ) -> None:
        self.family = family
        self.mapped: Endpoint | None = None
        self.adopted = False
        self.closed = False
        self._network = network
        self._knocked: Callable[[str], None] | None = knocked
        self._accepted: Accepted | None = None
        self._strangers: list[_Stranger] = []
        self._question: StreamQuestion | None = None
        self._question_ends: Timer | None = None
        self._listener = network.listen(family, self._arrived, port=port, reuse=port == 0)

    # -- for the gathering -----------------------------------------------------------------------

    def ask(self, server: Endpoint, answered: Callable[[Endpoint | None], None]) -> None:
        """Ask from this very port where the server sees it.

        The connection stays open for a while: some NATs forget a port with its last connection.
        """

        def heard(mapped: Endpoint | None) -> None:
            self.mapped = mapped
            answered(mapped)

        try:
            self._question = StreamQuestion(self._network, server, self.local.port, heard)
        except OSError:
            self._network.call_later(0.0, lambda: heard(None))
            return
        self._question_ends = self._network.call_later(limits.KEPT_STREAM, self._stop_asking)

    def forget(self) -> None:
        """The gathering is over: call it no more, and close the port unless it was adopted."""
        self._knocked = None
        self._stop_asking()
        if not self.adopted:
            self.close()

    def _stop_asking(self) -> None:
        if self._question is not None:
            self._question.close()
            self._question = None
        if self._question_ends is not None:
            self._question_ends.cancel()

    def _arrived(self, stream: Stream) -> StreamHandler | None:
        if self.closed or len(self._strangers) >= limits.MAX_STRANGERS:
            return None
        stranger = _Stranger(self, self._network, stream)
        self._strangers.append(stranger)
        return stranger

    # -- for strangers ---------------------------------------------------------------------------

    def knock(self, token: str) -> None:
        """A connection was the server's test."""
        if self._knocked is not None:
            self._knocked(token)

    def owner_for(self, stream: Stream) -> tuple[bool, StreamHandler | None]:
        """Whether somebody adopted this port, and his handler for *stream*, None if he does not want it."""
        if self._accepted is None:
            return False, None
        return True, self._accepted(stream)

    def remove(self, stranger: _Stranger) -> None:
        """It is no stranger any more."""
        if stranger in self._strangers:
            self._strangers.remove(stranger)

    # -- for who adopts it -----------------------------------------------------------------------

    def adopt(self, accepted: Accepted) -> Listener | None:
        """Take it; None: somebody has, or it is closed."""
        if self.adopted or self.closed:
            return None
        self.adopted = True
        self._accepted = accepted
        self._network.call_later(0.0, self._introduce)
        return self

    def _introduce(self) -> None:
        for stranger in list(self._strangers):
            stranger.decide()

    @property
    def local(self) -> Endpoint:
        """Where it is bound."""
        return self._listener.local

    def close(self) -> None:
        """Listen no more; connections that were handed over live on."""
        if not self.closed:
            self.closed = True
            self._stop_asking()
            self._listener.close()
            for stranger in list(self._strangers):
                stranger.refuse()


class _Stranger(StreamHandler):
    """An accepted connection until it is known whose it is; then it passes everything on."""

    def __init__(self, door: KeptListener, network: Network, stream: Stream) -> None:
        self._door = door
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
                self._door.knock(self._buffer[1:KNOCK_SIZE].hex())
                self._stream.close()
            return
        adopted, handler = self._door.owner_for(self._stream)
        if not adopted:
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
        self._door.remove(self)
