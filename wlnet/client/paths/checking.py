"""Checks between the peers: requests sent and answered, and what a right one means for its path."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.paths import limits
from wlnet.client.paths.guard import Guard, Origin
from wlnet.client.paths.known import Known
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.outbox import Outbox
from wlnet.client.paths.path import Path, State, Way
from wlnet.client.paths.steps import Steps
from wlnet.client.paths.streams import Streams
from wlnet.client.paths.usage import Usage
from wlnet.client.paths.words import MoveReason, PathValidated
from wlnet.protocols.exchange.checks import NONCE_SIZE, Check
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import PathKind, Side


class Checking:
    """The checks of an attempt.

    :param put: sends a packet on a way.
    :param move: payloads are to take that path.
    """

    def __init__(
        self,
        me: Side,
        guard: Guard,
        randbytes: Callable[[int], bytes],
        outbox: Outbox,
        paths: Known,
        streams: Streams,
        usage: Usage,
        steps: Steps,
        *,
        put: Callable[[Way, bytes], None],
        move: Callable[[Path, MoveReason, float], None],
    ) -> None:
        self._me = me
        self._guard = guard
        self._randbytes = randbytes
        self._outbox = outbox
        self._paths = paths
        self._streams = streams
        self._usage = usage
        self._steps = steps
        self._put = put
        self._move = move

    def first(self, way: Way, step: int, now: float) -> bytes:
        """A request for where no path is known yet."""
        return self._guard.request(way, step, self._randbytes(NONCE_SIZE), now, nominated=False)

    def check(self, path: Path, now: float) -> None:
        """Send a request over *path*."""
        usage = self._usage
        nonce = self._randbytes(NONCE_SIZE)
        nominated = self._me is Side.GUEST and path is (usage.nominee or usage.current)
        packet = self._guard.request(path.way, path.step.number, nonce, now, nominated=nominated)
        self._put(path.way, packet)
        path.sent(now)
        if path is usage.nominee:
            path.next_check = min(path.next_check, now + limits.PROBE_INTERVAL)

    def judge(self, way: Way, data: bytes, now: float) -> None:
        """A packet that may be a check came by *way*."""
        path = self._paths.get(way)
        origin = Origin.KNOWN
        if path is None:
            origin = Origin.EXPECTED if self._steps.expects(way) else Origin.STRANGE
        check = self._guard.judge(data, origin, now)
        if isinstance(check, Dropped):
            self._outbox.drop(check)
        elif check.reply:
            self._replied(way, check, now)
        else:
            self._requested(way, path, check, now)

    def _requested(self, way: Way, path: Path | None, check: Check, now: float) -> None:
        step = self._steps.get(check.step)
        if path is None:
            if step is None or step.kind is PathKind.RELAYED:
                self._outbox.drop(Dropped.UNKNOWN_STEP)
                return
            path = self._paths.add(way, step, now)
        else:
            if self._me is Side.HOST and step is not None and step is not path.step:
                self._agree(path, step)
            if path.state is not State.ALIVE:
                path.hurry(now)
        followed = False
        if path is not None:
            path.authentic = True
            if check.nominated and self._me is Side.HOST and path.alive:
                followed = True
                current = self._usage.current
                if path is not current:
                    self._move(path, MoveReason.PEER if current is not None else MoveReason.FIRST, now)
        self._streams.show(way.socket)
        self._put(way, self._guard.reply(check, nominated=followed))

    def _agree(self, path: Path, step: StepOrder) -> None:
        """Two steps met in one path: both sides tell the rendezvous of the guest's."""
        if not path.relayed and step.kind is not PathKind.RELAYED:
            path.serve(step)
            path.carried = False

    def _replied(self, way: Way, check: Check, now: float) -> None:
        request = self._guard.answered(check, way)
        if request is None:
            self._outbox.drop(Dropped.UNEXPECTED_REPLY)
            return
        path = self._paths.get(way)
        if path is None:
            step = self._steps.get(request.step)
            path = self._paths.add(way, step, now) if step is not None else None
            if path is None:
                return
        self._streams.show(way.socket)
        if path.answered(request.at, now):
            self._validated(path)
        nominated = path is self._usage.nominee
        if check.nominated and nominated:
            self._usage.nominee = None
            self._move(path, MoveReason.BETTER, now)
        elif nominated:  # the host has no reply of its own yet; ask again soon
            path.next_check = min(path.next_check, now + limits.PROBE_INTERVAL)

    def _validated(self, path: Path) -> None:
        self._steps.satisfied(path.step.number)
        self._outbox.say(
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
