"""How many routers are between us and the server, found out by which TTLs come through.

The TTL of what we receive cannot be read everywhere, and tells the way here, not the way there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.gather import limits
from wlnet.client.net.network import Network, Timer
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.findings import family_of
from wlnet.protocols.stun.transaction import Pace, State, StunTransaction
from wlnet.protocols.stun.wire import Endpoint, StunError

_ONCE = Pace(rto=60.0, tries=1, last_wait=1.0)


class HopSearch:
    """First a few TTLs far apart, then those between the largest that ends on the way and the next one.

    Each is tried twice; an answer means that its TTL suffices, silence twice that it does not. Two rounds,
    at most 16 times 2 packets, from one socket, so one flow.

    :param done: gets the number of hops; None: not known.
    :raises OSError: no socket can be had.
    """

    def __init__(self, network: Network, server: Endpoint, done: Callable[[int | None], None]) -> None:
        self._network = network
        self._server = server
        self._done = done
        self._wait = limits.HOP_WAIT
        self._heard = False
        self._asked: dict[bytes, tuple[int, StunTransaction]] = {}
        self._tried: set[int] = set()
        self._enough: int | None = None
        self._hops: tuple[int, ...] = ()
        self._then = self._refine
        self._began = network.now()
        self._timers: list[Timer] = []
        self._socket = network.open_datagram(family_of(server), self._received)
        self._round(limits.COARSE_HOPS, self._refine)

    def close(self) -> None:
        """Nothing is called any more."""
        self._stop_timers()
        self._socket.close()

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _round(self, hops: tuple[int, ...], then: Callable[[], None]) -> None:
        self._hops = hops
        self._then = then
        self._began = self._network.now()
        self._ask(hops)
        self._appoint()

    def _appoint(self) -> None:
        self._stop_timers()
        passed = self._network.now() - self._began
        later = self._network.call_later
        self._timers.append(later(max(0.0, self._wait - passed), partial(self._ask, self._hops)))
        self._timers.append(later(max(0.0, 2 * self._wait - passed), self._then))

    def _ask(self, hops: tuple[int, ...]) -> None:
        now = self._network.now()
        for number in hops:
            if self._enough is not None and number >= self._enough:
                break
            self._tried.add(number)
            transaction = StunTransaction(
                self._network.random_bytes(wire.TRANSACTION), self._server, now, _ONCE
            )
            self._asked[transaction.identity] = (number, transaction)
            self._socket.send(transaction.due(now) or b"", self._server, number)

    def _received(self, data: bytes, source: Endpoint) -> None:
        if not wire.looks_like_stun(data):
            return
        try:
            message = wire.decode(data)
        except StunError:
            return
        number, transaction = self._asked.get(message.transaction, (0, None))
        if transaction is None or not transaction.receive(message, source, self._network.now()):
            return
        if not self._heard and transaction.rtt is not None:
            self._heard = True
            self._wait = min(limits.LONGEST_HOP_WAIT, max(limits.SHORTEST_HOP_WAIT, 3 * transaction.rtt))
            self._appoint()
        if transaction.state is State.ANSWERED and (self._enough is None or number < self._enough):
            self._enough = number

    def _refine(self) -> None:
        if self._enough is None:
            self._end(None)
            return
        below = max((number for number in self._tried if number < self._enough), default=0)
        between = tuple(range(below + 1, self._enough))
        if between:
            self._round(between, self._conclude)
        else:
            self._conclude()

    def _conclude(self) -> None:
        self._end(self._enough)

    def _end(self, hops: int | None) -> None:
        self.close()
        self._done(hops)
