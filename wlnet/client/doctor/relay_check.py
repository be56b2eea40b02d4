"""Whether the relay of pairs answers, over UDP, TCP and TLS: asked without a ticket it says at least no."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.doctor.findings import Reach, RelayLeg
from wlnet.client.net.network import DatagramSocket, Network, Stream, StreamEnd, Timer, TlsOptions
from wlnet.client.paths.frames import FrameError, Frames
from wlnet.protocols.pairs import wire
from wlnet.protocols.pairs.wire import Bind
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Technique
from wlnet.steering.view import family_of

TIMEOUT = 2.5
"""Seconds for each way; all are tried at once."""
_AGAIN = 0.5
_ANSWERS = frozenset({wire.CHALLENGE, wire.ERROR})


class RelayCheck:
    """Ends by exactly one call of *done*, unless cancelled.

    :param places: ways to try.
    :param tls: for those over TLS.
    """

    def __init__(
        self,
        network: Network,
        places: tuple[tuple[Technique, Endpoint], ...],
        tls: TlsOptions,
        done: Callable[[tuple[RelayLeg, ...]], None],
    ) -> None:
        self._places = places
        self._legs: dict[int, RelayLeg] = {}
        self._done = done
        self._trials: list[_Datagram | _Stream] = []
        for number, (technique, place) in enumerate(places):
            over = partial(self._over, number)
            if technique is Technique.RELAY_UDP:
                self._trials.append(_Datagram(network, place, over))
            else:
                options = tls if technique is Technique.RELAY_TLS else None
                self._trials.append(_Stream(network, place, options, over))
        if not places:
            network.call_later(0.0, lambda: done(()))

    def cancel(self) -> None:
        """Not needed any more."""
        self._done = _nothing
        for trial in self._trials:
            trial.end(None)

    def _over(self, number: int, reach: Reach, rtt: float | None) -> None:
        technique, place = self._places[number]
        self._legs[number] = RelayLeg(
            technique=technique,
            family=family_of(place.host),
            address=place.host,
            port=place.port,
            reach=reach,
            rtt=rtt,
        )
        if len(self._legs) == len(self._places):
            self._done(tuple(self._legs[one] for one in range(len(self._places))))


_Over = Callable[[Reach, "float | None"], None]


class _Datagram:
    """A BIND with no ticket brings a CHALLENGE."""

    def __init__(self, network: Network, place: Endpoint, over: _Over) -> None:
        self._network = network
        self._place = place
        self._over = over
        self._ended = False
        self._sent_at: dict[bytes, float] = {}
        self._socket: DatagramSocket | None = None
        self._timers: list[Timer] = []
        try:
            self._socket = network.open_datagram(family_of(place.host), self._received)
        except OSError:
            self._timers = [network.call_later(0.0, lambda: self.end(Reach.SILENT))]
            return
        after = 0.0
        while after < TIMEOUT:
            self._timers.append(network.call_later(after, self._send))
            after += _AGAIN
        self._timers.append(network.call_later(TIMEOUT, lambda: self.end(Reach.SILENT)))

    def end(self, reach: Reach | None, rtt: float | None = None) -> None:
        """Close; None: nobody wants to know."""
        if self._ended:
            return
        self._ended = True
        for timer in self._timers:
            timer.cancel()
        if self._socket is not None:
            self._socket.close()
        if reach is not None:
            self._over(reach, rtt)

    def _send(self) -> None:
        transaction = self._network.random_bytes(wire.TRANSACTION)
        self._sent_at[transaction] = self._network.now()
        if self._socket is not None:
            self._socket.send(_question(transaction), self._place)

    def _received(self, data: bytes, source: Endpoint) -> None:
        if self._ended or source.port != self._place.port or not data or data[0] not in _ANSWERS:
            return
        sent_at = self._sent_at.get(data[1 : 1 + wire.TRANSACTION])
        if sent_at is not None:
            self.end(Reach.REACHED, self._network.now() - sent_at)


class _Stream:
    """A BIND with no ticket brings an ERROR, and the end."""

    def __init__(self, network: Network, place: Endpoint, tls: TlsOptions | None, over: _Over) -> None:
        self._network = network
        self._over = over
        self._ended = False
        self._asked_at: float | None = None
        self._transaction = network.random_bytes(wire.TRANSACTION)
        self._frames = Frames(wire.MAX_MESSAGE)
        self._stream: Stream | None = None
        self._timer = network.call_later(TIMEOUT, lambda: self.end(Reach.SILENT))
        try:
            self._stream = network.connect(place, self, tls=tls)
        except OSError:
            self._timer.cancel()
            self._timer = network.call_later(0.0, lambda: self.end(Reach.SILENT))

    def end(self, reach: Reach | None, rtt: float | None = None) -> None:
        """Close; None: nobody wants to know."""
        if self._ended:
            return
        self._ended = True
        self._timer.cancel()
        if self._stream is not None:
            self._stream.abort()
        if reach is not None:
            self._over(reach, rtt)

    # -- StreamHandler ---------------------------------------------------------------------------

    def connected(self, local: Endpoint) -> None:  # noqa: ARG002
        """Ask."""
        if self._stream is not None and not self._ended:
            self._asked_at = self._network.now()
            self._stream.write(wire.PREAMBLE + wire.frame(_question(self._transaction)))

    def received(self, data: bytes) -> None:
        """An ERROR with our transaction is the relay's."""
        if self._ended:
            return
        try:
            frames = self._frames.feed(data)
        except FrameError:
            self.end(Reach.REFUSED)
            return
        for message in frames:
            if message[0] in _ANSWERS and message[1 : 1 + wire.TRANSACTION] == self._transaction:
                rtt = self._network.now() - self._asked_at if self._asked_at is not None else None
                self.end(Reach.REACHED, rtt)
                return

    def ended(self) -> None:
        """Somebody else listens there."""
        self.end(Reach.REFUSED)

    def drained(self) -> None:
        """One question is small."""

    def closed(self, end: StreamEnd) -> None:
        """Refused, not to be trusted, or unreachable."""
        if end.untrusted:
            self.end(Reach.UNTRUSTED)
        elif end.reset or self._asked_at is not None:
            self.end(Reach.REFUSED)
        else:
            self.end(Reach.SILENT)


def _question(transaction: bytes) -> bytes:
    return wire.encode_bind(Bind(wire.VERSION, transaction, wire.NO_COOKIE, b""))


def _nothing(_: tuple[RelayLeg, ...]) -> None:
    pass
