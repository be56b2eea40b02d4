"""The guest's door for TCP: each connection of the game becomes a stream to the host."""

from __future__ import annotations

from wlnet.client.forward.grumbling import Grumbling
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.pipe import Pipe
from wlnet.client.forward.places import Place
from wlnet.client.forward.players import CannotError, OpenStream
from wlnet.client.forward.tally import Tally
from wlnet.client.net.network import Network, Stream, Timer
from wlnet.protocols.stun.wire import Endpoint


class TcpDoor:
    """Listens when made. While no path is there, connections wait, some of them and for a while.

    :raises OSError: it cannot be bound.
    """

    def __init__(
        self, network: Network, place: Place, tally: Tally, grumbling: Grumbling, limits: ForwardLimits
    ) -> None:
        self._network = network
        self._tally = tally
        self._grumbling = grumbling
        self._limits = limits
        self._open: OpenStream | None = None
        self._waiting: dict[Pipe, Timer] = {}
        self._carried: set[Pipe] = set()
        self._listener = network.listen(place.family, self._accepted, address=place.address, port=place.port)

    @property
    def local(self) -> Endpoint:
        """Where it listens."""
        return self._listener.local

    @property
    def connections(self) -> int:
        """Of the game, those that wait included."""
        return len(self._waiting) + len(self._carried)

    def begin(self, open_stream: OpenStream) -> None:
        """The other player is there."""
        self._open = open_stream
        waiting, self._waiting = self._waiting, {}
        for pipe, timer in waiting.items():
            timer.cancel()
            self._carry(pipe, open_stream)

    def interrupt(self) -> None:
        """He is gone; connections that were carried are over, new ones wait."""
        self._open = None
        for pipe in list(self._carried):
            pipe.break_off()

    def close(self) -> None:
        """No more."""
        self._listener.close()
        for timer in self._waiting.values():
            timer.cancel()
        for pipe in [*self._waiting, *self._carried]:
            pipe.break_off()

    def _accepted(self, stream: Stream) -> Pipe | None:
        waits = self._open is None
        if self.connections >= self._limits.connections or (
            waits and len(self._waiting) >= self._limits.waiting
        ):
            self._complain("connections", "The game opens too many connections at once; one was reset.")
            return None
        pipe = Pipe(self._tally, self._over)
        pipe.attach_local(stream)
        if self._open is None:
            self._waiting[pipe] = self._network.call_later(
                self._limits.waiting_time, lambda: self._waited_enough(pipe)
            )
        else:
            self._network.call_later(0.0, lambda: self._begin_one(pipe))
            self._carried.add(pipe)
        return pipe

    def _begin_one(self, pipe: Pipe) -> None:
        if pipe in self._carried:
            if self._open is None:
                pipe.break_off()
            else:
                self._carry(pipe, self._open)

    def _carry(self, pipe: Pipe, open_stream: OpenStream) -> None:
        self._carried.add(pipe)
        try:
            stream = open_stream(pipe.tunnel_side)
        except CannotError as error:
            self._complain("connections", f"A connection of the game was reset: {error}.")
            pipe.break_off()
            return
        self._tally.connections += 1
        pipe.attach_tunnel(stream)

    def _waited_enough(self, pipe: Pipe) -> None:
        self._complain(
            "waiting", "A connection of the game waited too long for the other player; it was reset."
        )
        pipe.break_off()

    def _over(self, pipe: Pipe) -> None:
        timer = self._waiting.pop(pipe, None)
        if timer is not None:
            timer.cancel()
        self._carried.discard(pipe)
        if pipe.broken and pipe.reason:
            self._complain(
                "reset", "The other player's side broke a connection off: is the game running there?"
            )

    def _complain(self, kind: str, text: str) -> None:
        self._grumbling.about(kind, text, self._tally, self._network.now())
