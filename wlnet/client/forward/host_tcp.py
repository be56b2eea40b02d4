"""The host's side of one guest's TCP connections: each stream is a connection to the game."""

from __future__ import annotations

from functools import partial

from wlnet.client.forward.grumbling import Grumbling
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.pipe import Pipe, TunnelStream
from wlnet.client.forward.places import Target
from wlnet.client.forward.players import StreamSide
from wlnet.client.forward.tally import Tally
from wlnet.client.lobby.dialing import Dialing, Unreachable
from wlnet.client.net.network import Network, Stream


class TcpCalls:
    """Connects to *target*, and to nothing else, for one guest."""

    def __init__(
        self, network: Network, target: Target, tally: Tally, grumbling: Grumbling, limits: ForwardLimits
    ) -> None:
        self._network = network
        self._target = target
        self._tally = tally
        self._grumbling = grumbling
        self._limits = limits
        self._pipes: dict[Pipe, Dialing | None] = {}

    @property
    def connections(self) -> int:
        """To the game, for this guest."""
        return len(self._pipes)

    def opened(self, stream: TunnelStream) -> StreamSide | None:
        """The guest's game opened a connection; None: one too many."""
        if len(self._pipes) >= self._limits.connections:
            self._complain("connections", "A guest opens too many connections at once; one was reset.")
            return None
        pipe = Pipe(self._tally, self._over)
        pipe.attach_tunnel(stream)
        self._pipes[pipe] = Dialing(
            self._network,
            self._target.addresses,
            self._target.port,
            pipe,
            partial(self._dialed, pipe),
            timeout=self._limits.connect,
        )
        self._tally.connections += 1
        return pipe.tunnel_side

    def close(self) -> None:
        """The guest is gone."""
        for pipe in list(self._pipes):
            pipe.break_off()

    def _dialed(self, pipe: Pipe, result: Stream | Unreachable) -> None:
        self._pipes[pipe] = None
        if isinstance(result, Unreachable):
            self._complain(
                "game",
                f"Your game cannot be reached at {self._target}: {result.text or 'no answer'}. "
                "Is it running, and is the port right?",
            )
            pipe.break_off()
            return
        pipe.attach_local(result)

    def _over(self, pipe: Pipe) -> None:
        dialing = self._pipes.pop(pipe, None)
        if dialing is not None:
            dialing.cancel()

    def _complain(self, kind: str, text: str) -> None:
        self._grumbling.about(kind, text, self._tally, self._network.now())
