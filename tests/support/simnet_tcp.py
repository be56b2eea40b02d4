"""TCP of the simulated network: segments are routed and lost like datagrams, and sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from wlnet.client.net.network import Accepted, StreamEnd, StreamHandler, Timer, TlsOptions
from wlnet.protocols.stun.wire import Endpoint

if TYPE_CHECKING:
    from tests.support.simnet import SimHost

WINDOW = 262144
"""Bytes a receiver takes that it has not handed on."""

RETRIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds until something is sent again; after the last the connection is given up."""


class Kind(Enum):
    SYN = 1
    SYN_ACK = 2
    DATA = 3
    FIN = 4
    ACK = 5
    RST = 6


@dataclass(frozen=True)
class Segment:
    """*number* is the place in the order of DATA and FIN, or for ACK how many came in order so far."""

    kind: Kind
    number: int = 0
    data: bytes = b""
    window: int = 0


class SimListener:
    """See :class:`wlnet.client.net.network.Listener`."""

    def __init__(self, host: SimHost, local: Endpoint, accepted: Accepted, reuse: bool) -> None:
        self.local = local
        self.accepted = accepted
        self.reuse = reuse
        self._host = host

    def close(self) -> None:
        if self in self._host.listeners:
            self._host.listeners.remove(self)


