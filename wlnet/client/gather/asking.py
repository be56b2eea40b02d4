"""One question to a STUN server over UDP or TCP: where do you see this socket?"""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather import limits
from wlnet.client.net.network import DatagramSocket, Network, Stream, StreamEnd, StreamHandler, Timer
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.findings import canonical
from wlnet.protocols.stun.transaction import STREAM_PACE, State, StunTransaction
from wlnet.protocols.stun.wire import Endpoint, StunError

_LONGEST = 2048
Answered = Callable[[Endpoint | None], None]
"""Where the server sees us; None: no answer."""


def mapped_of(transaction: StunTransaction) -> Endpoint | None:
    """Where an answered request was seen to come from."""
    if transaction.state is not State.ANSWERED or transaction.answer is None:
        return None
    try:
        mapped = transaction.answer.mapped()
    except StunError:
        return None
    return canonical(mapped) if mapped is not None and mapped.port else None


class DatagramQuestion:
    """Asks from a UDP socket somebody else reads: :meth:`receive` is to be given what arrives there."""

    def __init__(
        self, network: Network, socket: DatagramSocket, server: Endpoint, answered: Answered
    ) -> None:
        self._network = network
        self._socket = socket
        self._answered = answered
        self._timer: Timer | None = None
        self._transaction = StunTransaction(
            network.random_bytes(wire.TRANSACTION), server, network.now(), limits.BINDING_PACE
        )
        self._send()

    @property
    def pending(self) -> bool:
        """There is no answer yet, and one may still come."""
        return self._transaction.state is State.PENDING

    def receive(self, data: bytes, source: Endpoint) -> bool:
        """True if it was the answer."""
        if not self.pending:
            return False
        try:
            message = wire.decode(data)
        except StunError:
            return False
        if not self._transaction.receive(message, source, self._network.now()):
            return False
        self._over()
        return True

    def cancel(self) -> None:
        """Nothing is called any more."""
        self._transaction.give_up()
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        now = self._network.now()
        request = self._transaction.due(now)
        if request is not None:
            self._socket.send(request, self._transaction.destination)
        at = self._transaction.next_deadline()
        if at is None:
            self._over()
        else:
            self._timer = self._network.call_later(max(0.0, at - now), self._send)

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._answered(mapped_of(self._transaction))


class StreamQuestion(StreamHandler):
    """Asks over a TCP connection of its own, which stays open until :meth:`close`.

    :param port: local port, shared with others (SO_REUSEADDR, SO_REUSEPORT).
    :raises OSError: the port cannot be had.
    """

    def __init__(self, network: Network, server: Endpoint, port: int, answered: Answered) -> None:
        self._network = network
        self._server = server
        self._answered: Answered | None = answered
        self._buffer = b""
        self._transaction: StunTransaction | None = None
        self._stream: Stream | None = network.connect(server, self, port=port, reuse=True)
        self._again: Timer | None = None

    def connected(self, local: Endpoint) -> None:  # noqa: ARG002
        """See :class:`~wlnet.client.net.network.StreamHandler`, here and below."""
        self._ask()

    def received(self, data: bytes) -> None:
        """Perhaps the answer."""
        self._buffer += data
        if len(self._buffer) < wire.HEADER or self._transaction is None:
            return
        try:
            length = wire.message_length(self._buffer)
            if length > _LONGEST:
                raise StunError("too long")
            if len(self._buffer) < length:
                return
            message = wire.decode(self._buffer[:length])
        except StunError:
            self._fail()
            return
        self._buffer = self._buffer[length:]
        if self._transaction.receive(message, self._server, self._network.now()):
            self._say(mapped_of(self._transaction))
            self._again = self._network.call_later(limits.KEEPALIVE, self._ask)
        else:
            self._fail()

    def ended(self) -> None:
        """The server answers nothing more."""
        self._fail()

    def drained(self) -> None:
        """Requests are small."""

    def closed(self, end: StreamEnd) -> None:  # noqa: ARG002
        """It could not be opened, or is gone."""
        self._stream = None
        self._fail()

    def close(self) -> None:
        """Nothing is called any more."""
        self._answered = None
        self._fail()

    def _ask(self) -> None:
        if self._stream is None:
            return
        now = self._network.now()
        identity = self._network.random_bytes(wire.TRANSACTION)
        self._transaction = StunTransaction(identity, self._server, now, STREAM_PACE)
        self._stream.write(self._transaction.due(now) or b"")

    def _say(self, mapped: Endpoint | None) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(mapped)

    def _fail(self) -> None:
        if self._again is not None:
            self._again.cancel()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()
        self._say(None)
