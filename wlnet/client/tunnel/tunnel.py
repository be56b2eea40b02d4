"""The tunnel: docs/protocols/tunnel.md.

Give it every QUIC datagram of the nominated path (``receive``), and after each call send what ``transmits``
gives, take ``events``, and call ``tick`` at ``next_deadline``. Times are seconds of one monotonic clock.
The randomness of keys and connection IDs is TLS's own.
"""

from __future__ import annotations

import hmac
from collections import deque

from aioquic._buffer import Buffer
from aioquic.quic import events as quic_events

from wlnet.client.tunnel.connection import PEER, Connection
from wlnet.client.tunnel.datagrams import DatagramError, Inbox, Outbox
from wlnet.client.tunnel.events import (
    Closed,
    CloseReason,
    DatagramReceived,
    Event,
    Ready,
    StreamData,
    StreamEnded,
    StreamOpened,
    StreamWasReset,
    StreamWritable,
)
from wlnet.client.tunnel.identity import Identity, fingerprint_of
from wlnet.client.tunnel.limits import TunnelLimits
from wlnet.client.tunnel.streams import Stream, Streams
from wlnet.steering.model import Side

_RESET = 0x20
_TEXT = 200
_GRAIN = 1e-6
_TLS_ERRORS = range(0x100, 0x200)


class TunnelError(Exception):
    """The owner asked for what cannot be done now: the text says what."""


