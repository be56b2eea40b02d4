"""One TCP connection of the game and one stream of the tunnel, joined: all bytes, and how each side ends.

What waits is bounded both ways: from the game, by one read and the tunnel's send buffer (then the game is not
read); to the game, by the tunnel's window of the stream (then the other side is not given credit).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wlnet.client.forward.tally import Tally
from wlnet.client.net.network import Stream, StreamEnd
from wlnet.protocols.stun.wire import Endpoint


class TunnelStream(Protocol):
    """What a pipe needs of :class:`wlnet.client.peer.streams.PeerStream`."""

    @property
    def room(self) -> int:
        """How many bytes ``write`` takes now; after 0 ``writable`` follows."""

    def write(self, data: bytes) -> int:
        """Send; gives how many bytes were taken."""

    def end(self) -> None:
        """Nothing more comes from us."""

    def reset(self) -> None:
        """Break it off."""

    def consumed(self, size: int) -> None:
        """So many received bytes are gone."""


class Pipe:
    """Handler of the local stream and user of the tunnel's. Either may come first; both must come.

    :param over: called once, when both are done with; told whether it ended cleanly.
    :ivar broken: it was broken off by one side; *reason*: what the tunnel said about that.
    """

    def __init__(self, tally: Tally, over: Callable[[Pipe], None]) -> None:
        self._tally = tally
        self._on_over = over
        self._local: Stream | None = None
        self._tunnel: TunnelStream | None = None
        self._to_tunnel = b""
        self._to_local = bytearray()
        self._unconsumed = 0
        self._local_ended = False
        self._tunnel_ended = False
        self._is_over = False
        self.broken = False
        self.reason = ""

    # -- joining ---------------------------------------------------------------------------------

    def attach_local(self, stream: Stream) -> None:
        """The game's connection is there."""
        if self._is_over:
            stream.abort()
            return
        self._local = stream
        if self._tunnel is None:
            stream.pause()  # the game waits in its own buffers
        if self._to_local:
            stream.write(bytes(self._to_local))
            self._to_local.clear()
        if self._tunnel_ended:
            stream.end()

    def attach_tunnel(self, stream: TunnelStream) -> None:
        """The tunnel's stream is there."""
        if self._is_over:
            stream.reset()
            return
        self._tunnel = stream
        self._pump()
        if self._local is not None and not self._to_tunnel:
            self._local.resume()

    def break_off(self) -> None:
        """Reset both."""
        self._over(broken=True)

    # -- the game's connection (StreamHandler) ---------------------------------------------------

    def connected(self, local: Endpoint) -> None:
        """Told by whoever connected."""

    def received(self, data: bytes) -> None:
        """Of the game."""
        if self._is_over:
            return
        self._to_tunnel += data
        self._pump()
        if self._to_tunnel and self._local is not None:
            self._local.pause()

    def ended(self) -> None:
        """The game sends no more on this connection."""
        self._local_ended = True
        self._pump()

    def drained(self) -> None:
        """What the tunnel brought is with the system: the other side may send as much again."""
        size, self._unconsumed = self._unconsumed, 0
        if size and self._tunnel is not None and not self._is_over:
            self._tunnel.consumed(size)

    def closed(self, end: StreamEnd) -> None:
        """The game's connection is gone: finished both ways, or broken."""
        self._local = None
        if end.reset or end.text or not (self._local_ended and self._tunnel_ended):
            self._over(broken=True)
            return
        self.drained()  # all of it is with the game
        self._finish()

    # -- the tunnel's stream (StreamUser) --------------------------------------------------------

    @property
    def tunnel_side(self) -> TunnelSide:
        """The user of the tunnel's stream."""
        return TunnelSide(self)

    def tunnel_received(self, data: bytes) -> None:
        """Of the other player."""
        if self._is_over:
            return
        self._tally.received += len(data)
        self._unconsumed += len(data)
        if self._local is None:
            self._to_local += data
        else:
            self._local.write(data)

    def tunnel_ended(self) -> None:
        """The other player's game sends no more."""
        self._tunnel_ended = True
        if self._local is not None:
            self._local.end()

    def tunnel_writable(self) -> None:
        """There is room again."""
        self._pump()
        if self._local is not None and not self._to_tunnel and not self._is_over:
            self._local.resume()

    def tunnel_closed(self, text: str) -> None:
        """It was broken off; *text* says why."""
        self.reason = text
        self._tunnel = None
        self._over(broken=True)

    # -- inside ----------------------------------------------------------------------------------

    def _pump(self) -> None:
        if self._tunnel is None or self._is_over:
            return
        while self._to_tunnel and self._tunnel.room:
            taken = self._tunnel.write(self._to_tunnel)
            self._tally.sent += taken
            self._to_tunnel = self._to_tunnel[taken:]
        if self._local_ended and not self._to_tunnel:
            self._tunnel.end()
            self._finish()

    def _finish(self) -> None:
        """The game's connection is over and all it sent is with the tunnel."""
        if self._local is None and self._tunnel_ended and not self._to_tunnel:
            self._over(broken=False)

    def _over(self, *, broken: bool) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.broken = broken
        local, self._local = self._local, None
        tunnel, self._tunnel = self._tunnel, None
        self._to_tunnel = b""
        self._to_local.clear()
        if local is not None:
            local.abort()
        if tunnel is not None and broken:
            tunnel.reset()
        self._on_over(self)


class TunnelSide:
    """A :class:`wlnet.client.peer.streams.StreamUser`: passes everything on to the pipe."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def received(self, data: bytes) -> None:
        """See :meth:`Pipe.tunnel_received`."""
        self._pipe.tunnel_received(data)

    def ended(self) -> None:
        """See :meth:`Pipe.tunnel_ended`."""
        self._pipe.tunnel_ended()

    def writable(self) -> None:
        """See :meth:`Pipe.tunnel_writable`."""
        self._pipe.tunnel_writable()

    def closed(self, text: str) -> None:
        """See :meth:`Pipe.tunnel_closed`."""
        self._pipe.tunnel_closed(text)
