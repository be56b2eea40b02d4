"""Which path payloads take now: the guest chooses and nominates, the host follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wlnet.client.paths import choice, limits
from wlnet.client.paths.outbox import Outbox
from wlnet.client.paths.path import Path
from wlnet.client.paths.words import MoveReason, PathChanged
from wlnet.steering.model import Side


class Usage:
    """The path in use, and the one the guest would like better.

    :param check: sends a check over a path.
    :param moved: told when payloads take another path.
    :ivar current: the path payloads take.
    :ivar nominee: the guest asked the host to move there, and waits for the answer.
    """

    def __init__(
        self,
        me: Side,
        outbox: Outbox,
        now: float,
        *,
        check: Callable[[Path, float], None],
        moved: Callable[[Path], None],
    ) -> None:
        self.current: Path | None = None
        self.nominee: Path | None = None
        self._me = me
        self._outbox = outbox
        self._check = check
        self._moved = moved
        self._nominated_at = now
        self._moved_at = now
        self._played = False

    def deadline(self, paths: Iterable[Path]) -> float | None:
        """When :meth:`choose` may have another answer, if nothing else happens."""
        if self.nominee is not None:
            return self._nominated_at + limits.NOMINATION_TIME
        if self.current is not None and self._me is Side.GUEST:
            return choice.reconsider_at(paths, self.current, self._moved_at)
        return None

    def choose(self, paths: Iterable[Path], now: float) -> bool:
        """Choose again after something happened; True: payloads take another path."""
        nominee = self.nominee
        if nominee is not None and now >= self._nominated_at + limits.NOMINATION_TIME:
            nominee.steady_at = now + min(limits.LONGEST_HOLD, 2.0 ** (nominee.losses + 1))
            nominee.losses += 1
            self.nominee = None
        if self.current is None:
            path = choice.refuge(paths, now)
            if path is not None:
                self.move(path, MoveReason.LOST if self._played else MoveReason.FIRST, paths, now)
                return True
        elif self._me is Side.GUEST and self.nominee is None:
            path = choice.wanted(paths, self.current, self._moved_at, now)
            if path is not None:
                self.nominee = path
                self._nominated_at = now
                self._check(path, now)
        return False

    def move(self, path: Path, reason: MoveReason, paths: Iterable[Path], now: float) -> None:
        """Payloads take *path* from now on."""
        for other in paths:
            if other is not path:
                other.use(False, now)
        self.current = path
        self.nominee = None
        self._played = True
        self._moved_at = now
        path.use(True, now)
        self._moved(path)
        self._outbox.say(
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

    def left(self, path: Path) -> None:
        """That path is lost or forgotten."""
        if path is self.nominee:
            self.nominee = None
        if path is self.current:
            self.current = None
