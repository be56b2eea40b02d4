"""The steps of all plans on our side: ordered, under way, done with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wlnet.client.paths import limits
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.outbox import Outbox
from wlnet.client.paths.path import Path, Way, rank_of
from wlnet.client.paths.task import Sockets, Task, expected_hosts
from wlnet.client.paths.words import StepFailed, Transmit
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import PathKind


class Steps:
    """All of an attempt. Those over the relay are only known here.

    :param primer_hops: TTL of primers, or None: none are sent.
    :param request: makes a check for a way and a step.
    :param sweep: told of sockets a step needs no more.
    """

    def __init__(
        self,
        sockets: Sockets,
        outbox: Outbox,
        randbytes: Callable[[int], bytes],
        primer_hops: int | None,
        *,
        request: Callable[[Way, int, float], bytes],
        sweep: Callable[[Iterable[int]], None],
    ) -> None:
        self._sockets = sockets
        self._outbox = outbox
        self._randbytes = randbytes
        self._primer_hops = primer_hops
        self._request = request
        self._sweep = sweep
        self._ordered: dict[int, StepOrder] = {}
        self._tasks: dict[int, Task] = {}
        self._expected: set[str] = set()

    def __bool__(self) -> bool:
        """Any was ordered."""
        return bool(self._ordered)

    @property
    def under_way(self) -> bool:
        """Something may still come of one."""
        return bool(self._tasks)

    def get(self, number: int) -> StepOrder | None:
        """The step of that number."""
        return self._ordered.get(number)

    def expects(self, way: Way) -> bool:
        """A plan names the address of the far end."""
        return way.remote is not None and way.remote.host in self._expected

    def add(self, step: StepOrder, now: float) -> bool:
        """One more is ordered; False: it is known, or there are too many."""
        if step.number in self._ordered:
            return False
        if len(self._ordered) >= limits.MAX_STEPS:
            self._outbox.drop(Dropped.STEPS)
            return False
        self._ordered[step.number] = step
        if step.kind is not PathKind.RELAYED:
            primers = self._primer_hops is not None
            task = Task(step, self._sockets, now, self._randbytes, primers=primers)
            self._tasks[step.number] = task
            self._expected |= expected_hosts([task])
        return True

    def clear(self) -> None:
        """None is under way any more."""
        self._tasks.clear()

    def satisfied(self, number: int) -> None:
        """A path of that step works."""
        task = self._tasks.get(number)
        if task is not None:
            task.satisfied()

    # -- sockets -----------------------------------------------------------------------------------

    def needed(self) -> set[int]:
        """Sockets of those under way."""
        return set().union(*(task.sockets for task in self._tasks.values()))

    def connected(self, socket: int) -> tuple[Endpoint, StepOrder] | None:
        """A connect came through: where to, and for which step; None: for none."""
        for task in self._tasks.values():
            remote = task.remote(socket)
            if remote is not None:
                task.connected(socket)
                return remote, task.step
        return None

    def closed(self, socket: int, now: float, *, reset: bool) -> None:
        """A socket ended by itself."""
        for task in self._tasks.values():
            if socket in task.sockets:
                task.closed(socket, now, reset=reset)

    # -- time --------------------------------------------------------------------------------------

    def deadlines(self) -> list[float]:
        """When :meth:`work` has something to do."""
        return [task.next_deadline() for task in self._tasks.values()]

    def work(self, current: Path | None, paths: Iterable[Path], now: float) -> None:
        """Do what is due for each, and end those nothing will come of or that are not needed.

        :param current: the path in use.
        """
        for task in list(self._tasks.values()):
            self._work(task, current, paths, now)

    def _work(self, task: Task, current: Path | None, paths: Iterable[Path], now: float) -> None:
        step = task.step
        if current is not None and not (rank_of(step) < current.rank):
            better = current.step.number != step.number
            self._end(task, "a path as good or better is in use" if better else "")
            return
        if now >= task.gives_up:
            carried = any(path.alive and path.step.number == step.number for path in paths)
            self._end(task, "" if carried else "nothing came back in time")
            return
        for shot in task.due(now) if now >= task.next_deadline() else ():
            packet = self._request(Way(shot.socket, shot.target), step.number, now)
            hops = self._primer_hops if shot.primer else None
            self._outbox.transmit(Transmit(shot.socket, packet, shot.target, hops))

    def _end(self, task: Task, detail: str) -> None:
        task.satisfied()
        del self._tasks[task.step.number]
        if detail:
            self._outbox.say(StepFailed(step=task.step.number, detail=detail))
        self._sweep(task.sockets)