class Tunnel:
    """One end of the tunnel between a guest and a host.

    :param side: the guest begins.
    :param identity: ours for this session.
    :param peer_fingerprint: of the peer, as the rendezvous said; 64 hexadecimal digits.
    :param secret: the session secret of the attempt.
    :param now: the time.
    :ivar datagrams_untaken_dropped: received datagrams dropped because nobody took them.
    """

    def __init__(
        self,
        side: Side,
        identity: Identity,
        peer_fingerprint: str,
        secret: bytes,
        now: float,
        limits: TunnelLimits | None = None,
    ) -> None:
        self.limits = limits or TunnelLimits()
        self._side = side
        self._fingerprint = peer_fingerprint
        self._events: deque[Event] = deque()
        self._streams = Streams()
        self._outbox = Outbox(self.limits)
        self._inbox = Inbox(self.limits)
        self._proven = False
        self._ready = False
        self._closed: CloseReason | None = None
        self._give_up_at = now + self.limits.handshake
        self._pinged_at = now
        self._farewell: list[bytes] = []
        self._outgoing: list[bytes] = []
        self._repeats = 0
        self.datagrams_untaken_dropped = 0
        self._quic = Connection(
            is_client=side is Side.GUEST,
            identity=identity,
            secret=secret,
            limits=self.limits,
            acknowledged=self._acknowledged,
        )
        if side is Side.GUEST:
            self._quic.connect(PEER, now)

    # Bytes, time and events.

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram of the path that begins with a byte of 0x40 or more. Never raises."""
        if self._closed is not None:
            if self._farewell and self._repeats < self.limits.close_repeats:
                self._repeats += 1
                self._outgoing = self._farewell
            return
        if not self._quic.started and not self._quic.begins(datagram):
            return
        self._quic.receive_datagram(datagram, PEER, now)
        self._look(now)

    def transmits(self, now: float) -> list[bytes]:
        """Datagrams to send over whatever path there is."""
        packets, self._outgoing = self._outgoing, []
        if self._closed is None and self._quic.started:
            if self._ready:
                for frame in self._outbox.take():
                    self._quic.send_datagram_frame(frame)
            self._give_credit()
            packets += self._flush(now)
            if self._give_credit():
                packets += self._flush(now)
        return packets

    def next_deadline(self) -> float | None:
        """When to call ``tick``; None: never."""
        if self._closed is not None:
            return None
        deadlines = [self._give_up_at if not self._ready else self._keepalive_at()]
        timer = self._quic.get_timer() if self._quic.started else None
        if timer is not None:
            deadlines.append(timer)
        return min(deadlines)

    def tick(self, now: float) -> None:
        """Time passed; may be called at any time."""
        if self._closed is not None:
            return
        if not self._ready and now >= self._give_up_at:
            self._end(CloseReason.HANDSHAKE_TIME, "the other player did not answer", now)
            return
        if self._quic.started:
            timer = self._quic.get_timer()
            if timer is not None and now >= timer:
                # Its deadline is a sum, its check a difference: rounded, they may never meet.
                self._quic.handle_timer(now + _GRAIN)
                self._quic.limit_backoff()
            self._look(now)
        if self._closed is None and self._ready and now >= self._keepalive_at():
            self._pinged_at = now
            self._quic.send_ping(0)

    def path_changed(self, now: float, *, resend: bool = True) -> None:
        """The path layer nominated another path, or the old one came back.

        :param resend: what is in flight on the old path is lost, so send it again at once. False if the old
            path still delivers (an upgrade): then only the estimates of speed and delay start anew.
        """
        if self._closed is None and self._quic.started:
            self._quic.start_anew(resend=resend, now=now)

    def events(self) -> list[Event]:
        """What happened since the last call; take it after every call that is given the time."""
        taken = list(self._events)
        self._events.clear()
        return taken

    @property
    def ready(self) -> bool:
        """Streams and datagrams may be sent."""
        return self._ready and self._closed is None

    @property
    def datagrams_dropped(self) -> int:
        """Datagrams of ours that were dropped because too many waited."""
        return self._outbox.dropped

    # Streams.

    def open_stream(self, purpose: int = 0) -> int:
        """Open a stream.

        :param purpose: 0 to 255, told to the peer.
        :raises TunnelError: the tunnel is not ready, or too many are open.
        """
        self._check_ready()
        if self._streams.ours >= self.limits.streams:
            raise TunnelError("too many streams are open")
        number = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(number, bytes([purpose]))
        self._streams.add(number, ours=True)
        return number

    def room(self, stream: int) -> int:
        """How many bytes ``send_stream`` takes now. After 0 a StreamWritable follows when there is room.

        :raises TunnelError: there is no such stream, or it is over.
        """
        state = self._sending(stream)
        room = max(0, self.limits.send_buffer - self._quic.buffered(stream))
        if not room:
            state.full = True
        return room

    def send_stream(self, stream: int, data: bytes, end: bool = False) -> None:
        """Send bytes in order.

        :param end: they are the last.
        :raises TunnelError: there is no such stream, it is over, or the bytes are more than its ``room``.
        """
        state = self._sending(stream)
        if len(data) > self.room(stream):
            state.full = True
            raise TunnelError("there is no room for so many bytes")
        self._quic.send_stream_data(stream, data, end)
        if end:
            state.sending = state.full = False

    def reset_stream(self, stream: int) -> None:
        """Break a stream off in both directions; nothing of it is told any more. An unknown one: nothing."""
        state = self._streams.get(stream)
        if state is not None and self._closed is None:
            state.break_off()
            self._quic.break_off(stream, _RESET)

    def consumed(self, stream: int, size: int) -> None:
        """The owner is done with so many more bytes of StreamData: the peer may send as many.

        :raises ValueError: he was not given so many.
        """
        state = self._streams.get(stream)
        if state is None:
            return
        if not 0 <= size <= state.unconsumed:
            raise ValueError("more consumed than received")
        state.consumed += size

    # Datagrams.

    def send_datagram(self, data: bytes) -> None:
        """Send a datagram of the game, once and in no order.

        :raises TunnelError: the tunnel is not ready.
        :raises ValueError: it is longer than 64 KiB.
        """
        self._check_ready()
        self._outbox.put(data)

    # The end.

    def close(self, text: str, now: float) -> None:
        """End the tunnel; *text* is told to the peer, at most 200 characters of it."""
        if self._closed is None:
            self._end(CloseReason.HERE, text, now)

    # Inside.

    def _check_ready(self) -> None:
        if not self.ready:
            raise TunnelError("the tunnel is not ready" if self._closed is None else "the tunnel is closed")

    def _sending(self, stream: int) -> Stream:
        self._check_ready()
        state = self._streams.get(stream)
        if state is None or not state.sending:
            raise TunnelError("there is no such stream, or it is over")
        return state

    def _acknowledged(self, frame: bytes) -> None:
        self._outbox.acknowledged(Buffer(data=frame).pull_uint_var())

    def _flush(self, now: float) -> list[bytes]:
        return [packet for packet, to in self._quic.datagrams_to_send(now) if to == PEER]

    def _keepalive_at(self) -> float:
        heard = self._quic.heard
        return max(self._pinged_at, heard or 0.0) + self.limits.keepalive

    def _give_credit(self) -> bool:
        for stream in self._streams.all():
            if stream.over and not self._quic.knows(stream.number):
                self._streams.forget(stream)
            elif stream.receiving:
                # The purpose is one byte that the owner never sees.
                self._quic.grant(stream.number, stream.consumed + (not stream.ours))
            if stream.full and self._quic.buffered(stream.number) <= self.limits.send_buffer // 2:
                stream.full = False
                self._events.append(StreamWritable(stream.number))
        return self._quic.grant_all(self._streams.unconsumed, self._streams.forgotten)

    def _look(self, now: float) -> None:
        """See what became of the connection; in this order, so that nothing of an unproven peer is told."""
        if not self._proven and self._quic.negotiated and not self._prove(now):
            return
        if self._proven and self._quic.confirmed:
            self._become_ready()
        self._take_quic_events(now)
        if self._closed is None and self._quic.end is not None:
            self._ended(self._quic.end, now)

    def _prove(self, now: float) -> bool:
        certificate = self._quic.peer_certificate
        if certificate is None:
            self._end(CloseReason.WRONG_PEER, "the other player showed no certificate", now)
            return False
        if not hmac.compare_digest(fingerprint_of(certificate).encode(), self._fingerprint.encode()):
            self._end(CloseReason.WRONG_PEER, "the certificate is not the other player's", now)
            return False
        self._proven = True
        return True

    def _become_ready(self) -> None:
        if not self._ready:
            self._ready = True
            self._events.append(Ready())

    def _take_quic_events(self, now: float) -> None:
        while (event := self._quic.next_event()) is not None:
            if self._closed is not None or not self._proven:
                continue
            match event:
                case quic_events.StreamDataReceived():
                    self._stream_data(event.stream_id, event.data, event.end_stream)
                case quic_events.StreamReset() | quic_events.StopSendingReceived():
                    self._stream_reset(event.stream_id)
                case quic_events.DatagramFrameReceived():
                    self._datagram(event.data, now)

    def _stream_data(self, number: int, data: bytes, end: bool) -> None:
        # A host sends nothing before he knows the guest, so his data is as good as his last handshake packet.
        self._become_ready()
        stream = self._streams.get(number)
        if stream is None:
            stream = self._streams.add(number, ours=False)
            if not data:
                self._break_off(stream)
                return
            self._events.append(StreamOpened(number, data[0]))
            data = data[1:]
        if not stream.receiving:
            return
        if data:
            stream.received += len(data)
            self._events.append(StreamData(number, data))
        if end:
            stream.receiving = False
            self._events.append(StreamEnded(number))

    def _stream_reset(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            self._break_off(self._streams.add(number, ours=False))
        elif stream.receiving or stream.sending:
            self._break_off(stream)
            self._events.append(StreamWasReset(number))

    def _break_off(self, stream: Stream) -> None:
        stream.break_off()
        self._quic.break_off(stream.number, _RESET)

    def _datagram(self, frame: bytes, now: float) -> None:
        self._become_ready()
        try:
            datagram = self._inbox.receive(frame)
        except DatagramError as error:
            self._end(CloseReason.BROKEN_PEER, str(error), now)
            return
        if datagram is None:
            return
        if len(self._events) >= self.limits.datagrams_untaken:
            self.datagrams_untaken_dropped += 1
        else:
            self._events.append(DatagramReceived(datagram))

    def _end(self, reason: CloseReason, text: str, now: float) -> None:
        """We end it."""
        text = _short(text)
        if self._quic.started:
            self._quic.close(error_code=reason.value, reason_phrase=text)
            self._farewell = self._flush(now)
            self._outgoing = self._farewell
        self._closed = reason
        self._events.append(Closed(reason, text))

    def _ended(self, end: quic_events.ConnectionTerminated, now: float) -> None:
        """QUIC ended: by the peer, by silence, or because the peer broke its rules."""
        text = _short(end.reason_phrase)
        alert = end.error_code in _TLS_ERRORS
        if self._quic.ended_by_peer:
            refused = not self._ready or (
                end.frame_type is None and end.error_code == CloseReason.WRONG_PEER.value
            )
            reason = CloseReason.REFUSED_BY_PEER if refused else CloseReason.THERE
        elif self._quic.ended:
            reason = CloseReason.SILENCE
            text = f"nothing came from the other player for {self.limits.silence:g} seconds"
        else:
            self._farewell = self._outgoing = self._flush(now)
            reason = CloseReason.WRONG_PEER if alert and not self._proven else CloseReason.BROKEN_PEER
        self._closed = reason
        self._events.append(Closed(reason, text))


def _short(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text[:_TEXT])
    return printable.encode("utf-8", "replace")[:_TEXT].decode("utf-8", "ignore")
