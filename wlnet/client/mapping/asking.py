"""One datagram request to the router, sent again until it is answered or given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from wlnet.client.net.network import Network
from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.view import family_of

A = TypeVar("A")

FIND_WAITS = (0.2, 0.3, 0.5)
"""Seconds after each sending: a router is near. RFC 6886 (0.25 s, doubling) goes on for a minute, RFC 6887
begins with 3 s: too long for a player who waits."""
MAP_WAITS = (0.25, 0.5, 1.25)
REMOVE_WAITS = (0.2, 0.3)


class Ask(Generic[A]):
    """Sends *request* from a port of its own; ends by exactly one call of *done*, unless cancelled.

    :param source: our address, where the answer must come to.
    :param accept: reads an answer from *destination*; None: it is none to this request.
    :param done: gets what *accept* made of it; None: nobody answered.
    :raises OSError: no socket can be had.
    """

    def __init__(
        self,
        network: Network,
        source: str,
        destination: Endpoint,
        request: bytes,
        waits: tuple[float, ...],
        accept: Callable[[bytes], A | None],
        done: Callable[[A | None], None],
    ) -> None:
        self._destination = destination
        self._address = parse_address(destination.host)
        self._request = request
        self._waits = list(waits)
        self._accept = accept
        self._done = done
        self._network = network
        self._over = False
        self._socket = network.open_datagram(family_of(source), self._received, address=source)
        self._timer = network.call_later(0.0, self._send)

    def cancel(self) -> None:
        """Not needed any more."""
        if not self._over:
            self._over = True
            self._timer.cancel()
            self._socket.close()

    def _send(self) -> None:
        if not self._waits:
            self._end(None)
            return
        self._timer = self._network.call_later(self._waits.pop(0), self._send)
        self._socket.send(self._request, self._destination)

    def _received(self, data: bytes, source: Endpoint) -> None:
        if self._over or source.port != self._destination.port or not self._is_router(source.host):
            return
        answer = self._accept(data)
        if answer is not None:
            self._end(answer)

    def _is_router(self, host: str) -> bool:
        try:
            return parse_address(host) == self._address
        except ValueError:
            return False

    def _end(self, answer: A | None) -> None:
        self.cancel()
        self._done(answer)
