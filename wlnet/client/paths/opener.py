"""The sending part of a step over UDP: what goes from which socket where, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from wlnet.client.paths import limits
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.orders import Order

_LOWEST, _HIGHEST = 1024, 65535
_LAG = 1.0
_DRAWS = 4


class Shot(NamedTuple):
    """One packet; *primer*: with a short TTL."""

    socket: int
    target: Endpoint
    primer: bool = False


def sprayed(count: int, randbytes: Callable[[int], bytes]) -> list[int]:
    """*count* different random ports."""
    span = _HIGHEST - _LOWEST + 1
    ports: dict[int, None] = {}
    for _ in range(_DRAWS * count):  # a bound, should the source of randomness be a bad one
        if len(ports) >= count:
            break
        ports[_LOWEST + int.from_bytes(randbytes(4), "big") % span] = None
    return list(ports)


class Opener:
    """Executes one order. A round goes over all targets, and with each target over all sockets.

    :param arrived: when the plan came; starts count from it.
    :param primers: a TTL for primers is known.
    """

    def __init__(
        self,
        order: Order,
        sockets: Sequence[int],
        targets: Sequence[Endpoint],
        arrived: float,
        randbytes: Callable[[int], bytes],
        *,
        primers: bool,
    ) -> None:
        if order.spray:
            ports = sprayed(min(order.spray, limits.MAX_SHOTS), randbytes)
            self._shots = [Shot(sockets[0], Endpoint(targets[0].host, port)) for port in ports]
        else:
            every = [Shot(socket, target) for target in targets for socket in sockets]
            self._shots = every[: limits.MAX_SHOTS]
        self._order = order
        self._budget = min(order.budget, limits.MAX_BUDGET)
        self._place = 0
        self._round_at = arrived + order.start + order.primer
        self._next: float | None = self._round_at
        self._primer_at: float | None = None
        self._primed = 0
        if primers and order.primer > 0 and not order.spray:
            self._primer_at = arrived + order.start
        if not self._shots:
            self.stop()

    def stop(self) -> None:
        """Send nothing more."""
        self._next = self._primer_at = None

    def next_deadline(self) -> float | None:
        """When :meth:`due` is to be asked; None: never again."""
        return self._next if self._primer_at is None else self._primer_at

    def due(self, now: float) -> list[Shot]:
        """What is to be sent now, at most :data:`limits.MAX_AT_ONCE`."""
        shots: list[Shot] = []
        if self._primer_at is not None:
            if now < self._primer_at:
                return shots
            primed = self._shots[self._primed : self._primed + limits.MAX_AT_ONCE]
            shots += [shot._replace(primer=True) for shot in primed]
            self._primed += len(primed)
            self._budget -= len(primed)
            again = now + limits.PRIMER_PAUSE
            more = self._primed < len(self._shots) and again < self._round_at
            self._primer_at = again if more else None
        while self._next is not None and self._next <= now and len(shots) < limits.MAX_AT_ONCE:
            if self._budget <= 0:
                self._next = None
                break
            self._budget -= 1
            shots.append(self._shots[self._place])
            self._next = self._after(self._next, now)
        return shots

    def _after(self, at: float, now: float) -> float | None:
        """When the packet after the one of *at* is due."""
        at += self._order.pacing
        self._place += 1
        if self._place == len(self._shots):
            self._place = 0
            if self._order.repeat <= 0 or self._order.spray:
                return None
            self._round_at = at = max(at, self._round_at + self._order.repeat)
        if at < now - _LAG:  # the machine slept; what was missed is not made up for
            self._round_at += now - at
            return now
        return at
