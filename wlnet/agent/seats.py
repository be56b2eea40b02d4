"""Who sits in the agent's own room: the game itself, guests over paths, and guests of the public relay.

To the room all of them are connections of the Widelands relay protocol (:class:`Session`); what differs is
what carries their bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wlnet.client.forward.tally import Tally
from wlnet.client.net.network import Stream, StreamEnd
from wlnet.client.peer.streams import PeerStream
from wlnet.protocols.stun.wire import Endpoint
from wlnet.protocols.widelands_relay import wire
from wlnet.protocols.widelands_relay.session import Session
from wlnet.relay.relay import Relay

_WAITING = 64 * 1024
"""Bytes given to a carrier at a time; what is above waits in the room, which has the limits for it."""


class Public(Protocol):
    """The way to the guests of the public relay."""

    @property
    def congested(self) -> bool:
        """It takes nothing more for now."""

    def say(self, guest: int, packet: bytes) -> None:
        """A packet with its length."""

    def dismiss(self, guest: int) -> None:
        """We have done with him."""


class Seat:
    """A connection of the room; *carrier* methods are in the subclasses.

    :param left: called once, when nothing more comes from it or goes to it.
    """

    def __init__(self, relay: Relay, name: str, left: Callable[[Seat], None]) -> None:
        self.session = Session(relay, self, "127.0.0.1", name)
        self._relay = relay
        self._left = left
        self._gone = False
        relay.connected(self.session)

    def heard(self, data: bytes) -> None:
        """Bytes of whoever sits here."""
        if not self._gone:
            self._relay.figures.bytes_in += len(data)
            self.session.feed(data)
            self._relay.outgoing.flush()

    def lost(self) -> None:
        """Nothing more comes."""
        if not self._gone:
            self._relay.lost(self.session)
            self._relay.outgoing.flush()
            self.vanished()

    def vanished(self) -> None:
        """The room knows already."""
        if not self._gone:
            self._gone = True
            self._left(self)

    def roomy(self) -> None:
        """It can take more."""
        if self.session.awaits_writable and not self._gone:
            self._relay.outgoing.writable(self.session)
            self._relay.outgoing.flush()

    def send(self, data: bytes | memoryview, /) -> int:
        """See :class:`~wlnet.relay.peer.Carrier`."""
        raise NotImplementedError

    def watch(self, wanted: bool) -> None:
        """See :class:`~wlnet.relay.peer.Carrier`."""

    def finish(self) -> None:
        """See :class:`~wlnet.relay.peer.Carrier`."""
        raise NotImplementedError

    def abort(self) -> None:
        """See :class:`~wlnet.relay.peer.Carrier`."""
        raise NotImplementedError


class LocalSeat(Seat):
    """The game on this machine, by TCP. It is the handler of its stream."""

    def __init__(self, relay: Relay, name: str, left: Callable[[Seat], None], stream: Stream) -> None:
        self._stream = stream
        super().__init__(relay, name, left)

    def send(self, data: bytes | memoryview, /) -> int:
        """Give the stream some of *data*, unless it has enough."""
        if self._stream.waiting >= _WAITING:
            raise BlockingIOError
        taken = bytes(data[:_WAITING])
        self._stream.write(taken)
        return len(taken)

    def finish(self) -> None:
        """End our side."""
        self._stream.end()

    def abort(self) -> None:
        """Cut it."""
        self._stream.abort()
        self.vanished()

    def connected(self, local: Endpoint) -> None:
        """It was accepted."""

    def received(self, data: bytes) -> None:
        """See :class:`~wlnet.client.net.network.StreamHandler`."""
        self.heard(data)

    def ended(self) -> None:
        """Leaving is a bare end of the stream."""
        self.lost()
        self._stream.close()

    def drained(self) -> None:
        """See :class:`~wlnet.client.net.network.StreamHandler`."""
        self.roomy()

    def closed(self, end: StreamEnd) -> None:  # noqa: ARG002
        """See :class:`~wlnet.client.net.network.StreamHandler`."""
        self.lost()


class PathSeat(Seat):
    """A guest's game at the other end of a tunnel. It is the user of its stream."""

    def __init__(
        self, relay: Relay, name: str, left: Callable[[Seat], None], stream: PeerStream, tally: Tally
    ) -> None:
        self._stream = stream
        self._tally = tally
        super().__init__(relay, name, left)

    def send(self, data: bytes | memoryview, /) -> int:
        """What the tunnel has room for."""
        taken = self._stream.write(bytes(data[:_WAITING]))
        if not taken:
            raise BlockingIOError
        self._tally.sent += taken
        return taken

    def finish(self) -> None:
        """End our side."""
        self._stream.end()

    def abort(self) -> None:
        """Cut it."""
        self._stream.reset()
        self.vanished()

    def received(self, data: bytes) -> None:
        """See :class:`~wlnet.client.peer.streams.StreamUser`."""
        self._tally.received += len(data)
        self.heard(data)
        self._stream.consumed(len(data))

    def ended(self) -> None:
        """Leaving is a bare end of the stream."""
        self._stream.end()
        self.lost()

    def writable(self) -> None:
        """See :class:`~wlnet.client.peer.streams.StreamUser`."""
        self.roomy()

    def closed(self, text: str) -> None:  # noqa: ARG002  the peer's owner tells the player
        """See :class:`~wlnet.client.peer.streams.StreamUser`."""
        self.lost()


class PublicSeat(Seat):
    """A guest at the public relay: what the room sends him goes there, with his id there.

    :param later: calls something soon, but not now.
    """

    def __init__(
        self,
        relay: Relay,
        name: str,
        left: Callable[[Seat], None],
        public: Public,
        guest: int,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self.guest = guest
        self._public = public
        self._later = later
        self._dismissed = False
        super().__init__(relay, name, left)

    def enter(self, version: int, game: bytes) -> None:
        """Say his Hello."""
        self.heard(wire.hello(version, game, b"client"))

    def said(self, packet: bytes) -> None:
        """A packet of his, with its length."""
        self.heard(bytes((wire.TO_HOST,)) + packet)

    def withdrawn(self) -> None:
        """The public relay says that he is gone: his id there is free as soon as we say so."""
        self.lost()

    def send(self, data: bytes | memoryview, /) -> int:
        """Whole frames, for a carrier that takes all or nothing is never given a part of one."""
        if self._public.congested:
            raise BlockingIOError
        frames = bytes(data)
        at = 0
        while at < len(frames):
            length = wire.length_from_relay(frames, at)
            self._frame(frames[at : at + length])
            at += length
        return len(frames)

    def finish(self) -> None:
        """Kicked, or the game is over."""
        self._dismiss()
        self._later(self.lost)

    def abort(self) -> None:
        """The same, without another word."""
        self._dismiss()
        self.vanished()

    def lost(self) -> None:
        """He is gone, here and there."""
        self._dismiss()
        super().lost()

    def _dismiss(self) -> None:
        if not self._dismissed:
            self._dismissed = True
            self._public.dismiss(self.guest)

    def _frame(self, frame: bytes) -> None:
        if frame[0] == wire.FROM_HOST:
            if not self._dismissed:
                self._public.say(self.guest, frame[1:])
        elif frame[0] == wire.PING:
            answer = wire.pong(frame[1])
            self._later(lambda: self.heard(answer))
