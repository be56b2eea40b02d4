"""Another player, as the program of a game sees him."""

from __future__ import annotations

from collections.abc import Awaitable

from wlnet.client.api.errors import OverError
from wlnet.client.api.promises import Mailbox, Promise, Promises
from wlnet.client.api.stream import GameStream
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.client.tunnel.tunnel import TunnelError
from wlnet.steering.model import Side

DATAGRAMS = 1024
DATAGRAM_BYTES = 1024 * 1024
"""Received datagrams nobody takes; the oldest go first."""
_PATH_NEWS = 32
_STREAMS = 64

WRITE_QUEUE = 1024 * 1024
"""Bytes a stream keeps for programs that do not wait for their writes."""


class Player:
    """The other end of the tunnel: everything is encrypted between the two, and moves to better paths.

    :param peer: the machine below.
    """

    def __init__(self, peer: Peer, promises: Promises) -> None:
        self._peer = peer
        self._promises = promises
        self._over: str | None = None
        self._datagrams: Mailbox[bytes] = Mailbox(promises, DATAGRAMS, DATAGRAM_BYTES, len)
        self._paths: Mailbox[PathNews | PathGone] = Mailbox(promises, _PATH_NEWS)
        self._streams: Mailbox[GameStream] = Mailbox(promises, _STREAMS)
        self._closings: list[Promise[str]] = []

    # -- who and how -----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """His, as the lobby says."""
        return self._peer.name

    @property
    def game(self) -> str:
        """The name of the game."""
        return self._peer.game

    @property
    def is_host(self) -> bool:
        """He hosts, we are a guest."""
        return self._peer.side is Side.GUEST

    @property
    def path(self) -> PathNews | None:
        """What carries the game now; None: nothing, it is being mended."""
        return None if self._over is not None else self._peer.path

    @property
    def is_closed(self) -> bool:
        """It is over."""
        return self._over is not None

    @property
    def datagrams_dropped(self) -> int:
        """Datagrams lost on our side: sent faster than the path takes them, or received and not taken."""
        return self._peer.datagrams_dropped + self._datagrams.dropped

    def next_path(self) -> Awaitable[PathNews | PathGone]:
        """What carries the game from then on, each time that changes; the first is how it began.

        :raises OverError: it is over.
        """
        return self._paths.take()

    # -- streams and datagrams -------------------------------------------------------------------

    def open_stream(self, purpose: int = 0) -> GameStream:
        """Open a stream; it can be written to at once.

        :param purpose: 0 to 254, told to the other side.
        :raises OverError: it is over, or more streams are open than the two of you may have.
        :raises ValueError: *purpose* is something else.
        """
        if self._over is not None:
            raise OverError(self._over)
        stream = GameStream(self._promises, WRITE_QUEUE)
        try:
            stream.attach(self._peer.open_stream(purpose, stream))
        except TunnelError as error:
            raise OverError(f"No stream can be opened: {error}.") from error
        return stream

    def accept_stream(self) -> Awaitable[GameStream]:
        """The next stream the other side opened.

        :raises OverError: it is over.
        """
        return self._streams.take()

    def send(self, data: bytes) -> None:
        """Send a datagram: it arrives once or never, in no order. Beyond what the path takes the oldest go.

        :raises OverError: it is over.
        :raises ValueError: it is longer than 64 KiB.
        """
        if self._over is not None:
            raise OverError(self._over)
        try:
            self._peer.send_datagram(data)
        except TunnelError as error:
            raise OverError(f"Nothing can be sent: {error}.") from error

    def receive(self) -> Awaitable[bytes]:
        """The next datagram.

        :raises OverError: it is over, and all are taken.
        """
        return self._datagrams.take()

    # -- the end ---------------------------------------------------------------------------------

    def closed(self) -> Awaitable[str]:
        """Kept when it is over, with the reason as a sentence."""
        if self._over is not None:
            return self._promises.kept(self._over)
        promise: Promise[str] = Promise(self._promises)
        self._closings = [one for one in self._closings if not one.done]
        self._closings.append(promise)
        return promise.future

    def close(self, text: str = "") -> Awaitable[str]:
        """Say goodbye and close; streams are broken off, so end them first and read them to their ends.

        :param text: shown to the other player.
        """
        future = self.closed()
        if self._over is None:
            self._peer.close(text)
        return future

    def leave(self) -> None:
        """Close without waiting for it."""
        self._peer.close()

    # -- used by the client ----------------------------------------------------------------------

    def on_path(self, news: PathNews | PathGone) -> None:
        """Another path, or none."""
        self._paths.put(news)

    def on_stream(self, stream: PeerStream) -> GameStream:
        """The other side opened one; who takes none of them loses the oldest."""
        taken = GameStream(self._promises, WRITE_QUEUE)
        taken.attach(stream)
        for forgotten in self._streams.put(taken):
            forgotten.abort()
        return taken

    def on_datagram(self, data: bytes) -> None:
        """A datagram."""
        self._datagrams.put(data)

    def on_closed(self, text: str) -> None:
        """It is over."""
        if self._over is not None:
            return
        self._over = text
        error = OverError(text)
        for box in (self._datagrams, self._paths, self._streams):
            box.end(error)
        for promise in self._closings:
            promise.keep(text)
        self._closings.clear()
