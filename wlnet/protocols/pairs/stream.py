"""A side over TCP, without sockets: framing, the bounded queue, and what to do with each message."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from wlnet.agenda import Agenda, Appointment
from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.pairs import wire
from wlnet.protocols.pairs.answers import bound_answer
from wlnet.protocols.stun.wire import Endpoint
from wlnet.relay.pair import Seat
from wlnet.relay.pair_words import Ending, Refusal, RefusedError
from wlnet.relay.pairs import Pairs

BATCH = 16384
"""Bytes given to the connection at a time. A side has ``pairs.tcp_stall`` seconds to take them."""


class Wires(Protocol):
    """A connection that says by :meth:`StreamSide.drained` when it has passed all on that it was given."""

    def write(self, data: bytes) -> None:
        """Send *data*."""

    def close(self) -> None:
        """Send what was written, then close; or close at once if that takes too long."""

    def abort(self) -> None:
        """Close at once."""


class StreamSide:
    """One connection: first :data:`wlnet.protocols.pairs.wire.PREAMBLE`, then a BIND, then all else.

    It is a :class:`~wlnet.relay.pair_words.Carrier`. The handshake of TCP has proven the address, so no
    cookie is asked for.
    """

    def __init__(
        self,
        pairs: Pairs,
        source: Endpoint,
        wires: Wires,
        agenda: Agenda,
        metrics: Metrics,
        budget: QueueBudget,
    ) -> None:
        self.origin: object = self
        self.dropped = 0
        self._pairs = pairs
        self._source = source
        self._wires = wires
        self._agenda = agenda
        self._metrics = metrics
        self._budget = budget
        self._buffer = b""
        self._greeted = False
        self._seat: Seat | None = None
        self._handle = b""
        self._head = b""
        self._over = False
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._under_way = 0
        self._stall: Appointment | None = None
        self._deadline = agenda.after(pairs.settings.tcp_handshake_timeout, self._no_bind)

    # -- from the client -------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Bytes came; never raises."""
        if self._over:
            return
        buffer = self._buffer + data
        position = 0
        if not self._greeted:
            size = len(wire.PREAMBLE)
            if buffer[:size] != wire.PREAMBLE[: len(buffer)]:
                self._malformed()
                return
            if len(buffer) < size:
                self._buffer = buffer
                return
            self._greeted = True
            position = size
        end = len(buffer)
        while end - position >= 2 and not self._over:
            length = buffer[position] << 8 | buffer[position + 1]
            if not 0 < length <= wire.MAX_MESSAGE:
                self._malformed()
                return
            after = position + 2 + length
            if after > end:
                break
            self._message(buffer[position + 2 : after])
            position = after
        self._buffer = b"" if self._over else buffer[position:]

    def lost(self) -> None:
        """The connection is gone."""
        self._finish()
        seat, self._seat = self._seat, None
        if seat is not None:
            self._pairs.lost(seat, self)

    def _message(self, data: bytes) -> None:
        seat = self._seat
        try:
            if seat is None:
                self._bind(wire.decode_bind(data))
            elif data[0] == wire.DATA and len(data) > wire.DATA_HEAD:
                if data[1 : wire.DATA_HEAD] != self._handle:
                    raise wire.WireError("another one's handle")
                self._pairs.forward(seat, data[wire.DATA_HEAD :])
            elif data[0] == wire.KEEPALIVE:
                handle, echo = wire.decode_keepalive(data)
                if handle != self._handle:
                    raise wire.WireError("another one's handle")
                self._pairs.alive(seat)
                self._put(wire.encode_alive(handle, echo, seat.peer_bound))
            elif data[0] == wire.CLOSE and wire.decode_worded(wire.CLOSE, data)[0] == self._handle:
                self._pairs.close(seat)
            else:
                raise wire.WireError("no message of a client")
        except wire.WireError:
            self._malformed()

    def _bind(self, bind: wire.Bind) -> None:
        host, port = self._source
        if bind.version != wire.VERSION:
            self._pairs.refuse(host, Refusal.VERSION)
            self._refuse(bind.transaction, Refusal.VERSION)
            return
        try:
            seat = self._pairs.bind(bind.ticket, host, self, self._bound)
        except RefusedError as error:
            self._refuse(bind.transaction, error.refusal)
            return
        self._deadline.cancel()
        self._seat = seat
        self._put(bound_answer(self._pairs, seat, bind.transaction, host, port))

    def _bound(self, handle: bytes) -> StreamSide:
        self._handle = handle
        self._head = wire.data_head(handle)
        return self

    def _refuse(self, transaction: bytes, refusal: Refusal) -> None:
        self._put(wire.encode_error(transaction, refusal))
        self._close()

    # -- to the client ---------------------------------------------------------------------------

    def deliver(self, payload: bytes) -> bool:
        """See :class:`~wlnet.relay.pair_words.Carrier`."""
        return self._put(self._head + payload)

    def end(self, ending: Ending) -> None:
        """See :class:`~wlnet.relay.pair_words.Carrier`."""
        self._seat = None
        if self._over:
            return
        if ending is not Ending.CLOSED:
            self._put(wire.encode_close(self._handle, ending))
        self._close()

    def drained(self) -> None:
        """The connection has passed on all it was given."""
        self._budget.add(-self._under_way)
        self._under_way = 0
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._queue and not self._over:
            self._write()

    def _put(self, message: bytes) -> bool:
        size = len(message) + 2
        if self._over:
            return False
        if self._queued + self._under_way + size > self._pairs.settings.tcp_queue:
            self._metrics.limited(Front.PAIRS, Limit.QUEUE)
            self.dropped += 1
            return False
        if self._budget.held + size > self._budget.limit:
            self._metrics.limited(Front.PAIRS, Limit.TOTAL_QUEUES)
            self.dropped += 1
            return False
        self._budget.add(size)
        self._queue.append(wire.frame(message))
        self._queued += size
        if not self._under_way:
            self._write()
        return True

    def _write(self) -> None:
        batch: list[bytes] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0]) <= BATCH):
            size += len(self._queue[0])
            batch.append(self._queue.popleft())
        self._queued -= size
        self._under_way = size
        self._stall = self._agenda.after(self._pairs.settings.tcp_stall, self._stalled)
        self._wires.write(b"".join(batch))

    # -- ending ----------------------------------------------------------------------------------

    def _malformed(self) -> None:
        self._turn_away(Limit.MALFORMED)

    def _no_bind(self) -> None:
        self._turn_away(Limit.HANDSHAKE_TIME)

    def _stalled(self) -> None:
        self._turn_away(Limit.QUEUE)

    def _turn_away(self, limit: Limit) -> None:
        self._pairs.turn_away(self._source.host, limit)
        self._drop()

    def _drop(self) -> None:
        self._finish()
        self._wires.abort()

    def _close(self) -> None:
        waiting = b"".join(self._queue)
        self._finish()
        if waiting:
            self._wires.write(waiting)
        self._wires.close()

    def _finish(self) -> None:
        self._over = True
        self._buffer = b""
        self._deadline.cancel()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._budget.add(-self._queued - self._under_way)
        self._queue.clear()
        self._queued = self._under_way = 0
