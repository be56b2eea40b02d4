"""A stream of the game within a tunnel."""

from __future__ import annotations

from typing import Protocol

from wlnet.client.tunnel.tunnel import Tunnel, TunnelError


class StreamUser(Protocol):
    """Who uses a stream hears of it here. Writing and closing from inside these calls is fine."""

    def received(self, data: bytes) -> None:
        """The next bytes. Say :meth:`PeerStream.consumed` when they are gone, or no more come."""

    def ended(self) -> None:
        """The other side sends no more; we still may."""

    def writable(self) -> None:
        """After :attr:`PeerStream.room` was 0: there is room again."""

    def closed(self, text: str) -> None:
        """Broken off, by the other side or with the tunnel; said once, last. Not after our own reset."""


class _Nobody(StreamUser):
    def received(self, data: bytes) -> None:
        pass

    def ended(self) -> None:
        pass

    def writable(self) -> None:
        pass

    def closed(self, text: str) -> None:
        pass


NOBODY = _Nobody()


class Touch(Protocol):
    """Says that there is something to send."""

    def __call__(self) -> None:
        """Soon."""


class PeerStream:
    """One stream, of either side's opening.

    :ivar purpose: the opener's number for what it is for.
    :ivar user: who hears of it.
    """

    def __init__(self, tunnel: Tunnel, number: int, purpose: int, touched: Touch) -> None:
        self.number = number
        self.purpose = purpose
        self.user: StreamUser = NOBODY
        self.receiving = True
        self.sending = True
        self._broken = False
        self._tunnel = tunnel
        self._touched = touched

    @property
    def room(self) -> int:
        """How many bytes :meth:`write` takes now; 0 if it is over. After 0 ``writable`` follows."""
        try:
            return self._tunnel.room(self.number) if self.sending else 0
        except TunnelError:
            return 0

    def write(self, data: bytes) -> int:
        """Send bytes in order; gives how many were taken, from the beginning of *data*."""
        taken = data[: self.room]
        if taken:
            self._tunnel.send_stream(self.number, taken)
            self._touched()
        return len(taken)

    def end(self) -> None:
        """Nothing more comes from us."""
        if self.sending:
            self.sending = False
            try:
                self._tunnel.send_stream(self.number, b"", end=True)
            except TunnelError:
                return
            self._touched()

    def reset(self) -> None:
        """Break it off in both directions; nothing of it is told any more."""
        if self.sending or self.receiving:
            self.sending = self.receiving = False
            self._broken = True
            self.user = NOBODY
            self._tunnel.reset_stream(self.number)
            self._touched()

    def consumed(self, size: int) -> None:
        """So many more of the bytes received are gone.

        :raises ValueError: not so many were received.
        """
        if not self._broken:
            self._tunnel.consumed(self.number, size)
            self._touched()

    def over(self, text: str) -> None:
        """Used by the peer: the stream was broken off."""
        self.sending = self.receiving = False
        self._broken = True
        user, self.user = self.user, NOBODY
        user.closed(text)
