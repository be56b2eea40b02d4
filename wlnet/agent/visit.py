"""A game of this machine as a guest: its connection to the room, carried to the host by a tunnel."""

from __future__ import annotations

from typing import Protocol

from wlnet.agent.hello import Hello
from wlnet.client.forward.pipe import Pipe
from wlnet.client.forward.tally import Tally
from wlnet.client.net.network import Stream, Timer
from wlnet.client.peer.peer import Peer
from wlnet.client.tunnel.tunnel import TunnelError


class VisitUser(Protocol):
    """Who owns a visit."""

    def visit_over(self, visit: Visit, reason: str) -> None:
        """The game's connection is closed; *reason* is empty if the player just left."""


class Visit:
    """From the wish to join until the connection to the room is closed.

    :ivar peer: the host, once it is decided that he is reached over a path.
    :ivar tally: bytes carried.
    """

    def __init__(self, game: str, user: VisitUser) -> None:
        self.game = game
        self.peer: Peer | None = None
        self.tally = Tally()
        self.timer: Timer | None = None
        self.undecided = True
        self.begun = False
        self._user = user
        self._pipe: Pipe | None = None

    def decided(self, peer: Peer | None) -> None:
        """How the host is reached; None: over the public relay, without us."""
        self.undecided = False
        self.peer = peer
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def begin(self, stream: Stream, hello: Hello, purpose: int) -> None:
        """The game is there."""
        self.begun = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.peer is None:
            stream.close()
            return
        pipe = self._pipe = Pipe(self.tally, self._over)
        pipe.attach_local(stream)
        hello.hand_over(pipe)
        try:
            pipe.attach_tunnel(self.peer.open_stream(purpose, pipe.tunnel_side))
        except TunnelError:
            pipe.break_off()

    def abandon(self) -> None:
        """Give it up."""
        self.undecided = False
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self._pipe is not None:
            self._pipe.break_off()

    def _over(self, pipe: Pipe) -> None:
        self._user.visit_over(self, pipe.reason if pipe.broken else "")
