"""Drives the machines that find out what a NAT does, with sockets of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.gather import limits
from wlnet.client.net.network import DatagramSocket, Network, Stream, StreamEnd, StreamHandler, Timer
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.discovery import SOCKETS, BehaviourDiscovery
from wlnet.protocols.stun.findings import Finding, family_of
from wlnet.protocols.stun.stream_discovery import StreamDiscovery
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Transport

Done = Callable[[Finding], None]


class DatagramDiscovery:
    """One discovery over UDP.

    :ivar heard: something came back.
    :raises OSError: no socket can be had.
    """

    transport = Transport.UDP

    def __init__(self, network: Network, server: Endpoint, second_port: int, done: Done) -> None:
        self.family = family_of(server)
        self.begun = network.now()
        self.heard = False
        self._network = network
        self._done = done
        self._timer: Timer | None = None
        self._over = False
        self._sockets: list[DatagramSocket] = []
        try:
            for number in range(SOCKETS):
                received = partial(self._received, number)
                self._sockets.append(network.open_datagram(self.family, received))
        except OSError:
            self.close()
            raise
        host = network.source_for(server) or ("::" if ":" in server.host else "0.0.0.0")  # noqa: S104
        self._machine = BehaviourDiscovery(
            server,
            second_port,
            [Endpoint(host, socket.local.port) for socket in self._sockets],
            partial(network.random_bytes, wire.TRANSACTION),
            self.begun,
            deadline=limits.DATAGRAM_SURVEY,
        )
        self._go_on()

    def so_far(self) -> Finding | None:
        """What is known by now."""
        return self._machine.so_far() if self.heard else None

    def close(self) -> None:
        """Nothing is called any more."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        for socket in self._sockets:
            socket.close()

    def _received(self, number: int, data: bytes, source: Endpoint) -> None:
        if not self._over and self._machine.receive(number, data, source, self._network.now()):
            self.heard = True
            self._go_on()

    def _tick(self) -> None:
        if not self._over:
            self._machine.tick(self._network.now())
            self._go_on()

    def _go_on(self) -> None:
        for number, data, destination in self._machine.transmits():
            self._sockets[number].send(data, destination)
        if self._timer is not None:
            self._timer.cancel()
        if self._machine.finding is not None:
            self.close()
            self._done(self._machine.finding)
            return
        at = self._machine.next_deadline()
        if at is not None:
            self._timer = self._network.call_later(max(0.0, at - self._network.now()), self._tick)


class _Connection(StreamHandler):
    def __init__(self, owner: StreamsDiscovery, number: int) -> None:
        self._owner = owner
        self._number = number
        self.stream: Stream | None = None

    def connected(self, local: Endpoint) -> None:
        self._owner.connected(self, self._number, local)

    def received(self, data: bytes) -> None:
        self._owner.received(self._number, data)

    def ended(self) -> None:
        self._owner.failed(self._number)

    def drained(self) -> None:
        """Requests are small."""

    def closed(self, end: StreamEnd) -> None:  # noqa: ARG002
        self._owner.failed(self._number)


class StreamsDiscovery:
    """One discovery over TCP.

    :ivar heard: a connection came about.
    """

    transport = Transport.TCP

    def __init__(self, network: Network, server: Endpoint, second_port: int, done: Done) -> None:
        self.family = family_of(server)
        self.begun = network.now()
        self.heard = False
        self._network = network
        self._done = done
        self._over = False
        self._ports: dict[int, int] = {}
        self._connections: dict[int, _Connection] = {}
        self._machine = StreamDiscovery(
            server,
            second_port,
            partial(network.random_bytes, wire.TRANSACTION),
            self.begun,
            deadline=limits.STREAM_SURVEY,
        )
        self._timer = network.call_later(limits.STREAM_SURVEY, self._tick)
        self._go_on()

    def so_far(self) -> Finding | None:
        """Only the end shows something: it comes soon."""
        return None

    def close(self) -> None:
        """Nothing is called any more."""
        self._over = True
        self._timer.cancel()
        for connection in self._connections.values():
            if connection.stream is not None:
                connection.stream.abort()
        self._connections.clear()

    def connected(self, connection: _Connection, number: int, local: Endpoint) -> None:
        """A connection is up."""
        if not self._over and connection.stream is not None:
            self.heard = True
            connection.stream.write(self._machine.connected(number, local, self._network.now()))

    def received(self, number: int, data: bytes) -> None:
        """Bytes of an answer."""
        if not self._over:
            self._machine.receive(number, data, self._network.now())
            self._go_on()

    def failed(self, number: int) -> None:
        """A connection is gone."""
        if not self._over:
            self._machine.failed(number, self._network.now())
            self._go_on()

    def _tick(self) -> None:
        if not self._over:
            self._machine.tick(self._network.now())
            self._go_on()

    def _go_on(self) -> None:
        for number, group, destination in self._machine.connects():
            connection = self._connections[number] = _Connection(self, number)
            try:
                stream = self._network.connect(
                    destination, connection, port=self._ports.get(group, 0), reuse=True
                )
            except OSError:
                self._machine.failed(number, self._network.now())
                continue
            connection.stream = stream
            self._ports[group] = stream.local.port
        if self._machine.finding is not None and not self._over:
            self.close()
            self._done(self._machine.finding)
