"""The first words of a game at the agent's relay: which game, and as what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wlnet.client.net.network import Stream, StreamEnd, Timer
from wlnet.protocols.stun.wire import Endpoint
from wlnet.protocols.widelands_relay import wire

MAX_HELLO = 1024
_GUEST = b"client"
"""The password released games send as guests."""


class Successor(Protocol):
    """Handler of the stream once it is known whose it is."""

    def connected(self, local: Endpoint) -> None:
        """See :class:`~wlnet.client.net.network.StreamHandler`."""

    def received(self, data: bytes) -> None:
        """See :class:`~wlnet.client.net.network.StreamHandler`."""

    def ended(self) -> None:
        """See :class:`~wlnet.client.net.network.StreamHandler`."""

    def drained(self) -> None:
        """See :class:`~wlnet.client.net.network.StreamHandler`."""

    def closed(self, end: StreamEnd) -> None:
        """See :class:`~wlnet.client.net.network.StreamHandler`."""


class Hello:
    """Handler of a stream until its Hello is there; then of whoever it is handed over to.

    :param complete: called once with the Hello that has come.
    :param gone: called once if it goes before it is handed over.
    :ivar timer: for its patience; cancelled when the Hello is there, or the stream gone.
    """

    def __init__(self, complete: Callable[[Hello], None], gone: Callable[[Hello], None]) -> None:
        self._complete = complete
        self.gone = gone
        self.timer: Timer | None = None
        self._said = b""
        self._told = False
        self._over = False
        self._successor: Successor | None = None
        self.stream: Stream | None = None
        self.version = 0
        self.game = b""
        self.password = b""

    @property
    def guest(self) -> bool:
        """It wants in as a guest."""
        return self.password == _GUEST

    def hand_over(self, successor: Successor) -> None:
        """All that was said and will be said is for *successor*."""
        self._successor = successor
        said, self._said = self._said, b""
        if said:
            successor.received(said)

    def connected(self, local: Endpoint) -> None:
        """It was accepted."""

    def received(self, data: bytes) -> None:
        """More of it."""
        if self._over:
            return
        if self._successor is not None:
            self._successor.received(data)
            return
        self._said += data
        if not self._told:
            self._look()
        if len(self._said) > MAX_HELLO and self.stream is not None and not self._over:
            if self._told:
                self.stream.pause()
            else:
                self._nonsense()

    def _look(self) -> None:
        said = self._said
        if said[0] != wire.HELLO:
            self._nonsense()
            return
        if len(said) > 1 and said[1] not in wire.VERSIONS:
            self._nonsense(b"WRONG_VERSION")
            return
        end_of_game = said.find(0, 2)
        end = said.find(0, end_of_game + 1) if end_of_game > 0 else -1
        if end >= MAX_HELLO:
            self._nonsense()
        elif end > 0:
            self._told = True
            self._calm()
            self.version, self.game, self.password = said[1], said[2:end_of_game], said[end_of_game + 1 : end]
            self._complete(self)

    def refuse(self, reason: bytes) -> None:
        """Tell it why, and be done with it."""
        stream, self.stream = self.stream, None
        if stream is not None and self._successor is None and not self._over:
            self._over = True
            self._calm()
            stream.write(wire.disconnect(reason))
            stream.close()

    def _nonsense(self, reason: bytes = b"PROTOCOL_VIOLATION") -> None:
        self.refuse(reason)
        self.gone(self)

    def _calm(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()

    def ended(self) -> None:
        """The game does not wait any more."""
        if self._successor is not None:
            self._successor.ended()
        else:
            self._lost()

    def drained(self) -> None:
        """Pass it on."""
        if self._successor is not None:
            self._successor.drained()

    def closed(self, end: StreamEnd) -> None:
        """Pass it on."""
        if self._successor is not None:
            self._successor.closed(end)
        else:
            self._lost()

    def _lost(self) -> None:
        if not self._over:
            self._over = True
            self._calm()
            if self.stream is not None:
                self.stream.close()
            self.gone(self)
