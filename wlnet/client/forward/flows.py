"""UDP flows within a tunnel: docs/protocols/forwarding.md, "Datagrams".

    flow      2   number of the guest's local endpoint, big endian
    payload   n   as the game sent it

A flow stands for one local endpoint of the guest's game; the host has one socket of its own for each, so that
the game there sees as many players' endpoints as there are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

HEADER = 2
NUMBERS = 65536

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def pack(flow: int, payload: bytes) -> bytes:
    """A datagram for the tunnel."""
    return flow.to_bytes(HEADER, "big") + payload


def unpack(datagram: bytes) -> tuple[int, bytes] | None:
    """Flow and payload; None: it is too short to have a flow."""
    if len(datagram) < HEADER:
        return None
    return int.from_bytes(datagram[:HEADER], "big"), datagram[HEADER:]


class Recent(Generic[K, V]):
    """So many values at most, each with the time it was last of use, in that order.

    :param most: values at a time.
    :param idle: seconds without use until a value is over.
    """

    def __init__(self, most: int, idle: float) -> None:
        self._most = most
        self._idle = idle
        self._values: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def use(self, key: K, now: float) -> V | None:
        """The value of *key*, which is of use now."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values[key] = (found[0], now)
        self._values.move_to_end(key)
        return found[0]

    def add(self, key: K, value: V, now: float) -> tuple[K, V] | None:
        """A new value; gives the one that had to go for it, if any."""
        gone = None
        if len(self._values) >= self._most:
            old, (former, _) = self._values.popitem(last=False)
            gone = (old, former)
        self._values[key] = (value, now)
        return gone

    def expired(self, now: float) -> list[tuple[K, V]]:
        """Take out those that are over."""
        gone: list[tuple[K, V]] = []
        while self._values:
            key, (value, used) = next(iter(self._values.items()))
            if now < used + self._idle:
                break
            del self._values[key]
            gone.append((key, value))
        return gone

    def next_deadline(self) -> float | None:
        """When the next one may be over; None: there is none."""
        for _, used in self._values.values():
            return used + self._idle
        return None

    def clear(self) -> list[tuple[K, V]]:
        """Take out all."""
        gone = [(key, value) for key, (value, _) in self._values.items()]
        self._values.clear()
        return gone

    def __contains__(self, key: object) -> bool:
        return key in self._values


class Numbers:
    """Gives numbers of flows, none while it is in use, and each as late again as can be."""

    def __init__(self) -> None:
        self._next = 0

    def new(self, used: Recent[int, V]) -> int:
        """A free one. *used* holds less than there are."""
        while self._next in used:
            self._next = (self._next + 1) % NUMBERS
        number = self._next
        self._next = (self._next + 1) % NUMBERS
        return number
