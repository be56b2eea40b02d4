"""The sockets of one attempt: its PathSet wishes and sends, and is told what comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from wlnet.client.net.network import (
    DatagramSocket,
    Listener,
    Network,
    Stream,
    StreamEnd,
    StreamHandler,
    TlsOptions,
)
from wlnet.client.paths.pathset import PathSet
from wlnet.client.paths.words import Close, Listen, OpenDatagram, OpenStream, Transmit, Wish
from wlnet.client.peer.ports import Gathering
from wlnet.protocols.stun.wire import Endpoint

_PATIENT = 64
"""Frames up to that length (checks, messages of the relay) may wait twice as long as others."""
_ROUNDS = 16


class _End(StreamHandler):
    """One TCP connection and the number it has in the PathSet."""

    def __init__(self, owner: AttemptSockets, number: int, *, connected: bool) -> None:
        self._owner = owner
        self._number = number
        self.stream: Stream | None = None
        self.is_connected = connected

    def connected(self, local: Endpoint) -> None:  # noqa: ARG002  the PathSet does not ask
        self.is_connected = True
        self._owner.paths.connected(self._number, self._owner.now())
        self._owner.touched()

    def received(self, data: bytes) -> None:
        if self.stream is not None:
            self._owner.received(self._number, data, self.stream.remote)

    def ended(self) -> None:
        if self.stream is not None:
            self.stream.close()
        self._owner.stream_over(self._number, reset=False)

    def drained(self) -> None:
        """Packets are not kept for that: see :attr:`PartyOptions.stream_queue`."""

    def closed(self, end: StreamEnd) -> None:
        self._owner.stream_over(self._number, reset=end.reset)


class AttemptSockets:
    """Does what the PathSet says.

    :param touched: something happened that may have made work; called from the network's callbacks.
    :param stream_queue: bytes that may wait in a TCP connection.
    :ivar dropped: packets a full TCP connection, or the system, did not take.
    """

    def __init__(
        self,
        network: Network,
        paths: PathSet,
        gathering: Gathering,
        tls: TlsOptions,
        stream_queue: int,
        touched: Callable[[], None],
    ) -> None:
        self.paths = paths
        self.touched = touched
        self.dropped: Counter[str] = Counter()
        self.now = network.now
        self._network = network
        self._gathering = gathering
        self._tls = tls
        self._queue = stream_queue
        self._datagrams: dict[int, DatagramSocket] = {}
        self._listeners: dict[int, Listener] = {}
        self._ends: dict[int, _End] = {}
        self._group_ports: dict[int, int] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._datagrams) + len(self._listeners) + len(self._ends)

    def flush(self) -> None:
        """Open, send, close; what cannot be opened is told, which may bring more of that."""
        for _ in range(_ROUNDS):
            wishes = self.paths.wishes()
            failed = [wish.socket for wish in wishes if not isinstance(wish, Close) and not self._open(wish)]
            for transmit in self.paths.transmits():
                self._send(transmit)
            for wish in wishes:
                if isinstance(wish, Close):
                    self._close(wish.socket)
            if not failed:
                return
            for number in failed:
                self.paths.closed(number, self.now())

    def close(self) -> None:
        """Close all at once; what was sent before goes out."""
        self._closed = True
        for number in [*self._datagrams, *self._listeners, *self._ends]:
            self._close(number)

    # -- what comes ------------------------------------------------------------------------------

    def received(self, number: int, data: bytes, source: Endpoint) -> None:
        """Bytes arrived."""
        if not self._closed:
            self.paths.receive(number, data, source, self.now())
            self.touched()

    def stream_over(self, number: int, *, reset: bool) -> None:
        """A connection ended, or did not come about."""
        if self._ends.pop(number, None) is not None and not self._closed:
            self.paths.closed(number, self.now(), reset=reset)
            self.touched()

    def _accepted(self, listener: int, stream: Stream) -> StreamHandler | None:
        if self._closed:
            return None
        number = self.paths.accepted(listener, stream.remote, self.now())
        if number is None:
            return None
        end = self._ends[number] = _End(self, number, connected=True)
        end.stream = stream
        self.touched()
        return end

    # -- what is wished --------------------------------------------------------------------------

    def _open(self, wish: Wish) -> bool:
        try:
            match wish:
                case OpenDatagram():
                    self._open_datagram(wish)
                case Listen():
                    self._listen(wish)
                case OpenStream():
                    self._connect(wish)
        except (OSError, ValueError):
            return False
        return True

    def _open_datagram(self, wish: OpenDatagram) -> None:
        received = partial(self.received, wish.socket)
        socket = None
        if wish.local_port:
            socket = self._gathering.adopt_datagram(wish.family, wish.local_port, received)
        if socket is None:
            socket = self._network.open_datagram(wish.family, received, port=wish.local_port)
        self._datagrams[wish.socket] = socket

    def _listen(self, wish: Listen) -> None:
        accepted = partial(self._accepted, wish.socket)
        port = wish.local_port or self._group_ports.get(wish.group, 0)
        listener = None
        if wish.local_port:
            listener = self._gathering.adopt_listener(wish.family, wish.local_port, accepted)
        if listener is None:
            # The port may be shared with what measured it.
            reuse = bool(wish.group or wish.local_port)
            listener = self._network.listen(wish.family, accepted, port=port, reuse=reuse)
        self._listeners[wish.socket] = listener
        if wish.group:
            self._group_ports.setdefault(wish.group, listener.local.port)

    def _connect(self, wish: OpenStream) -> None:
        end = self._ends[wish.socket] = _End(self, wish.socket, connected=False)
        try:
            stream = end.stream = self._network.connect(
                wish.destination,
                end,
                port=wish.local_port or self._group_ports.get(wish.group, 0),
                reuse=bool(wish.group or wish.local_port),
                tls=self._tls if wish.tls else None,
            )
        except (OSError, ValueError):
            del self._ends[wish.socket]
            raise
        if wish.group:
            self._group_ports.setdefault(wish.group, stream.local.port)

    def _close(self, number: int) -> None:
        closing = self._datagrams.pop(number, None) or self._listeners.pop(number, None)
        if closing is not None:
            closing.close()
        end = self._ends.pop(number, None)
        if end is not None and end.stream is not None:
            if end.is_connected:
                end.stream.close()
            else:
                end.stream.abort()

    # -- what goes -------------------------------------------------------------------------------

    def _send(self, transmit: Transmit) -> None:
        socket = self._datagrams.get(transmit.socket)
        if socket is not None:
            if not socket.send(transmit.data, transmit.destination, transmit.hops):
                self.dropped["datagram"] += 1
            return
        end = self._ends.get(transmit.socket)
        if end is None or end.stream is None:
            return
        room = self._queue if len(transmit.data) > _PATIENT else 2 * self._queue
        if end.stream.waiting + len(transmit.data) > room:
            self.dropped["stream"] += 1
        else:
            end.stream.write(transmit.data)
