"""What goes through a tunnel: the greeting of both sides, streams and datagrams of the game."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from wlnet.client.peer.streams import PeerStream, StreamUser, Touch
from wlnet.client.tunnel.events import (
    Closed,
    DatagramReceived,
    Event,
    Ready,
    StreamData,
    StreamEnded,
    StreamOpened,
    StreamWasReset,
    StreamWritable,
)
from wlnet.client.tunnel.tunnel import Tunnel, TunnelError
from wlnet.steering.model import Side

GREETING = 255
"""Purpose of the stream on which both say that they are there; not for games."""
_HELLO = b"wlnet 1\n"


class TalkOwner(Protocol):
    """Who owns the tunnel."""

    def proven(self) -> None:
        """Both are who they should be; streams and datagrams may be sent."""

    def heard(self) -> None:
        """Bytes came out of the tunnel."""

    def opened(self, stream: PeerStream) -> StreamUser | None:
        """The other side opened a stream; None: it is broken off."""

    def datagram(self, data: bytes) -> None:
        """A datagram came."""

    def tunnel_ended(self, closed: Closed) -> None:
        """The tunnel is over."""


class Talk:
    """Streams and datagrams of one tunnel."""

    def __init__(self, tunnel: Tunnel, side: Side, owner: TalkOwner, touched: Touch) -> None:
        self._tunnel = tunnel
        self._side = side
        self._owner = owner
        self._touched = touched
        self._streams: dict[int, PeerStream] = {}
        self._greeting: int | None = None
        self._greeted = 0
        self._events: deque[Event] = deque()

    def open_stream(self, purpose: int, user: StreamUser) -> PeerStream:
        """Open a stream.

        :raises TunnelError: the tunnel is not ready, or too many are open.
        :raises ValueError: that is no purpose.
        """
        if not 0 <= purpose < GREETING:
            raise ValueError("a purpose is a number from 0 to 254")
        number = self._tunnel.open_stream(purpose)
        stream = self._streams[number] = PeerStream(self._tunnel, number, purpose, self._touched)
        stream.user = user
        self._touched()
        return stream

    def take(self) -> bool:
        """Pass on what came out of the tunnel; True: there was something.

        What a user's mistake keeps back is passed on at the next call.
        """
        self._events.extend(self._tunnel.events())
        some = bool(self._events)
        while self._events:
            event = self._events.popleft()
            match event:
                case Ready():
                    self._greet()
                    self._owner.proven()
                case StreamOpened(stream=number, purpose=purpose):
                    self._opened(number, purpose)
                case StreamData(stream=number, data=data):
                    self._data(number, data)
                case DatagramReceived(data=data):
                    self._owner.heard()
                    self._owner.datagram(data)
                case Closed():
                    self._owner.tunnel_ended(event)
                case _:
                    self._happened(event)
        return some

    def break_off(self, text: str) -> None:
        """The tunnel is over, and with it all streams."""
        self._events.clear()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.over(text)

    def _greet(self) -> None:
        """Each says something; what comes now can only be the other player's."""
        if self._side is Side.GUEST:
            try:
                self._greeting = self._tunnel.open_stream(GREETING)
                self._tunnel.send_stream(self._greeting, _HELLO, end=True)
            except TunnelError:
                return

    def _opened(self, number: int, purpose: int) -> None:
        if purpose == GREETING:
            if self._greeting is not None:  # one is enough
                self._tunnel.reset_stream(number)
                return
            self._greeting = number
            try:
                self._tunnel.send_stream(number, _HELLO, end=True)
            except TunnelError:
                pass  # broken off again already
            return
        stream = PeerStream(self._tunnel, number, purpose, self._touched)
        self._streams[number] = stream
        user = self._owner.opened(stream)
        if user is None:
            self._streams.pop(number, None)
            stream.reset()
        else:
            stream.user = user

    def _data(self, number: int, data: bytes) -> None:
        self._owner.heard()
        stream = self._streams.get(number)
        if number == self._greeting:
            self._tunnel.consumed(number, len(data))
            self._greeted += len(data)
            if self._greeted > len(_HELLO):
                self._tunnel.reset_stream(number)
        elif stream is not None and stream.receiving:
            stream.user.received(data)

    def _happened(self, event: Event) -> None:
        match event:
            case StreamEnded(stream=number):
                stream = self._streams.get(number)
                if stream is not None:
                    stream.receiving = False
                    stream.user.ended()
            case StreamWasReset(stream=number):
                stream = self._streams.pop(number, None)
                if stream is not None:
                    stream.over("The other side broke it off.")
            case StreamWritable(stream=number):
                stream = self._streams.get(number)
                if stream is not None:
                    stream.user.writable()
            case _:
                pass
        for number, stream in list(self._streams.items()):
            if not stream.receiving and not stream.sending:
                del self._streams[number]
