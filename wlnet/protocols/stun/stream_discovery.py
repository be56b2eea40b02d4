"""Finds out over TCP how a NAT maps one local port (RFC 5780 section 4, RFC 5382; docs/protocols/stun.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wlnet.protocols.stun import wire
from wlnet.protocols.stun.findings import (
    Finding,
    allocation_of,
    canonical,
    family_of,
    mapping_of,
    plausible_other,
)
from wlnet.protocols.stun.transaction import STREAM_PACE, StunTransaction
from wlnet.protocols.stun.wire import Attribute, Endpoint, StunError
from wlnet.steering.model import Behaviour, Candidate, CandidateKind, Mapping, Transport

FRESH = 3
"""Connections from local ports of their own, to see how external ports are chosen."""
DEADLINE = 5.0
_LONGEST = 2048
"""Bytes of an answer."""


class Connect(NamedTuple):
    """Open a connection.

    :ivar number: names it in later calls.
    :ivar port_group: connections of one group share a local port (``SO_REUSEADDR`` and ``SO_REUSEPORT`` set
        before ``bind``); each group has one of its own.
    """

    number: int
    port_group: int
    destination: Endpoint


class _Connection:
    __slots__ = ("buffer", "connect", "done", "local", "transaction")

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.local: Endpoint | None = None
        self.transaction: StunTransaction | None = None
        self.buffer = b""
        self.done = False

    @property
    def mapped(self) -> Endpoint | None:
        if self.transaction is None or self.transaction.answer is None:
            return None
        try:
            return self.transaction.answer.mapped()
        except StunError:
            return None


class StreamDiscovery:
    """Measures mapping and port allocation of TCP towards one server.

    The driver opens what :meth:`connects` says, tells what happens to it, and closes all when :attr:`done`.
    That never takes longer than *deadline*. Filtering and hairpinning cannot be measured this way.

    :param server: the server's first address and first port.
    :param second_port: its second port.
    :param identity: makes 12 random bytes.
    :param now: seconds of any clock that does not go back.
    :param other: the server's second address, if known; its OTHER-ADDRESS is believed otherwise.
    :param fresh: connections to see how ports are chosen.
    :param deadline: seconds.
    :raises ValueError: the server is no IP literal.
    """

    def __init__(
        self,
        server: Endpoint,
        second_port: int,
        identity: Callable[[], bytes],
        now: float,
        *,
        other: Endpoint | None = None,
        fresh: int = FRESH,
        deadline: float = DEADLINE,
    ) -> None:
        self._server = server = canonical(server)
        self.family = family_of(server)
        self._identity = identity
        self._end = now + deadline
        self._connections: list[_Connection] = []
        self._wanted: list[Connect] = []
        self.finding: Finding | None = None
        self._first = self._open(0, server)
        self._fresh = [self._open(group, server) for group in range(1, fresh + 1)]
        self._other_port = self._open(0, Endpoint(server.host, second_port))
        self._other_address: _Connection | None = None
        if other is not None:
            self._other_address = self._open(0, Endpoint(canonical(other).host, server.port))

    @property
    def done(self) -> bool:
        """All is known that can be; :attr:`finding` says it."""
        return self.finding is not None

    def connects(self) -> list[Connect]:
        """Connections to open now, in this order; ask after each other call."""
        wanted, self._wanted = self._wanted, []
        return wanted

    def next_deadline(self) -> float | None:
        """When to call :meth:`tick`; None when done."""
        return None if self.finding is not None else self._end

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self.finding is None and now >= self._end:
            self._conclude()

    def connected(self, number: int, local: Endpoint, now: float) -> bytes:
        """A connection is up; what to send over it.

        :param local: its own endpoint.
        """
        connection = self._connections[number]
        transaction = StunTransaction(self._identity(), connection.connect.destination, now, STREAM_PACE)
        connection.local, connection.transaction = local, transaction
        return transaction.due(now) or b""

    def receive(self, number: int, data: bytes, now: float) -> None:
        """Bytes arrived on a connection."""
        connection = self._connections[number]
        transaction = connection.transaction
        if self.finding is not None or connection.done or transaction is None:
            return
        connection.buffer += data
        buffer = connection.buffer
        if len(buffer) < wire.HEADER:
            return
        try:
            length = wire.message_length(buffer)
            if length > _LONGEST:
                raise StunError("too long")
            if len(buffer) < length:
                return
            answer = wire.decode(buffer[:length])
        except StunError:
            self.failed(number, now)
            return
        transaction.receive(answer, transaction.destination, now)
        if self._other_address is None:
            self._look_for_other(connection)
        self.failed(number, now)

    def failed(self, number: int, now: float) -> None:
        """A connection could not be opened, or was closed; nothing more comes of it."""
        self._connections[number].done = True
        if self.finding is None and (now >= self._end or all(one.done for one in self._connections)):
            self._conclude()

    def _open(self, group: int, destination: Endpoint) -> _Connection:
        connection = _Connection(Connect(len(self._connections), group, destination))
        self._connections.append(connection)
        self._wanted.append(connection.connect)
        return connection

    def _look_for_other(self, connection: _Connection) -> None:
        answer = connection.transaction.answer if connection.transaction is not None else None
        if answer is None or connection is self._other_port:
            return
        try:
            other = answer.address(Attribute.OTHER_ADDRESS)
        except StunError:
            return
        if other is not None and plausible_other(self._server, other):
            self._other_address = self._open(0, Endpoint(canonical(other).host, self._server.port))

    def _conclude(self) -> None:
        self._wanted.clear()
        for one in self._connections:
            one.done = True
        other_address = self._other_address.mapped if self._other_address is not None else None
        seen = self._first.mapped
        mapping, certain = mapping_of(self._first.local, seen, self._other_port.mapped, other_address)
        if mapping is Mapping.BLOCKED and any(one.local is not None for one in self._connections):
            mapping, certain = Mapping.UNKNOWN, False  # something got through
        samples = [
            (one.local.port, mapped.port)
            for one in (self._first, *self._fresh)
            if one.local is not None and (mapped := one.mapped) is not None
        ]
        if mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT and self._first.local is not None:
            mapped = self._other_port.mapped
            samples += [(self._first.local.port, mapped.port)] if mapped is not None else []
        allocation, step = allocation_of(samples)
        candidate = None
        if seen is not None and seen.port and self._first.local is not None:
            candidate = Candidate(
                kind=CandidateKind.SERVER_REFLEXIVE, transport=Transport.TCP, address=seen.host,
                port=seen.port, base_port=self._first.local.port,
            )  # fmt: skip
        times = [
            one.transaction.rtt
            for one in self._connections
            if one.transaction is not None and one.transaction.rtt is not None
        ]
        self.finding = Finding(
            family=self.family,
            transport=Transport.TCP,
            behaviour=Behaviour(mapping=mapping, allocation=allocation, step=step),
            candidate=candidate,
            rtt=min(times) if times else None,
            certain_mapping=certain,
            ports=tuple(outside for _, outside in samples),
        )
