"""A step of the plan under way on our side: its sockets, what it sends or connects, and its deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from wlnet.client.paths import limits
from wlnet.client.paths.opener import Opener, Shot, sprayed
from wlnet.client.paths.words import Listen, OpenDatagram, OpenStream, Wish
from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import Family, Transport
from wlnet.steering.orders import Act, SocketRule


def endpoint(address: str, port: int) -> Endpoint:
    """Canonical, so that it compares equal to where packets come from.

    :raises ValueError: it is no IP literal.
    """
    return Endpoint(str(parse_address(address)), port)


@lru_cache(maxsize=512)
def canonical(source: Endpoint) -> Endpoint:
    """Where a packet came from, likewise; as it is if the system writes it in a way of its own."""
    if ":" not in source[0]:
        return Endpoint(*source)
    try:
        return endpoint(source[0], source[1])
    except ValueError:
        return Endpoint(*source)


def targets_of(step: StepOrder) -> list[Endpoint]:
    """Where the step sends, without what is no address."""
    found: list[Endpoint] = []
    for target in step.order.targets[: limits.MAX_TARGETS]:
        try:
            found.append(endpoint(target.address, target.port))
        except ValueError:
            continue
    return found


class Sockets:
    """Numbers of sockets; those bound to a port the plan names are shared by the steps that name it."""

    def __init__(self, wish: Callable[[Wish], None]) -> None:
        self.wish = wish
        self.open: dict[int, tuple[Transport, Family, int] | None] = {}
        self._named: dict[tuple[Transport, Family, int], int] = {}
        self._last = 0

    def number(self) -> int | None:
        """A free number; None if there are :data:`limits.MAX_SOCKETS`."""
        if len(self.open) >= limits.MAX_SOCKETS:
            return None
        self._last += 1
        self.open[self._last] = None
        return self._last

    def datagram(self, family: Family, port: int) -> int | None:
        """A UDP socket; the one of *port* if that is not 0."""
        return self._get((Transport.UDP, family, port), lambda number: OpenDatagram(number, family, port))

    def listener(self, family: Family, port: int, group: int) -> int | None:
        """A listening socket, likewise."""
        return self._get((Transport.TCP, family, port), lambda number: Listen(number, family, port, group))

    def _get(self, key: tuple[Transport, Family, int], make: Callable[[int], Wish]) -> int | None:
        if key[2] and key in self._named:
            return self._named[key]
        number = self.number()
        if number is not None:
            if key[2]:
                self._named[key] = number
                self.open[number] = key
            self.wish(make(number))
        return number

    def named(self, number: int) -> bool:
        """It is bound to a port the plan names; later plans may name it again."""
        return self.open.get(number) is not None

    def forget(self, number: int) -> None:
        """That socket is closed."""
        key = self.open.pop(number, None)
        if key is not None:
            self._named.pop(key, None)


class Task:
    """One step.

    :ivar sockets: numbers of the sockets it needs open.
    :ivar gives_up: when nothing will come of it any more.
    """

    def __init__(
        self,
        step: StepOrder,
        sockets: Sockets,
        arrived: float,
        randbytes: Callable[[int], bytes],
        *,
        primers: bool,
    ) -> None:
        order = step.order
        self.step = step
        self.sockets: set[int] = set()
        self.gives_up = arrived + order.start + order.primer + step.deadline
        self.targets = targets_of(step)
        self._pool = sockets
        self._family = step.family or Family.V4
        self._begins: float | None = arrived + order.start
        self._arrived = arrived
        self._randbytes = randbytes
        self._primers = primers
        self._opener: Opener | None = None
        self._dials: dict[int, tuple[Endpoint, int]] = {}
        self._redial: list[tuple[float, Endpoint, int]] = []
        self._budget = min(order.budget, limits.MAX_BUDGET)

    @property
    def _tcp(self) -> bool:
        return self.step.transport is Transport.TCP

    @property
    def begun(self) -> bool:
        """It has opened its sockets."""
        return self._begins is None

    def next_deadline(self) -> float:
        """When :meth:`due` is to be asked."""
        times = [self.gives_up]
        if self._begins is not None:
            # Sockets open now: who is awaited may come early, and opening takes the system a moment.
            return self._arrived
        if self._opener is not None:
            at = self._opener.next_deadline()
            if at is not None:
                times.append(at)
        times += [one[0] for one in self._redial]
        return min(times)

    def due(self, now: float) -> list[Shot]:
        """Open what is to be opened, and say which packets are to be sent."""
        if self._begins is not None:
            self._begin(self._begins)
            self._begins = None
        if self._redial:
            later = [one for one in self._redial if one[0] > now]
            ready = [one for one in self._redial if one[0] <= now]
            self._redial = later
            for _, target, group in ready:
                self._dial(target, group)
        return self._opener.due(now) if self._opener is not None else []

    def satisfied(self) -> None:
        """A path was found: nothing more needs to be sent or dialled."""
        if self._opener is not None:
            self._opener.stop()
        self._redial = []

    def closed(self, socket: int, now: float, *, reset: bool) -> None:
        """One of its sockets is gone; a connect that was reset is repeated."""
        self.sockets.discard(socket)
        dial = self._dials.pop(socket, None)
        again = self.step.order.reset_retry
        if dial is not None and reset and again > 0 and self._budget > 0:
            self._redial.append((now + again, *dial))

    def connected(self, socket: int) -> None:
        """A connect came through: what happens to it later is no reset of the network."""
        self._dials.pop(socket, None)

    def remote(self, socket: int) -> Endpoint | None:
        """Where *socket* connects to, if it is a connect of this step."""
        dial = self._dials.get(socket)
        return dial[0] if dial is not None else None

    # -- opening ---------------------------------------------------------------------------------

    def _begin(self, at: float) -> None:
        order = self.step.order
        ports = order.local_ports[: limits.MAX_TARGETS]
        if self._tcp:
            self._begin_streams(ports, at)
            return
        if order.act is Act.AWAIT:
            for port in ports:
                self._add(self._pool.datagram(self._family, port))
            return
        sockets = self._own(ports)
        if sockets and self.targets:
            self._opener = Opener(
                order, sockets, self.targets, self._arrived, self._randbytes, primers=self._primers
            )

    def _own(self, ports: Sequence[int]) -> list[int]:
        order = self.step.order
        if order.socket is SocketRule.NAMED and ports:
            self._add(self._pool.datagram(self._family, ports[0]))
        else:
            count = order.sockets if order.socket is SocketRule.MANY else 1
            for _ in range(min(count, limits.MAX_SOCKETS_OF_STEP)):
                self._add(self._pool.datagram(self._family, 0))
        return sorted(self.sockets)

    def _begin_streams(self, ports: Sequence[int], at: float) -> None:
        order = self.step.order
        named = order.socket is SocketRule.NAMED and bool(ports)
        if order.act is Act.AWAIT:
            for port in ports:
                self._add(self._pool.listener(self._family, port, 0))
            return
        targets = self.targets
        if order.spray and targets:
            count = min(order.spray, limits.MAX_SHOTS)
            targets = [Endpoint(targets[0].host, port) for port in sprayed(count, self._randbytes)]
        many = min(order.sockets, limits.MAX_SOCKETS_OF_STEP) if order.socket is SocketRule.MANY else 1
        place = 0
        for number in range(many):
            group = self.step.number * limits.MAX_SOCKETS_OF_STEP + number if order.listen or named else 0
            if order.listen:
                self._add(self._pool.listener(self._family, ports[0] if named else 0, group))
            for target in targets:
                self._redial.append((at + place * order.pacing, target, group))
                place += 1
                if place >= limits.MAX_SHOTS:
                    return

    def _dial(self, target: Endpoint, group: int) -> None:
        order = self.step.order
        if self._budget <= 0:
            return
        number = self._pool.number()
        if number is None:
            return
        self._budget -= 1
        self.sockets.add(number)
        self._dials[number] = (target, group)
        named = order.socket is SocketRule.NAMED and bool(order.local_ports)
        self._pool.wish(OpenStream(number, target, order.local_ports[0] if named else 0, group))

    def _add(self, number: int | None) -> None:
        if number is not None:
            self.sockets.add(number)


def expected_hosts(tasks: Sequence[Task]) -> set[str]:
    """Addresses the plan names."""
    return {target.host for task in tasks for target in task.targets}