class SimStream:
    """See :class:`wlnet.client.net.network.Stream`.

    :ivar tls: what the client asked for; nothing is encrypted.
    """

    def __init__(
        self,
        host: SimHost,
        local: Endpoint,
        remote: Endpoint,
        *,
        reuse: bool = False,
        tls: TlsOptions | None = None,
    ) -> None:
        self.local = local
        self.remote = remote
        self.reuse = reuse
        self.tls = tls
        self.handler: StreamHandler | None = None
        self._host = host
        self._open = False
        self._over = False
        self._paused = False
        self._closing = False
        self._ending = False
        self._outgoing = bytearray()
        self._had_to_wait = False
        self._flush_timer: Timer | None = None
        self._sent = 0  # segments
        self._unacknowledged: dict[int, Segment] = {}
        self._retries: dict[int, Timer] = {}
        self._in_flight = 0
        self._window = WINDOW
        self._fin_sent = False
        self._expected = 0
        self._early: dict[int, Segment] = {}
        self._held: list[bytes] = []
        self._fin_seen = False
        self._said_end = False
        self._giving_up: Timer | None = None
        self._probe: Timer | None = None

    # What users call

    @property
    def waiting(self) -> int:
        return len(self._outgoing)

    def write(self, data: bytes) -> None:
        if not self._ending and not self._over and data:
            self._outgoing += data
            self._had_to_wait = True
            self._flush_soon()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._soon(self._hand_on)

    def end(self) -> None:
        if not self._over:
            self._ending = True
            self._flush_soon()

    def close(self) -> None:
        if not self._over and not self._closing:
            self._closing = self._ending = True
            self._giving_up = self._host.call_later(5.0, lambda: self._finish(StreamEnd()))
            self._flush_soon()
            self._soon(self._hand_on)

    def abort(self) -> None:
        if not self._over:
            if self._open or self.handler is None:
                self._transmit(Segment(Kind.RST))
            self._shut()

    # Connecting

    def connect(self, handler: StreamHandler) -> None:
        self.handler = handler
        if self.local.host in ("0.0.0.0", "::"):
            self._soon(lambda: self._finish(StreamEnd(text="Network is unreachable")))
            return
        if self.tls is not None and self.tls.name in self._host.net.untrusted_names:
            end = StreamEnd(text="certificate: not trusted", untrusted=True)
            self._soon(lambda: self._finish(end))
            return
        self._send_syn(0)

    def accept(self, handler: StreamHandler) -> None:
        self.handler = handler
        self._open = True
        self._flush_soon()

    def _send_syn(self, attempt: int) -> None:
        if self._over or self._open:
            return
        if attempt == len(RETRIES):
            self._finish(StreamEnd(text="Connection timed out"))
            return
        self._transmit(Segment(Kind.SYN))
        self._retries[-1] = self._host.call_later(RETRIES[attempt], lambda: self._send_syn(attempt + 1))

    def _opened(self) -> None:
        if self._open:
            return
        self._open = True
        self._retries.pop(-1).cancel()
        if self.handler is not None and not self._closing:
            self.handler.connected(self.local)
        self._soon(self._hand_on)
        self._flush_soon()

    # Segments

    def segment(self, segment: Segment) -> None:
        """One arrived."""
        if self._over:
            return
        match segment.kind:
            case Kind.SYN:
                self._transmit(Segment(Kind.SYN_ACK))
                self._opened()
            case Kind.SYN_ACK:
                self._opened()
            case Kind.RST:
                text = "Connection reset by peer" if self._open else "Connection refused"
                self._finish(StreamEnd(reset=True, text=text))
            case Kind.ACK:
                self._acknowledged(segment)
            case Kind.DATA | Kind.FIN:
                self._arrived(segment)

    def _arrived(self, segment: Segment) -> None:
        if segment.number >= self._expected:
            self._early[segment.number] = segment
        while self._expected in self._early:
            one = self._early.pop(self._expected)
            self._expected += 1
            if one.kind is Kind.FIN:
                self._fin_seen = True
            else:
                self._held.append(one.data)
        self._acknowledge()
        self._hand_on()

    def _acknowledge(self) -> None:
        held = sum(map(len, self._held))
        self._transmit(Segment(Kind.ACK, self._expected, window=max(0, WINDOW - held)))

    def _hand_on(self) -> None:
        before = bool(self._held)
        while self._held and (self._closing or not self._paused) and not self._over and self._open:
            data = self._held.pop(0)
            if not self._closing and self.handler is not None:
                self.handler.received(data)
        if self._over:
            return
        if before and not self._held:
            self._acknowledge()
        if self._fin_seen and not self._held and not self._said_end and self._open:
            self._said_end = True
            if not self._closing and self.handler is not None:
                self.handler.ended()
        self._perhaps_finish()

    def _acknowledged(self, segment: Segment) -> None:
        self._window = segment.window
        for number in [number for number in self._unacknowledged if number < segment.number]:
            self._in_flight -= len(self._unacknowledged.pop(number).data)
            self._retries.pop(number).cancel()
        self._flush_soon()
        self._perhaps_finish()

    # Sending

    def _flush_soon(self) -> None:
        if self._flush_timer is None and not self._over:
            self._flush_timer = self._host.call_later(0, self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        if self._over or not self._open:
            if self._closing and not self._outgoing:
                self._finish(StreamEnd())
            return
        while self._outgoing and (room := self._window - self._in_flight) > 0:
            size = min(room, 16384)
            data = bytes(self._outgoing[:size])
            del self._outgoing[:size]
            self._in_flight += len(data)
            self._send_in_order(Kind.DATA, data)
        if self._outgoing:
            if not self._in_flight and self._probe is None:
                self._probe = self._host.call_later(1.0, self._ask_for_room)
            return
        if self._had_to_wait:
            self._had_to_wait = False
            if not self._closing and self.handler is not None:
                self.handler.drained()
        if self._ending and not self._fin_sent and not self._outgoing and not self._over:
            self._fin_sent = True
            self._send_in_order(Kind.FIN, b"")

    def _ask_for_room(self) -> None:
        """The message that there is room again may be lost: try one byte."""
        self._probe = None
        if self._outgoing and not self._in_flight and self._window <= 0:
            self._window = 1
            self._flush()

    def _send_in_order(self, kind: Kind, data: bytes) -> None:
        segment = Segment(kind, self._sent, data)
        self._sent += 1
        self._unacknowledged[segment.number] = segment
        self._send_again(segment, 0)

    def _send_again(self, segment: Segment, attempt: int) -> None:
        if self._over:
            return
        if attempt == len(RETRIES):
            self._finish(StreamEnd(text="Connection timed out"))
            return
        self._transmit(segment)
        self._retries[segment.number] = self._host.call_later(
            RETRIES[attempt], lambda: self._send_again(segment, attempt + 1)
        )

    def _transmit(self, segment: Segment) -> None:
        self._host.net.send_segment(self._host, self.local, self.remote, segment)

    # The end

    def _perhaps_finish(self) -> None:
        if self._said_end and self._fin_sent and not self._unacknowledged:
            self._finish(StreamEnd())

    def _finish(self, end: StreamEnd) -> None:
        if self._over:
            return
        self._shut()
        if self.handler is not None:
            self.handler.closed(end)

    def _shut(self) -> None:
        self._over = True
        for timer in (*self._retries.values(), self._flush_timer, self._giving_up, self._probe):
            if timer is not None:
                timer.cancel()
        self._retries.clear()
        self._outgoing.clear()
        self._held.clear()
        if self in self._host.streams:
            self._host.streams.remove(self)

    def _soon(self, call: Callable[[], None]) -> None:
        self._host.call_later(0, lambda: None if self._over else call())
