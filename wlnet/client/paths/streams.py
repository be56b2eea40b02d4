"""Connected streams to the peer, and to those who only say so: who shows no right check in time has to go."""

from __future__ import annotations

from wlnet.client.paths import limits
from wlnet.client.paths.frames import Frames
from wlnet.protocols.stun.wire import Endpoint


class Stream:
    """One of them; *shown* once a right check came over it."""

    __slots__ = ("frames", "remote", "shown", "until")

    def __init__(self, remote: Endpoint, until: float) -> None:
        self.frames = Frames(limits.MAX_PAYLOAD)
        self.remote = remote
        self.until = until
        self.shown = False


class Streams:
    """All of an attempt, by the number of the socket."""

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}

    def __contains__(self, socket: int) -> bool:
        return socket in self._streams

    def __getitem__(self, socket: int) -> Stream:
        return self._streams[socket]

    def add(self, socket: int, remote: Endpoint, now: float) -> None:
        """A stream is connected or accepted."""
        self._streams[socket] = Stream(remote, now + limits.ACCEPT_TIME)

    @property
    def strangers(self) -> int:
        """How many have shown nothing yet."""
        return sum(not stream.shown for stream in self._streams.values())

    def show(self, socket: int) -> None:
        """A right check came over that socket, if it is a stream."""
        stream = self._streams.get(socket)
        if stream is not None:
            stream.shown = True

    def forget(self, socket: int) -> None:
        """That socket is closed."""
        self._streams.pop(socket, None)

    def clear(self) -> None:
        """All are closed."""
        self._streams.clear()

    def deadlines(self) -> list[float]:
        """When :meth:`overdue` may have an answer."""
        return [stream.until for stream in self._streams.values() if not stream.shown]

    def overdue(self, now: float) -> list[int]:
        """Those to be closed."""
        return [
            socket for socket, stream in self._streams.items() if not stream.shown and now >= stream.until
        ]
