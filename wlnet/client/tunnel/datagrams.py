"""Game datagrams in QUIC DATAGRAM frames: each of them once, in any order.

A frame is three QUIC variable-length integers and the bytes:

    number     of this fragment, counted up by one for each
    index      which fragment of its datagram it is, from 0
    count      how many fragments the datagram has

A fragment whose packet QUIC declares lost is sent again under its number. The sender has numbers in flight
within one window only, the receiver remembers the numbers of that window, so a number is taken once.
"""

from __future__ import annotations

from collections import deque

from aioquic._buffer import Buffer, BufferReadError

from wlnet.client.tunnel.limits import FRAGMENT_SIZE, LARGEST_DATAGRAM, LARGEST_MESSAGE, TunnelLimits

_HEADER = 24


class DatagramError(Exception):
    """A frame no honest peer sends."""


class Outbox:
    """Numbers datagrams and holds those that find no room yet.

    :ivar dropped: datagrams dropped because too many waited.
    """

    def __init__(self, limits: TunnelLimits) -> None:
        self._limits = limits
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._unacknowledged: dict[int, None] = {}
        self._next = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes) -> None:
        """Queue a datagram; the oldest go if too many wait: of a game's datagrams the newest matter.

        :raises ValueError: it is too long.
        """
        if len(data) > LARGEST_DATAGRAM:
            raise ValueError("the datagram is too long")
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        while (
            len(self._waiting) > self._limits.datagrams_waiting
            or self._waiting_bytes > self._limits.datagram_bytes_waiting
        ):
            self._waiting_bytes -= len(self._waiting.popleft())
            self.dropped += 1

    def take(self) -> list[bytes]:
        """Frames that may be sent now."""
        frames: list[bytes] = []
        while self._waiting:
            data = self._waiting[0]
            count = max(1, -(-len(data) // FRAGMENT_SIZE))
            oldest = next(iter(self._unacknowledged), self._next)
            if self._next + count - oldest > self._limits.datagram_window:
                break
            self._waiting.popleft()
            self._waiting_bytes -= len(data)
            for index in range(count):
                piece = data[index * FRAGMENT_SIZE : (index + 1) * FRAGMENT_SIZE]
                frames.append(_encode(self._next, index, count, piece))
                self._unacknowledged[self._next] = None
                self._next += 1
        return frames

    def acknowledged(self, number: int) -> None:
        """The peer has that fragment."""
        self._unacknowledged.pop(number, None)


class Inbox:
    """Takes each number once and joins fragments. Holds fragments of one window at most."""

    def __init__(self, limits: TunnelLimits) -> None:
        self._window = limits.datagram_window
        self._floor = 0  # all numbers below count as taken
        self._taken: set[int] = set()
        self._partial: dict[int, dict[int, bytes]] = {}

    @property
    def held(self) -> int:
        """Fragments of datagrams that are not complete."""
        return sum(len(pieces) for pieces in self._partial.values())

    def receive(self, frame: bytes) -> bytes | None:
        """A frame of the peer; gives the datagram it completes.

        :raises DatagramError: no honest peer sends it.
        """
        number, index, count, piece = _decode(frame)
        if number < self._floor or number in self._taken:
            return None
        self._taken.add(number)
        if number >= self._floor + self._window:
            self._raise_floor(number - self._window + 1)
        if count == 1:
            return piece
        first = number - index
        pieces = self._partial.setdefault(first, {})
        pieces[index] = piece
        if len(pieces) < count or sorted(pieces) != list(range(count)):
            return None
        del self._partial[first]
        return b"".join(pieces[i] for i in range(count))

    def _raise_floor(self, floor: int) -> None:
        self._floor = floor
        if len(self._taken) > 2 * self._window:
            self._taken = {number for number in self._taken if number >= floor}
        # A datagram some window behind has holes that the peer gave up for acknowledged: it cannot be ours.
        for first in [first for first in self._partial if first < floor - LARGEST_MESSAGE]:
            del self._partial[first]


def _encode(number: int, index: int, count: int, piece: bytes) -> bytes:
    buffer = Buffer(capacity=_HEADER + len(piece))
    buffer.push_uint_var(number)
    buffer.push_uint_var(index)
    buffer.push_uint_var(count)
    buffer.push_bytes(piece)
    return buffer.data


def _decode(frame: bytes) -> tuple[int, int, int, bytes]:
    buffer = Buffer(data=frame)
    try:
        number, index, count = buffer.pull_uint_var(), buffer.pull_uint_var(), buffer.pull_uint_var()
    except BufferReadError as error:
        raise DatagramError("a datagram's header is cut off") from error
    piece = buffer.pull_bytes(len(frame) - buffer.tell())
    if not 1 <= count <= LARGEST_MESSAGE or index >= count or index > number or len(piece) > FRAGMENT_SIZE:
        raise DatagramError("a datagram's header makes no sense")
    if count > 1 and (not piece or (index < count - 1 and len(piece) != FRAGMENT_SIZE)):
        raise DatagramError("a fragment has the wrong size")
    return number, index, count, piece
