"""What is known of each stream beyond QUIC: who opened it, what its owner is done with."""

from __future__ import annotations

from msgspec import Struct


class Stream(Struct, kw_only=True):
    """One stream.

    :ivar ours: we opened it.
    :ivar received: game bytes told to the owner.
    :ivar consumed: of these, what he is done with.
    :ivar receiving: more may come.
    :ivar sending: we may send more.
    :ivar full: the owner found no room and waits for StreamWritable.
    """

    number: int
    ours: bool
    received: int = 0
    consumed: int = 0
    receiving: bool = True
    sending: bool = True
    full: bool = False

    @property
    def unconsumed(self) -> int:
        """Bytes the owner still has to deal with."""
        return self.received - self.consumed

    @property
    def over(self) -> bool:
        """Nothing is left to be told, sent or consumed."""
        return not (self.receiving or self.sending or self.unconsumed)

    def break_off(self) -> None:
        """Neither side says any more."""
        self.receiving = self.sending = self.full = False
        self.consumed = self.received


class Streams:
    """The streams that are not over.

    :ivar forgotten: streams of the peer that are over: he may open as many more.
    """

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self.forgotten = 0

    def add(self, number: int, *, ours: bool) -> Stream:
        """A stream was opened."""
        stream = self._streams[number] = Stream(number=number, ours=ours)
        return stream

    def get(self, number: int) -> Stream | None:
        """The stream of that number, if it is not over."""
        return self._streams.get(number)

    def all(self) -> list[Stream]:
        """Every stream."""
        return list(self._streams.values())

    def forget(self, stream: Stream) -> None:
        """It is over, and QUIC is done with it too."""
        del self._streams[stream.number]
        self.forgotten += not stream.ours

    @property
    def ours(self) -> int:
        """How many of them we opened."""
        return sum(stream.ours for stream in self._streams.values())

    @property
    def unconsumed(self) -> int:
        """Bytes of all streams that their owners still have to deal with."""
        return sum(stream.unconsumed for stream in self._streams.values())
