"""The other player as a forwarding needs him (:class:`wlnet.client.peer.peer.Peer` is one)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wlnet.client.forward.pipe import TunnelStream

TCP_PURPOSE = 1
"""Purpose of a stream that carries one TCP connection of the game."""


class StreamSide(Protocol):
    """Who uses a stream (:class:`wlnet.client.peer.streams.StreamUser`)."""

    def received(self, data: bytes) -> None:
        """The next bytes."""

    def ended(self) -> None:
        """No more come."""

    def writable(self) -> None:
        """There is room again."""

    def closed(self, text: str) -> None:
        """Broken off."""


class CannotError(Exception):
    """The tunnel cannot do that now; the text says why."""


OpenStream = Callable[[StreamSide], TunnelStream]
"""Opens a stream for a TCP connection. Raises :class:`CannotError`."""

SendDatagram = Callable[[bytes], None]
"""Sends a datagram. Raises :class:`CannotError`."""
