"""Sides over UDP, without sockets: docs/protocols/pairs.md.

Nothing is kept about an address before it has sent back a cookie, no answer is longer than what it answers,
and datagrams for a side go only to the address that bound itself.
"""

from __future__ import annotations

from collections.abc import Callable

from wlnet.agenda import Agenda
from wlnet.limits.buckets import TokenBucket
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.pairs import wire
from wlnet.protocols.pairs.answers import bound_answer
from wlnet.protocols.pairs.cookies import Cookies
from wlnet.protocols.stun.wire import Endpoint
from wlnet.relay.pair_words import Ending, Refusal, RefusedError
from wlnet.relay.pairs import Pairs

Send = Callable[[bytes, Endpoint, Endpoint], bool]
"""Sends a datagram to an endpoint, from one of ours; False if the system did not take it."""


class DatagramFront:
    """For all datagrams that begin with one of :data:`wlnet.protocols.pairs.wire.FIRST_BYTES`.

    :param send: see :data:`Send`.
    :ivar malformed: datagrams that are no message of a client.
    :ivar strangers: messages of no side that is bound there.
    """

    def __init__(self, pairs: Pairs, cookies: Cookies, agenda: Agenda, metrics: Metrics, send: Send) -> None:
        self.malformed = 0
        self.strangers = 0
        self.challenges = 0
        self._pairs = pairs
        self._seats = pairs.seats
        self._cookies = cookies
        self._now = agenda.now
        self._metrics = metrics
        self._send = send
        settings = pairs.settings
        self._challenges = TokenBucket(settings.challenge_rate, settings.challenge_burst, agenda.now())

    def datagram(self, data: bytes, source: Endpoint, local: Endpoint) -> None:
        """Handle one; never raises.

        :param local: the endpoint of ours it was sent to.
        """
        kind = data[0] if data else 0
        if kind == wire.DATA and wire.DATA_HEAD < len(data) <= wire.MAX_MESSAGE:
            seat = self._seats.get(data[1 : wire.DATA_HEAD])
            if seat is None or seat.carrier is None or seat.carrier.origin != source:
                self.strangers += 1
            else:
                self._pairs.forward(seat, data[wire.DATA_HEAD :])
            return
        try:
            if kind == wire.BIND:
                self._bind(wire.decode_bind(data), source, local)
            elif kind == wire.KEEPALIVE:
                self._keepalive(*wire.decode_keepalive(data), source, local)
            elif kind == wire.CLOSE:
                self._close(wire.decode_worded(wire.CLOSE, data)[0], source)
            else:
                self.malformed += 1
        except wire.WireError:
            self.malformed += 1

    def _bind(self, bind: wire.Bind, source: Endpoint, local: Endpoint) -> None:
        if not self._cookies.check(source, bind.cookie):
            if not self._challenges.take(self._now()):
                self._metrics.limited(Front.PAIRS, Limit.CHALLENGE_RATE)
                return
            self.challenges += 1
            cookie = self._cookies.make(source)
            self._send(wire.encode_challenge(bind.transaction, cookie), source, local)
            return
        if bind.version != wire.VERSION:
            self._pairs.refuse(source.host, Refusal.VERSION)
            answer = wire.encode_error(bind.transaction, Refusal.VERSION)
        else:
            try:
                seat = self._pairs.bind(
                    bind.ticket,
                    source.host,
                    source,
                    lambda handle: _Datagrams(self._send, handle, source, local),
                )
            except RefusedError as error:
                answer = wire.encode_error(bind.transaction, error.refusal)
            else:
                answer = bound_answer(self._pairs, seat, bind.transaction, source.host, source.port)
        self._send(answer, source, local)

    def _keepalive(self, handle: bytes, echo: bytes, source: Endpoint, local: Endpoint) -> None:
        seat = self._seats.get(handle)
        if seat is None or seat.carrier is None or seat.carrier.origin != source:
            self.strangers += 1
            if not self._challenges.take(self._now()):
                self._metrics.limited(Front.PAIRS, Limit.CHALLENGE_RATE)
                return
            answer = wire.encode_error(handle, Refusal.UNKNOWN)
        else:
            self._pairs.alive(seat)
            answer = wire.encode_alive(handle, echo, seat.peer_bound)
        self._send(answer, source, local)

    def _close(self, handle: bytes, source: Endpoint) -> None:
        seat = self._seats.get(handle)
        if seat is None or seat.carrier is None or seat.carrier.origin != source:
            self.strangers += 1
        else:
            self._pairs.close(seat)


class _Datagrams:
    """The way back to a side bound over UDP."""

    __slots__ = ("_handle", "_head", "_local", "_send", "origin")

    def __init__(self, send: Send, handle: bytes, source: Endpoint, local: Endpoint) -> None:
        self.origin = source
        self._send = send
        self._handle = handle
        self._head = wire.data_head(handle)
        self._local = local

    def deliver(self, payload: bytes) -> bool:
        return self._send(self._head + payload, self.origin, self._local)

    def end(self, ending: Ending) -> None:
        if ending is not Ending.CLOSED:  # its own wish
            self._send(wire.encode_close(self._handle, ending), self.origin, self._local)
