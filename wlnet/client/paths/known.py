"""The paths that are known: they come with a packet or a connection, are lost, recover, and are forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wlnet.client.paths import limits
from wlnet.client.paths.limits import Dropped
from wlnet.client.paths.outbox import Outbox
from wlnet.client.paths.path import RELAYED, Path, State, Way
from wlnet.client.paths.relay import Relay
from wlnet.client.paths.words import PathLost
from wlnet.rendezvous.events import StepOrder


class Known:
    """All of an attempt.

    :param in_use: whether payloads take that path.
    :param left: told of a path that is lost or forgotten.
    :param sweep: told of a socket a forgotten path needs no more.
    """

    def __init__(
        self,
        relay: Relay,
        outbox: Outbox,
        *,
        in_use: Callable[[Path], bool],
        left: Callable[[Path], None],
        sweep: Callable[[int], None],
    ) -> None:
        self._relay = relay
        self._outbox = outbox
        self._in_use = in_use
        self._left = left
        self._sweep = sweep
        self._paths: dict[Way, Path] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Path]:
        return iter(self._paths.values())

    def get(self, way: Way) -> Path | None:
        """The path of that way."""
        return self._paths.get(way)

    def clear(self) -> None:
        """Forget all."""
        self._paths.clear()

    def add(self, way: Way, step: StepOrder, now: float) -> Path | None:
        """A path of *step*; None: there are too many that work."""
        if len(self._paths) >= limits.MAX_PATHS:
            # One that does not work makes room, the relay and those that do never.
            idle = [path for path in self if not path.alive and not path.relayed]
            if not idle:
                self._outbox.drop(Dropped.PATHS)
                return None
            self._outbox.drop(Dropped.PATHS)
            self.remove(max(idle, key=lambda path: (path.rank, path.tries)), now)
        path = Path(way, step, now)
        self._paths[way] = path
        return path

    def follow_relay(self, now: float) -> bool:
        """The relayed path follows what the relay says; True: the relay is bound."""
        step = self._relay.step
        path = self._paths.get(RELAYED)
        if step is None:
            if path is not None and not self._relay.hopeful:
                self.remove(path, now)
            elif path is not None and path.alive:
                self.lose(path, now)
            return False
        if path is None:
            path = Path(RELAYED, step, now)
            self._paths[RELAYED] = path
        elif path.step is not step:
            path.serve(step)
            path.carried = False
        if path.state is State.LOST:
            path.reset(now)
        return True

    def lose(self, path: Path, now: float) -> None:
        """It does not work any more; it is checked now and then."""
        path.lose(now)
        self._say_lost(path, retried=True)
        if path.relayed:
            self._relay.doubt(now)
            path.reset(now)
        self._left(path)

    def remove(self, path: Path, now: float) -> None:
        """Forget it."""
        if self._paths.pop(path.way, None) is None:
            return
        if path.alive:
            path.lose(now)
            self._say_lost(path, retried=False)
        self._left(path)
        self._sweep(path.way.socket)

    def _say_lost(self, path: Path, *, retried: bool) -> None:
        self._outbox.say(
            PathLost(
                step=path.step.number,
                kind=path.step.kind,
                technique=path.step.technique,
                current=self._in_use(path),
                retried=retried,
            )
        )
