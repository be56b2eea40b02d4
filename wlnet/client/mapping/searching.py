"""Looks for the description of the gateway: multicast, and to the gateway itself."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.mapping import igd, ssdp
from wlnet.client.mapping.protocol import Gateway
from wlnet.client.net.network import Network
from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

ROUNDS = (0.0, 0.3)
TIMEOUT = 1.0
SETTLE = 0.05
"""After the first answer: the others of the same router."""
MAX_LOCATIONS = 3


class Search:
    """Ends by exactly one call of *done* with the URLs of descriptions, unless cancelled.

    What others than the gateway answer, or what leads elsewhere, is ignored.

    :raises OSError: no socket can be had.
    """

    def __init__(self, network: Network, gateway: Gateway, done: Callable[[tuple[str, ...]], None]) -> None:
        self._network = network
        self._gateway = gateway
        self._router = parse_address(gateway.address)
        self._done = done
        self._locations: dict[str, None] = {}
        self._over = False
        self._socket = network.open_datagram(Family.V4, self._received, address=gateway.source)
        self._timers = [network.call_later(after, self._send) for after in ROUNDS]
        self._timers.append(network.call_later(TIMEOUT, self._end))

    def cancel(self) -> None:
        """Not needed any more."""
        self._over = True
        self._socket.close()
        for timer in self._timers:
            timer.cancel()

    def _send(self) -> None:
        for target in ssdp.TARGETS:
            self._socket.send(ssdp.encode_search(target), Endpoint(ssdp.GROUP, ssdp.PORT))
        ours = ssdp.encode_search(ssdp.TARGETS[0], self._gateway.address)
        self._socket.send(ours, Endpoint(self._gateway.address, ssdp.PORT))

    def _received(self, data: bytes, source: Endpoint) -> None:
        if self._over or len(self._locations) >= MAX_LOCATIONS:
            return
        try:
            if parse_address(source.host) != self._router:
                return
            location = ssdp.decode_answer(data).location
            igd.parse_url(location, self._gateway.address)
        except ValueError:  # SsdpError and IgdError are such
            return
        if not self._locations:
            self._timers.append(self._network.call_later(SETTLE, self._end))
        self._locations[location] = None

    def _end(self) -> None:
        if not self._over:
            self.cancel()
            self._done(tuple(self._locations))
