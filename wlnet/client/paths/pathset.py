"""All paths of one attempt with one peer: docs/protocols/paths.md.

The owner of the sockets does what :meth:`PathSet.wishes` says, sends :meth:`PathSet.transmits`, and tells
what arrives; it fetches these, :meth:`PathSet.delivered` and :meth:`PathSet.events` after each call. Nothing
here waits or raises for what comes from the network.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from wlnet.client.paths import choice, limits
from wlnet.client.paths.checking import Checking
from wlnet.client.paths.frames import FrameError
from wlnet.client.paths.guard import Guard
from wlnet.client.paths.known import Known
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.outbox import Outbox
from wlnet.client.paths.path import RELAYED, Path, Way
from wlnet.client.paths.relay import Relay
from wlnet.client.paths.steps import Steps
from wlnet.client.paths.streams import Streams
from wlnet.client.paths.task import Sockets, canonical
from wlnet.client.paths.usage import Usage
from wlnet.client.paths.words import Close, Event, Failed, MoveReason, PathCarried, Transmit, Wish
from wlnet.protocols.exchange.checks import CHECK_SIZE, REPLY, REQUEST
from wlnet.protocols.pairs.wire import frame
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import PathKind, Side

_FIRST_PAYLOAD = 0x40
"""First bytes from here on are payloads (RFC 9443: QUIC)."""


class PathSet:
    """One side's paths.

    All times are seconds of any clock that does not go back.

    :param me: our side; the guest decides which path is used.
    :param attempt: its number.
    :param secret: 32 bytes, of the attempt.
    :param ticket: for the relay, as bytes; empty: none.
    :param randbytes: makes so many random bytes nobody can guess.
    :param primer_hops: TTL of primers, or None if it is not known: then none are sent.
    :param duplicates: the layer above removes duplicates (QUIC does), so a payload may go over two paths
        while one of them is suspect.
    :ivar dropped: what was thrown away.
    """

    def __init__(
        self,
        me: Side,
        attempt: int,
        secret: bytes,
        ticket: bytes,
        randbytes: Callable[[int], bytes],
        now: float,
        *,
        primer_hops: int | None = None,
        duplicates: bool = True,
    ) -> None:
        outbox = self._outbox = Outbox()
        self.dropped: Counter[Dropped] = outbox.dropped
        self._duplicates = duplicates
        self._waiting: deque[bytes] = deque()
        self._sockets = Sockets(outbox.wish)
        self._steps = Steps(
            self._sockets, outbox, randbytes, primer_hops, request=self._request, sweep=self._sweep
        )
        self._streams = Streams()
        self._failed = False
        self._closed = False
        self._relay = Relay(ticket, randbytes, self._new_socket, outbox.transmit, self._wish, outbox.say)
        self._usage = Usage(me, outbox, now, check=self._check, moved=self._moved)
        self._paths = Known(
            self._relay,
            outbox,
            in_use=lambda path: path is self._usage.current,
            left=self._usage.left,
            sweep=lambda socket: self._sweep([socket]),
        )
        self._checking = Checking(
            me,
            Guard(me, attempt, secret, now),
            randbytes,
            outbox,
            self._paths,
            self._streams,
            self._usage,
            self._steps,
            put=self._put,
            move=self._move,
        )

    # -- what the owner fetches --------------------------------------------------------------------

    def transmits(self) -> list[Transmit]:
        """Packets to send now, in order. Over a stream *data* is framed already. Fetching them takes them."""
        return self._outbox.take_transmits()

    def wishes(self) -> list[Wish]:
        """Sockets to open before the packets are sent, and to close after that."""
        return self._outbox.take_wishes()

    def events(self) -> list[Event]:
        """What happened."""
        return self._outbox.take_events()

    def delivered(self) -> list[bytes]:
        """Payloads of the peer; order is not kept, and duplicates are possible."""
        return self._outbox.take_delivered()

    @property
    def current(self) -> Path | None:
        """The path payloads take."""
        return self._usage.current

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that are known."""
        return tuple(self._paths)

    # -- what the owner tells ----------------------------------------------------------------------

    def add_plan(self, steps: Iterable[StepOrder], now: float) -> None:
        """A plan (or the next one) arrived."""
        if self._closed:
            return
        for step in steps:
            if self._steps.add(step, now) and step.kind is PathKind.RELAYED:
                self._relay.add(step, now)
        self._failed = False
        self.tick(now)

    def set_ticket(self, ticket: bytes, now: float) -> None:
        """A new ticket for the relay."""
        if not self._closed:
            self._relay.set_ticket(ticket, now)
            self._failed = False
            self.tick(now)

    def send(self, payload: bytes, now: float) -> bool:
        """Send *payload* (first byte from 0x40 on, at most 1400 bytes) to the peer.

        False: it was dropped. Without any path a few are kept for the first one.
        """
        if not payload or len(payload) > limits.MAX_PAYLOAD or payload[0] < _FIRST_PAYLOAD:
            self._outbox.drop(Dropped.TOO_LONG)
            return False
        if self._closed:
            return False
        current = self._usage.current
        if current is None:
            # Before anything is validated the relay may already know us.
            if self._relay.send(payload):
                return True
            self._waiting.append(payload)
            if len(self._waiting) > limits.MAX_WAITING:
                self._waiting.popleft()
                self._outbox.drop(Dropped.WAITING)
            return True
        self._put(current.way, payload)
        if self._duplicates and current.suspect(now):
            second = choice.refuge([path for path in self._paths if path is not current], now)
            if second is not None:
                self._put(second.way, payload)
        return True

    def receive(self, socket: int, data: bytes, source: Endpoint, now: float) -> None:
        """Bytes came to *socket*: a datagram, or a part of a stream."""
        if self._closed or not data:
            return
        if self._relay.owns(socket):
            payloads = self._relay.receive(socket, data, canonical(source), now)
            for payload in payloads:
                self._packet(RELAYED, payload, now)
            if payloads and all(payload[0] >= _FIRST_PAYLOAD for payload in payloads):
                return
            self._follow_relay(now)
        elif socket in self._streams:
            self._stream_data(socket, data, now)
        elif socket in self._sockets.open:
            self._packet(Way(socket, canonical(source)), data, now)
            if data[0] >= _FIRST_PAYLOAD:  # it changes nothing that is chosen from
                return
        self._settle(now)

    def connected(self, socket: int, now: float) -> None:
        """A stream is open."""
        if self._closed:
            return
        if self._relay.owns(socket):
            self._relay.connected(socket, now)
        else:
            connected = self._steps.connected(socket)
            if connected is not None:
                remote, step = connected
                self._streams.add(socket, remote, now)
                self._paths.add(Way(socket, remote), step, now)
        self._settle(now)

    def accepted(self, listener: int, source: Endpoint, now: float) -> int | None:
        """A listener accepted a connection: its number; None: close it."""
        if self._closed or listener not in self._sockets.open:
            return None
        if self._streams.strangers >= limits.MAX_ACCEPTED:
            self._outbox.drop(Dropped.ACCEPTED)
            return None
        number = self._sockets.number()
        if number is None:
            self._outbox.drop(Dropped.SOCKETS)
            return None
        self._streams.add(number, canonical(source), now)
        return number

    def closed(self, socket: int, now: float, *, reset: bool = False) -> None:
        """A socket ended by itself, or could not be opened. *reset*: a connect was refused or reset."""
        if self._relay.owns(socket):
            self._relay.closed(socket, now)
            self._follow_relay(now)
        self._steps.closed(socket, now, reset=reset)
        self._streams.forget(socket)
        self._sockets.forget(socket)
        for path in [path for path in self._paths if path.way.socket == socket and not path.relayed]:
            self._paths.remove(path, now)
        self._settle(now)

    def close(self) -> None:
        """Tell the relay, and close all sockets."""
        if self._closed:
            return
        self._relay.close()
        self._closed = True
        for socket in self._sockets.open:
            self._outbox.wish(Close(socket))
        self._sockets.open.clear()
        self._streams.clear()
        self._steps.clear()
        self._paths.clear()
        self._waiting.clear()
        self._usage.current = self._usage.nominee = None

    # -- time --------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When :meth:`tick` is needed; None: only after something else happened."""
        if self._closed:
            return None
        times = self._steps.deadlines()
        times += self._streams.deadlines()
        for path in self._paths:
            times.append(path.next_check)
            dead_at = path.dead_at()
            if dead_at is not None:
                times.append(dead_at)
        relay = self._relay.next_deadline()
        if relay is not None:
            times.append(relay)
        choice_at = self._usage.deadline(self._paths)
        if choice_at is not None:
            times.append(choice_at)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._closed:
            return
        self._relay.tick(now)
        self._follow_relay(now)
        self._work(now)
        for socket in self._streams.overdue(now):
            self._shut(socket, now)
        for path in list(self._paths):
            dead_at = path.dead_at()
            if dead_at is not None and now >= dead_at:
                self._paths.lose(path, now)
        self._settle(now)
        current = self._usage.current
        if current is not None and current.doubtful(now):
            for path in self._paths:
                path.prove(now)
            # What killed this one (a new address of ours) may have cost us the relay as well.
            self._relay.doubt(now)
        for path in list(self._paths):
            if now >= path.next_check:
                if path.hopeless():
                    self._paths.remove(path, now)
                else:
                    self._checking.check(path, now)
        self._settle(now)

    # -- packets -----------------------------------------------------------------------------------

    def _packet(self, way: Way, data: bytes, now: float) -> None:
        if data[0] in (REQUEST, REPLY) and len(data) == CHECK_SIZE:
            self._checking.judge(way, data, now)
            return
        path = self._paths.get(way)
        if data[0] < _FIRST_PAYLOAD or len(data) > limits.MAX_PAYLOAD:
            self._outbox.drop(Dropped.JUNK)
        elif path is None or not (path.authentic or path.relayed):
            self._outbox.drop(Dropped.STRANGE)
        elif self._outbox.deliver(data) and not path.carried:
            path.carried = True
            self._outbox.say(PathCarried(step=path.step.number))

    def _put(self, way: Way, packet: bytes) -> None:
        if way == RELAYED:
            self._relay.send(packet)
        elif way.remote is not None:
            data = frame(packet) if way.socket in self._streams else packet
            self._outbox.transmit(Transmit(way.socket, data, way.remote))

    # -- streams -----------------------------------------------------------------------------------

    def _stream_data(self, socket: int, data: bytes, now: float) -> None:
        stream = self._streams[socket]
        try:
            frames = stream.frames.feed(data)
        except FrameError:
            self._outbox.drop(Dropped.JUNK)
            self._shut(socket, now)
            return
        for one in frames:
            self._packet(Way(socket, stream.remote), one, now)
            if not stream.shown:  # the first frame is a right check, or this is not our peer
                self._shut(socket, now)
            if socket not in self._streams:
                return

    def _shut(self, socket: int, now: float) -> None:
        if socket in self._sockets.open:
            self._outbox.wish(Close(socket))
            self.closed(socket, now)

    def _sweep(self, sockets: Iterable[int]) -> None:
        """Close those nobody needs any more."""
        needed = self._steps.needed() | {path.way.socket for path in self._paths}
        for socket in sockets:
            if socket not in self._sockets.open or socket in needed or self._sockets.named(socket):
                continue
            if not self._relay.owns(socket):
                self._sockets.forget(socket)
                self._streams.forget(socket)
                self._outbox.wish(Close(socket))

    # -- which path is used ------------------------------------------------------------------------

    def _settle(self, now: float) -> None:
        """Choose again after something happened."""
        if self._closed:
            return
        if self._usage.choose(self._paths, now):
            self._work(now)
        if self._failed or not self._steps:
            return
        if not self._paths and not self._steps.under_way and not self._relay.hopeful:
            self._failed = True
            self._outbox.say(Failed())

    def _move(self, path: Path, reason: MoveReason, now: float) -> None:
        self._usage.move(path, reason, self._paths, now)
        self._work(now)

    def _moved(self, path: Path) -> None:
        while self._waiting:
            self._put(path.way, self._waiting.popleft())

    def _request(self, way: Way, step: int, now: float) -> bytes:
        return self._checking.first(way, step, now)

    def _work(self, now: float) -> None:
        self._steps.work(self._usage.current, self._paths, now)

    def _check(self, path: Path, now: float) -> None:
        self._checking.check(path, now)

    def _follow_relay(self, now: float) -> None:
        if self._paths.follow_relay(now):
            while self._waiting and self._usage.current is None:
                self._relay.send(self._waiting.popleft())

    # -- small things ------------------------------------------------------------------------------

    def _new_socket(self) -> int | None:
        number = self._sockets.number()
        if number is None:
            self._outbox.drop(Dropped.SOCKETS)
        return number

    def _wish(self, wish: Wish) -> None:
        if isinstance(wish, Close):
            self._sockets.forget(wish.socket)
        self._outbox.wish(wish)
