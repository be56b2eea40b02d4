"""All paths of one attempt with one peer: docs/protocols/paths.md.

The owner of the sockets does what :meth:`PathSet.wishes` says, sends :meth:`PathSet.transmits`, and tells
what arrives; it fetches these, :meth:`PathSet.delivered` and :meth:`PathSet.events` after each call. Nothing
here waits or raises for what comes from the network.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from wlnet.client.paths import choice, limits
from wlnet.client.paths.frames import FrameError, Frames
from wlnet.client.paths.guard import Guard, Origin
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.path import RELAYED, Path, State, Way, rank_of
from wlnet.client.paths.relay import Relay
from wlnet.client.paths.task import Sockets, Task, endpoint, expected_hosts
from wlnet.client.paths.words import (
    Close,
    Event,
    Failed,
    MoveReason,
    PathCarried,
    PathChanged,
    PathLost,
    PathValidated,
    RelayRefused,
    StepFailed,
    Transmit,
    Wish,
)
from wlnet.protocols.exchange.checks import CHECK_SIZE, NONCE_SIZE, REPLY, REQUEST, Check
from wlnet.protocols.pairs.wire import frame
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import PathKind, Side

_FIRST_PAYLOAD = 0x40
"""First bytes from here on are payloads (RFC 9443: QUIC)."""


class _Stream:
    """A connected stream to the peer; *shown* once a right check came over it."""

    __slots__ = ("frames", "remote", "shown", "until")

    def __init__(self, remote: Endpoint, until: float) -> None:
        self.frames = Frames(limits.MAX_PAYLOAD)
        self.remote = remote
        self.until = until
        self.shown = False


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
        self.dropped: Counter[Dropped] = Counter()
        self._me = me
        self._randbytes = randbytes
        self._primer_hops = primer_hops
        self._duplicates = duplicates
        self._guard = Guard(me, attempt, secret, now)
        self._transmits: list[Transmit] = []
        self._wishes: list[Wish] = []
        self._events: list[Event] = []
        self._delivered: list[bytes] = []
        self._waiting: deque[bytes] = deque()
        self._sockets = Sockets(self._wishes.append)
        self._steps: dict[int, StepOrder] = {}
        self._tasks: dict[int, Task] = {}
        self._expected: set[str] = set()
        self._streams: dict[int, _Stream] = {}
        self._paths: dict[Way, Path] = {}
        self._current: Path | None = None
        self._nominee: Path | None = None
        self._nominated_at = now
        self._moved_at = now
        self._played = False
        self._failed = False
        self._closed = False
        self._relay = Relay(
            ticket, randbytes, self._new_socket, self._transmit, self._wish, self._relay_refused
        )

    # -- what the owner fetches --------------------------------------------------------------------

    def transmits(self) -> list[Transmit]:
        """Packets to send now, in order. Over a stream *data* is framed already. Fetching them takes them."""
        taken, self._transmits = self._transmits, []
        return taken

    def wishes(self) -> list[Wish]:
        """Sockets to open before the packets are sent, and to close after that."""
        taken = list(self._wishes)
        self._wishes.clear()
        return taken

    def events(self) -> list[Event]:
        """What happened."""
        taken, self._events = self._events, []
        return taken

    def delivered(self) -> list[bytes]:
        """Payloads of the peer; order is not kept, and duplicates are possible."""
        taken, self._delivered = self._delivered, []
        return taken

    @property
    def current(self) -> Path | None:
        """The path payloads take."""
        return self._current

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that are known."""
        return tuple(self._paths.values())

    # -- what the owner tells ----------------------------------------------------------------------

    def add_plan(self, steps: Iterable[StepOrder], now: float) -> None:
        """A plan (or the next one) arrived."""
        if self._closed:
            return
        for step in steps:
            if step.number in self._steps:
                continue
            if len(self._steps) >= limits.MAX_STEPS:
                self._drop(Dropped.STEPS)
                continue
            self._steps[step.number] = step
            if step.kind is PathKind.RELAYED:
                self._relay.add(step, now)
            else:
                primers = self._primer_hops is not None
                task = Task(step, self._sockets, now, self._randbytes, primers=primers)
                self._tasks[step.number] = task
        self._expected |= expected_hosts(list(self._tasks.values()))
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
            self._drop(Dropped.TOO_LONG)
            return False
        if self._closed:
            return False
        current = self._current
        if current is None:
            # Before anything is validated the relay may already know us.
            if self._relay.send(payload):
                return True
            self._waiting.append(payload)
            if len(self._waiting) > limits.MAX_WAITING:
                self._waiting.popleft()
                self._drop(Dropped.WAITING)
            return True
        self._put(current.way, payload)
        if self._duplicates and current.suspect(now):
            second = choice.best([path for path in self._paths.values() if path is not current])
            if second is not None:
                self._put(second.way, payload)
        return True

    def receive(self, socket: int, data: bytes, source: Endpoint, now: float) -> None:
        """Bytes came to *socket*: a datagram, or a part of a stream."""
        if self._closed or not data:
            return
        if self._relay.owns(socket):
            payloads = self._relay.receive(socket, data, _canonical(source), now)
            for payload in payloads:
                self._packet(RELAYED, payload, now)
            if payloads and all(payload[0] >= _FIRST_PAYLOAD for payload in payloads):
                return
            self._relay_path(now)
        elif socket in self._streams:
            self._stream_data(socket, data, now)
        elif socket in self._sockets.open:
            self._packet(Way(socket, _canonical(source)), data, now)
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
            for task in self._tasks.values():
                remote = task.remote(socket)
                if remote is not None:
                    task.connected(socket)
                    self._streams[socket] = _Stream(remote, now + limits.ACCEPT_TIME)
                    self._new_path(Way(socket, remote), task.step, now)
                    break
        self._settle(now)

    def accepted(self, listener: int, source: Endpoint, now: float) -> int | None:
        """A listener accepted a connection: its number; None: close it."""
        strangers = sum(not stream.shown for stream in self._streams.values())
        if self._closed or listener not in self._sockets.open:
            return None
        if strangers >= limits.MAX_ACCEPTED:
            self._drop(Dropped.ACCEPTED)
            return None
        number = self._sockets.number()
        if number is None:
            self._drop(Dropped.SOCKETS)
            return None
        self._streams[number] = _Stream(_canonical(source), now + limits.ACCEPT_TIME)
        return number

    def closed(self, socket: int, now: float, *, reset: bool = False) -> None:
        """A socket ended by itself, or could not be opened. *reset*: a connect was refused or reset."""
        if self._relay.owns(socket):
            self._relay.closed(socket, now)
            self._relay_path(now)
        for task in self._tasks.values():
            if socket in task.sockets:
                task.closed(socket, now, reset=reset)
        self._streams.pop(socket, None)
        self._sockets.forget(socket)
        for path in [path for path in self._paths.values() if path.way.socket == socket and not path.relayed]:
            self._remove(path, now)
        self._settle(now)

    def close(self) -> None:
        """Tell the relay, and close all sockets."""
        if self._closed:
            return
        self._relay.close()
        self._closed = True
        self._wishes += [Close(socket) for socket in self._sockets.open]
        self._sockets.open.clear()
        self._streams.clear()
        self._tasks.clear()
        self._paths.clear()
        self._waiting.clear()
        self._current = self._nominee = None

    # -- time --------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When :meth:`tick` is needed; None: only after something else happened."""
        if self._closed:
            return None
        times = [task.next_deadline() for task in self._tasks.values()]
        times += [stream.until for stream in self._streams.values() if not stream.shown]
        for path in self._paths.values():
            times.append(path.next_check)
            dead_at = path.dead_at()
            if dead_at is not None:
                times.append(dead_at)
        relay = self._relay.next_deadline()
        if relay is not None:
            times.append(relay)
        if self._nominee is not None:
            times.append(self._nominated_at + limits.NOMINATION_TIME)
        elif self._current is not None and self._me is Side.GUEST:
            at = choice.reconsider_at(self._paths.values(), self._current, self._moved_at)
            if at is not None:
                times.append(at)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._closed:
            return
        self._relay.tick(now)
        self._relay_path(now)
        for task in list(self._tasks.values()):
            self._work(task, now)
        for socket, stream in list(self._streams.items()):
            if not stream.shown and now >= stream.until:
                self._shut(socket, now)
        for path in list(self._paths.values()):
            dead_at = path.dead_at()
            if dead_at is not None and now >= dead_at:
                self._lose(path, now)
        self._settle(now)
        for path in list(self._paths.values()):
            if now >= path.next_check:
                if path.hopeless():
                    self._remove(path, now)
                else:
                    self._check(path, now)
        self._settle(now)

    def _work(self, task: Task, now: float) -> None:
        step = task.step
        if self._current is not None and not (rank_of(step) < self._current.rank):
            if self._current.step.number != step.number:
                self._end_task(task, "a path as good or better is in use")
            else:
                self._end_task(task, "")
            return
        if now >= task.gives_up:
            carried = any(path.alive and path.step.number == step.number for path in self._paths.values())
            self._end_task(task, "" if carried else "nothing came back in time")
            return
        for shot in task.due(now) if now >= task.next_deadline() else ():
            way = Way(shot.socket, shot.target)
            nonce = self._randbytes(NONCE_SIZE)
            packet = self._guard.request(way, step.number, nonce, now, nominated=False)
            hops = self._primer_hops if shot.primer else None
            self._transmit(Transmit(shot.socket, packet, shot.target, hops))

    def _end_task(self, task: Task, detail: str) -> None:
        task.satisfied()
        del self._tasks[task.step.number]
        if detail:
            self._say(StepFailed(step=task.step.number, detail=detail))
        self._sweep(task.sockets)

    # -- packets -----------------------------------------------------------------------------------

    def _packet(self, way: Way, data: bytes, now: float) -> None:
        path = self._paths.get(way)
        if data[0] in (REQUEST, REPLY) and len(data) == CHECK_SIZE:
            self._judge(way, path, data, now)
        elif data[0] < _FIRST_PAYLOAD or len(data) > limits.MAX_PAYLOAD:
            self._drop(Dropped.JUNK)
        elif path is None or not (path.authentic or path.relayed):
            self._drop(Dropped.STRANGE)
        elif len(self._delivered) >= limits.MAX_DELIVERED:
            self._drop(Dropped.DELIVERED)
        else:
            self._delivered.append(data)
            if not path.carried:
                path.carried = True
                self._say(PathCarried(step=path.step.number))

    def _judge(self, way: Way, path: Path | None, data: bytes, now: float) -> None:
        if path is not None:
            origin = Origin.KNOWN
        else:
            remote = way.remote
            expected = remote is not None and remote.host in self._expected
            origin = Origin.EXPECTED if expected else Origin.STRANGE
        check = self._guard.judge(data, origin, now)
        if isinstance(check, Dropped):
            self._drop(check)
        elif check.reply:
            self._replied(way, check, now)
        else:
            self._requested(way, path, check, now)

    def _requested(self, way: Way, path: Path | None, check: Check, now: float) -> None:
        step = self._steps.get(check.step)
        if path is None:
            if step is None or step.kind is PathKind.RELAYED:
                self._drop(Dropped.UNKNOWN_STEP)
                return
            path = self._new_path(way, step, now)
        elif path.state is not State.ALIVE:
            path.hurry(now)
        followed = False
        if path is not None:
            path.authentic = True
            if check.nominated and self._me is Side.HOST and path.alive:
                followed = True
                if path is not self._current:
                    self._move(path, MoveReason.PEER if self._current is not None else MoveReason.FIRST, now)
        stream = self._streams.get(way.socket)
        if stream is not None:
            stream.shown = True
        self._put(way, self._guard.reply(check, nominated=followed))

    def _replied(self, way: Way, check: Check, now: float) -> None:
        request = self._guard.answered(check, way)
        if request is None:
            self._drop(Dropped.UNEXPECTED_REPLY)
            return
        path = self._paths.get(way)
        if path is None:
            step = self._steps.get(request.step)
            path = self._new_path(way, step, now) if step is not None else None
            if path is None:
                return
        stream = self._streams.get(way.socket)
        if stream is not None:
            stream.shown = True
        if path.answered(request.at, now):
            self._validated(path)
        if check.nominated and path is self._nominee:
            self._nominee = None
            self._move(path, MoveReason.BETTER, now)
        elif path is self._nominee:  # the host has no reply of its own yet; ask again soon
            path.next_check = min(path.next_check, now + limits.PROBE_INTERVAL)

    def _validated(self, path: Path) -> None:
        task = self._tasks.get(path.step.number)
        if task is not None:
            task.satisfied()
        self._say(
            PathValidated(
                step=path.step.number,
                kind=path.step.kind,
                technique=path.step.technique,
                transport=path.step.transport,
                family=path.step.family,
                rtt=path.rtt or 0.0,
                socket=path.way.socket,
                remote=path.way.remote,
            )
        )

    def _check(self, path: Path, now: float) -> None:
        """Send a request over *path*."""
        nonce = self._randbytes(NONCE_SIZE)
        nominated = self._me is Side.GUEST and path is (self._nominee or self._current)
        packet = self._guard.request(path.way, path.step.number, nonce, now, nominated=nominated)
        self._put(path.way, packet)
        path.sent(now)
        if path is self._nominee:
            path.next_check = min(path.next_check, now + limits.PROBE_INTERVAL)

    def _put(self, way: Way, packet: bytes) -> None:
        if way == RELAYED:
            self._relay.send(packet)
        elif way.remote is not None:
            data = frame(packet) if way.socket in self._streams else packet
            self._transmit(Transmit(way.socket, data, way.remote))

    # -- streams -----------------------------------------------------------------------------------

    def _stream_data(self, socket: int, data: bytes, now: float) -> None:
        stream = self._streams[socket]
        try:
            frames = stream.frames.feed(data)
        except FrameError:
            self._drop(Dropped.JUNK)
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
            self._wishes.append(Close(socket))
            self.closed(socket, now)

    # -- paths -------------------------------------------------------------------------------------

    def _new_path(self, way: Way, step: StepOrder, now: float) -> Path | None:
        if len(self._paths) >= limits.MAX_PATHS:
            # One that does not work makes room, the relay and those that do never.
            idle = [path for path in self._paths.values() if not path.alive and not path.relayed]
            if not idle:
                self._drop(Dropped.PATHS)
                return None
            self._drop(Dropped.PATHS)
            self._remove(max(idle, key=lambda path: (path.rank, path.tries)), now)
        path = Path(way, step, now)
        self._paths[way] = path
        return path

    def _relay_path(self, now: float) -> None:
        """The relayed path follows what the relay says."""
        step = self._relay.step
        path = self._paths.get(RELAYED)
        if step is None:
            if path is not None and not self._relay.hopeful:
                self._remove(path, now)
            elif path is not None and path.alive:
                self._lose(path, now)
            return
        if path is None:
            path = Path(RELAYED, step, now)
            self._paths[RELAYED] = path
        elif path.step is not step:
            path.serve(step)
            path.carried = False
        if path.state is State.LOST:
            path.reset(now)
        while self._waiting and self._current is None:
            self._relay.send(self._waiting.popleft())

    def _lose(self, path: Path, now: float) -> None:
        path.lose(now)
        self._say(
            PathLost(
                step=path.step.number,
                kind=path.step.kind,
                technique=path.step.technique,
                current=path is self._current,
                retried=True,
            )
        )
        if path.relayed:
            self._relay.doubt(now)
            path.reset(now)
        self._left(path)

    def _remove(self, path: Path, now: float) -> None:
        if self._paths.pop(path.way, None) is None:
            return
        if path.alive:
            path.lose(now)
            self._say(
                PathLost(
                    step=path.step.number,
                    kind=path.step.kind,
                    technique=path.step.technique,
                    current=path is self._current,
                    retried=False,
                )
            )
        self._left(path)
        self._sweep({path.way.socket})

    def _left(self, path: Path) -> None:
        if path is self._nominee:
            self._nominee = None
        if path is self._current:
            self._current = None

    def _sweep(self, sockets: Iterable[int]) -> None:
        """Close those nobody needs any more."""
        needed = {path.way.socket for path in self._paths.values()}
        for task in self._tasks.values():
            needed |= task.sockets
        for socket in sockets:
            if socket not in self._sockets.open or socket in needed or self._sockets.named(socket):
                continue
            if not self._relay.owns(socket):
                self._sockets.forget(socket)
                self._streams.pop(socket, None)
                self._wishes.append(Close(socket))

    # -- which one is used -------------------------------------------------------------------------

    def _settle(self, now: float) -> None:
        """Choose again after something happened."""
        if self._closed:
            return
        if self._nominee is not None and now >= self._nominated_at + limits.NOMINATION_TIME:
            self._nominee.steady_at = now + min(limits.LONGEST_HOLD, 2.0 ** (self._nominee.losses + 1))
            self._nominee.losses += 1
            self._nominee = None
        if self._current is None:
            path = choice.best(self._paths.values())
            if path is not None:
                self._move(path, MoveReason.LOST if self._played else MoveReason.FIRST, now)
        elif self._me is Side.GUEST and self._nominee is None:
            path = choice.wanted(self._paths.values(), self._current, self._moved_at, now)
            if path is not None:
                self._nominee = path
                self._nominated_at = now
                self._check(path, now)
        self._check_failed()

    def _move(self, path: Path, reason: MoveReason, now: float) -> None:
        for other in self._paths.values():
            if other is not path:
                other.use(False, now)
        self._current = path
        self._nominee = None
        self._played = True
        self._moved_at = now
        path.use(True, now)
        while self._waiting:
            self._put(path.way, self._waiting.popleft())
        self._say(
            PathChanged(
                step=path.step.number,
                kind=path.step.kind,
                technique=path.step.technique,
                transport=path.step.transport,
                family=path.step.family,
                rtt=path.rtt or 0.0,
                reason=reason,
            )
        )
        if self._me is Side.GUEST and reason is not MoveReason.BETTER:
            self._check(path, now)  # tells the host
        for task in list(self._tasks.values()):
            self._work(task, now)

    def _check_failed(self) -> None:
        if self._failed or not self._steps:
            return
        if not self._paths and not self._tasks and not self._relay.hopeful:
            self._failed = True
            self._say(Failed())

    # -- small things ------------------------------------------------------------------------------

    def _relay_refused(self, refused: RelayRefused) -> None:
        self._say(refused)

    def _new_socket(self) -> int | None:
        number = self._sockets.number()
        if number is None:
            self._drop(Dropped.SOCKETS)
        return number

    def _wish(self, wish: Wish) -> None:
        if isinstance(wish, Close):
            self._sockets.forget(wish.socket)
        self._wishes.append(wish)

    def _transmit(self, transmit: Transmit) -> None:
        if len(self._transmits) >= limits.MAX_TRANSMITS:
            self._drop(Dropped.TRANSMITS)
            return
        self._transmits.append(transmit)

    def _say(self, event: Event) -> None:
        if len(self._events) >= limits.MAX_EVENTS:
            self._drop(Dropped.EVENTS)
            return
        self._events.append(event)

    def _drop(self, dropped: Dropped) -> None:
        self.dropped[dropped] += 1


def _canonical(source: Endpoint) -> Endpoint:
    if ":" not in source[0]:
        return Endpoint(*source)
    try:
        return endpoint(source[0], source[1])
    except ValueError:
        return Endpoint(*source)
