"""Reference puncher, TCP: connections and a listener on one port of each host, all at the same time."""

from __future__ import annotations

import errno
import functools
import select
import socket
import time
from contextlib import ExitStack

from tests.natlab.probe import PORTS, Endpoint, bound, tcp_endpoint
from tests.natlab.punch import STEPS, Gathered, Tricks
from tests.natlab.site import Server, Site

PATIENCE = 0.1
RETRY = 0.05
HELLO = b"hello"


class Side:
    """One peer's port in an attempt: a listener, and a connection under way to each candidate."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.listener = bound(site.host, kind=socket.SOCK_STREAM)
        self.listener.listen()
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self.joined = False
        self._pending: dict[socket.socket, Endpoint] = {}
        self._connected: list[socket.socket] = []
        self._again: list[tuple[float, Endpoint]] = []

    def gather(self, server: Server) -> Gathered | None:
        """Connect to two addresses of the server; None if TCP does not get there."""
        first = tcp_endpoint(self.site.host, self.port, server, (server.ipv4, PORTS[0]))
        if first is None:
            return None
        second = tcp_endpoint(self.site.host, self.port, server, (server.second_ipv4, PORTS[1]))
        assert second is not None
        return Gathered(self.port, first, second)

    def connect(self, target: Endpoint) -> None:
        """Start a connection from the port."""
        one = bound(self.site.host, ("", self.port), socket.SOCK_STREAM)
        one.setblocking(False)
        code = one.connect_ex(target)
        if code == errno.EINPROGRESS:
            self._pending[one] = target
        else:
            one.close()

    def sockets(self) -> list[socket.socket]:
        """All that something can happen to."""
        return [self.listener, *self._pending, *self._connected]

    def step(self, expected: list[Endpoint] | None) -> None:
        """Look at everything. Accepts only from expected peers (None: all)."""
        now = time.monotonic()
        due = [target for moment, target in self._again if moment <= now]
        self._again = [entry for entry in self._again if entry[0] > now]
        for target in due:
            self.connect(target)
        self._accept(expected)
        if self._pending:
            _, ready, _ = select.select([], list(self._pending), [], 0)
            for one in ready:
                self._finish(one, now)
        for one in list(self._connected):
            self._read(one)

    def _accept(self, expected: list[Endpoint] | None) -> None:
        try:
            one, source = self.listener.accept()
        except BlockingIOError:
            return
        if expected is None or source in expected:
            self._greet(one)
        else:
            one.close()

    def _finish(self, one: socket.socket, now: float) -> None:
        target = self._pending.pop(one)
        code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            self._greet(one)
            return
        one.close()
        if code in (errno.ECONNREFUSED, errno.ECONNRESET):
            self._again.append((now + RETRY, target))

    def _greet(self, one: socket.socket) -> None:
        one.setblocking(False)
        self._connected.append(one)
        try:
            one.send(HELLO)
        except OSError:
            return

    def _read(self, one: socket.socket) -> None:
        try:
            data = one.recv(100)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data == HELLO:
            self.joined = True
        else:
            self._connected.remove(one)
            one.close()

    def close(self) -> None:
        """Without a wait for the peer."""
        for one in self.sockets():
            one.close()


def _join(sides: list[Side], accepted: list[list[Endpoint] | None], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for side, expected in zip(sides, accepted, strict=True):
            side.step(expected)
        if all(side.joined for side in sides):
            return True
        select.select([one for side in sides for one in side.sockets()], [], [], 0.005)
    return False


@functools.cache
def asks(server: Server, site: Site) -> bool:
    """Whether a host there can connect to the server at all."""
    return tcp_endpoint(site.host, 0, server, (server.ipv4, PORTS[0])) is not None


def one_sided(server: Server, target: Site, source: Site, *, direct: bool = False) -> bool:
    """Whether `source` connects to `target` where the server saw it (direct: at its own address)."""
    with ExitStack() as stack:
        sides = [Side(target), Side(source)]
        for side in sides:
            stack.callback(side.close)
        endpoint: Endpoint = (target.public_ipv4, sides[0].port)
        if not direct:
            gathered = sides[0].gather(server)
            if gathered is None:
                return False
            endpoint = gathered.first
        sides[1].connect(endpoint)
        return _join(sides, [None, []], PATIENCE)


def two_sided(server: Server, one: Site, other: Site, tricks: Tricks, *, patience: float = PATIENCE) -> bool:
    """Whether both, connecting at the same time, reach each other."""
    with ExitStack() as stack:
        sides = [Side(one), Side(other)]
        for side in sides:
            stack.callback(side.close)
        gathered = [side.gather(server) for side in sides]
        if gathered[0] is None or gathered[1] is None:
            return False
        targets = [peer.candidates(tricks, STEPS["tcp"]) for peer in (gathered[1], gathered[0])]
        for side, candidates in zip(sides, targets, strict=True):
            for target in candidates:
                side.connect(target)
        return _join(sides, [None, None] if tricks.learn else list(targets), patience)
