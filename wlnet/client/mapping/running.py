"""The requests under way at one router, so that closing stops them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from wlnet.client.mapping.asking import Ask
from wlnet.client.net.network import Network
from wlnet.protocols.stun.wire import Endpoint

A = TypeVar("A")


class Running:
    """Requests from *source* to *destination*."""

    def __init__(self, network: Network, source: str, destination: Endpoint) -> None:
        self._network = network
        self._source = source
        self._destination = destination
        self._asks: set[Ask[Any]] = set()
        self._closed = False

    def ask(
        self,
        request: bytes,
        waits: tuple[float, ...],
        accept: Callable[[bytes], A | None],
        done: Callable[[A | None], None],
    ) -> None:
        """Send *request*; *done* gets None as well if no socket can be had."""

        def finished(answer: A | None) -> None:
            if made:
                self._asks.discard(made[0])
            if not self._closed:
                done(answer)

        made: list[Ask[A]] = []
        if self._closed:
            return
        try:
            ask = Ask(self._network, self._source, self._destination, request, waits, accept, finished)
        except OSError:
            self._network.call_later(0.0, lambda: finished(None))
            return
        made.append(ask)
        self._asks.add(ask)

    def close(self) -> None:
        """Stop them; nothing is answered any more."""
        self._closed = True
        for ask in self._asks:
            ask.cancel()
        self._asks.clear()
