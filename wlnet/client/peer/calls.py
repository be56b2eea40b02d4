"""Calls that are due later and known to their owner, who can cancel all of them."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.net.network import Network, Timer


class Calls:
    """Those of one owner."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._pending: set[Call] = set()

    def later(self, delay: float, call: Callable[[], None]) -> Call:
        """Make it after *delay* seconds."""
        made = Call(self._pending, call)
        made.timer = self._network.call_later(delay, made.due)
        return made

    def cancel_all(self) -> None:
        """None of them any more."""
        for call in list(self._pending):
            call.cancel()


class Call:
    """One call."""

    def __init__(self, pending: set[Call], call: Callable[[], None]) -> None:
        self._pending = pending
        self._call = call
        self.timer: Timer | None = None
        pending.add(self)

    def due(self) -> None:
        """Make it."""
        self._pending.discard(self)
        self._call()

    def cancel(self) -> None:
        """Not any more."""
        self._pending.discard(self)
        if self.timer is not None:
            self.timer.cancel()
