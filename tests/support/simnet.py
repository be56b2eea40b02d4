"""A network in memory with a clock turned by hand: hosts, links, NATs; thousands of seconds in an instant.

::

    net = SimNet(seed=1)
    server = net.host("server", ["198.51.100.1"])
    player = net.host("player", ["192.168.1.2"], nat=SimNat("203.0.113.5"))
    net.link(server, player, latency=0.05, loss=0.01)
    socket = player.open_datagram(Family.V4, received)
    net.run_until(lambda: got, limit=10)

Every host is a :class:`wlnet.client.net.network.Network`. What a callback raises comes out of
:meth:`SimNet.advance`. The same seed and the same calls give the same run.
"""

from __future__ import annotations

import errno
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from random import Random

from tests.support.simnet_nat import Protocol, SimNat
from tests.support.simnet_tcp import Kind, Segment, SimListener, SimStream
from wlnet.client.net.network import Accepted, Received, StreamHandler, T, TlsOptions
from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Mapping

WALL = 1_700_000_000.0
LOOPBACK = {Family.V4: "127.0.0.1", Family.V6: "::1"}
WILDCARD = {Family.V4: "0.0.0.0", Family.V6: "::"}
CORE_HOPS = 4
"""Routers between any two sites; a NAT is one more at each end."""

_MOST_EVENTS = 5_000_000
_LARGEST = 65507


@dataclass
class Link:
    """What happens on the way between two hosts.

    :ivar latency: seconds one way; *jitter*: up to so many more, so that datagrams overtake each other.
    :ivar loss: share of packets lost.
    :ivar cut: nothing gets through.
    """

    latency: float = 0.01
    loss: float = 0.0
    jitter: float = 0.0
    cut: bool = False


class SimTimer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class SimNet:
    """The clock and everything between the hosts.

    :ivar names: what ``resolve`` finds.
    :ivar untrusted_names: TLS connections under these names fail as untrusted.
    :ivar taps: called with each datagram sent, lost or not: sender's name, source, destination, data.
    """

    def __init__(self, seed: int = 1, latency: float = 0.01) -> None:
        self.random = Random(seed)
        self.default = Link(latency)
        self.time = 1000.0
        self.names: dict[str, tuple[str, ...]] = {}
        self.untrusted_names: set[str] = set()
        self.taps: list[Callable[[str, Endpoint, Endpoint, bytes], None]] = []
        self.hosts: dict[str, SimHost] = {}
        self._links: dict[frozenset[str], Link] = {}
        self._heap: list[tuple[float, int, SimTimer]] = []
        self._order = count()

    def host(self, name: str, addresses: Iterable[str], nat: SimNat | None = None) -> SimHost:
        """A machine with these addresses, perhaps behind a NAT."""
        assert name not in self.hosts
        host = self.hosts[name] = SimHost(self, name, tuple(addresses), nat)
        return host

    def link(
        self,
        one: SimHost,
        other: SimHost,
        *,
        latency: float | None = None,
        loss: float | None = None,
        jitter: float | None = None,
        cut: bool | None = None,
    ) -> None:
        """Change what happens between two hosts, both ways; what is not given stays."""
        link = self._links.setdefault(frozenset((one.name, other.name)), Link(self.default.latency))
        link.latency = link.latency if latency is None else latency
        link.loss = link.loss if loss is None else loss
        link.jitter = link.jitter if jitter is None else jitter
        link.cut = link.cut if cut is None else cut

    # Time

    def call_later(self, delay: float, call: Callable[[], None]) -> SimTimer:
        timer = SimTimer(call)
        heapq.heappush(self._heap, (self.time + max(0.0, delay), next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.time + seconds
        for _ in range(_MOST_EVENTS):
            if not self._step(end):
                self.time = end
                return
        raise AssertionError("this does not come to rest")

    def run_until(self, predicate: Callable[[], object], limit: float = 60.0) -> float:
        """Let time pass until it is true.

        :returns: the seconds that took.
        :raises AssertionError: it is not true after *limit* seconds.
        """
        start = self.time
        for _ in range(_MOST_EVENTS):
            if predicate():
                return self.time - start
            if not self._step(start + limit):
                self.time = start + limit
                break
        if not predicate():
            raise AssertionError(f"not so after {self.time - start:.1f} s")
        return self.time - start

    def _step(self, end: float) -> bool:
        """Do the next thing that is due by *end*."""
        while self._heap and self._heap[0][0] <= end:
            when, _, timer = heapq.heappop(self._heap)
            call, timer.call = timer.call, None
            if call is not None:
                self.time = max(self.time, when)
                call()
                return True
        return False

    # Packets

    def send_datagram(
        self, sender: SimHost, source: Endpoint, destination: Endpoint, data: bytes, hops: int | None
    ) -> None:
        for tap in self.taps:
            tap(sender.name, source, destination, data)
        self._send(
            Protocol.UDP,
            sender,
            source,
            destination,
            hops,
            lambda host, local, seen: host.datagram(local, seen, data),
        )

    def send_segment(
        self, sender: SimHost, source: Endpoint, destination: Endpoint, segment: Segment
    ) -> None:
        self._send(
            Protocol.TCP,
            sender,
            source,
            destination,
            None,
            lambda host, local, seen: host.segment(local, seen, segment),
        )

    def _send(
        self,
        protocol: Protocol,
        sender: SimHost,
        source: Endpoint,
        destination: Endpoint,
        hops: int | None,
        deliver: Callable[[SimHost, Endpoint, Endpoint], None],
    ) -> None:
        if parse_address(destination.host).is_loopback or destination.host in sender.addresses:
            self.call_later(0.0001, lambda: deliver(sender, destination, source))
            return
        route = self._route(protocol, sender, source, destination, 64 if hops is None else hops)
        if route is None:
            return
        receiver, local, seen = route
        link = self._links.get(frozenset((sender.name, receiver.name)), self.default)
        if link.cut or self.random.random() < link.loss:
            return
        delay = link.latency + (link.jitter * self.random.random() if link.jitter else 0.0)
        self.call_later(delay, lambda: None if receiver.unplugged else deliver(receiver, local, seen))

    def _route(
        self, protocol: Protocol, sender: SimHost, source: Endpoint, destination: Endpoint, hops: int
    ) -> tuple[SimHost, Endpoint, Endpoint] | None:
        """Who gets it, under which of its endpoints, and the source it sees."""
        nat = sender.nat
        if sender.unplugged or source.host not in sender.addresses:
            return None
        if nat is not None:
            neighbour = self._owner(destination.host, nat)
            if neighbour is not None:
                return neighbour, destination, source
            if hops < 2:
                return None
            external = nat.out(protocol, source, destination)
            if external is None:
                return None
            if destination.host == nat.public:
                inside = nat.into(protocol, destination, external) if nat.hairpin else None
                owner = None if inside is None else self._owner(inside.host, nat)
                return None if owner is None or inside is None else (owner, inside, external)
            source = external
            hops -= 1
        if hops <= CORE_HOPS:
            return None
        return self._from_outside(protocol, source, destination)

    def _from_outside(
        self, protocol: Protocol, source: Endpoint, destination: Endpoint
    ) -> tuple[SimHost, Endpoint, Endpoint] | None:
        owner = self._owner(destination.host, None)
        if owner is not None:
            return owner, destination, source
        for host in self.hosts.values():
            nat = host.nat
            if nat is None:
                continue
            if destination.host == nat.public or (
                destination.host in host.addresses and host.is_routable(destination.host)
            ):
                inside = nat.into(protocol, destination, source)
                owner = None if inside is None else self._owner(inside.host, nat)
                return None if owner is None or inside is None else (owner, inside, source)
        return None

    def _owner(self, address: str, nat: SimNat | None) -> SimHost | None:
        for host in self.hosts.values():
            if host.nat is nat and address in host.addresses:
                return host
        return None


class SimDatagramSocket:
    """See :class:`wlnet.client.net.network.DatagramSocket`."""

    def __init__(
        self, host: SimHost, family: Family, local: Endpoint, received: Received, reuse: bool
    ) -> None:
        self.local = local
        self.family = family
        self.received = received
        self.reuse = reuse
        self._host = host

    def send(self, data: bytes, destination: Endpoint, hops: int | None = None) -> bool:
        source = self._host.source_for(destination)
        if self not in self._host.datagram_sockets or len(data) > _LARGEST or source is None:
            return False
        if (":" in destination.host) != (self.family is Family.V6):
            return False
        if self.local.host != WILDCARD[self.family]:
            source = self.local.host
        self._host.net.send_datagram(
            self._host, Endpoint(source, self.local.port), destination, bytes(data), hops
        )
        return True

    def close(self) -> None:
        if self in self._host.datagram_sockets:
            self._host.datagram_sockets.remove(self)


class SimHost:
    """One machine; a :class:`wlnet.client.net.network.Network`.

    :ivar addresses: and :ivar nat: may be changed at any time: it moved to another network.
    :ivar unplugged: nothing comes or goes.
    """

    def __init__(self, net: SimNet, name: str, addresses: tuple[str, ...], nat: SimNat | None) -> None:
        self.net = net
        self.name = name
        self.addresses = addresses
        self.nat = nat
        self.unplugged = False
        self.datagram_sockets: list[SimDatagramSocket] = []
        self.streams: list[SimStream] = []
        self.listeners: list[SimListener] = []

    @property
    def open(self) -> int:
        """Sockets that are open; 0 when everything was cleaned up."""
        return len(self.datagram_sockets) + len(self.streams) + len(self.listeners)

    def is_routable(self, address: str) -> bool:
        """Whether the world knows the way there, a firewall notwithstanding."""
        return ":" in address or self.nat is None or self.nat.mapping is Mapping.NONE

    # Network

    def now(self) -> float:
        return self.net.time

    def wall(self) -> float:
        return WALL + self.net.time - 1000.0

    def random_bytes(self, count: int) -> bytes:
        return self.net.random.randbytes(count)

    def call_later(self, delay: float, call: Callable[[], None]) -> SimTimer:
        return self.net.call_later(delay, call)

    def open_datagram(
        self, family: Family, received: Received, *, address: str = "", port: int = 0, reuse: bool = False
    ) -> SimDatagramSocket:
        local = self._bind(family, address, port, reuse, self.datagram_sockets)
        socket = SimDatagramSocket(self, family, local, received, reuse)
        self.datagram_sockets.append(socket)
        return socket

    def connect(
        self,
        destination: Endpoint,
        handler: StreamHandler,
        *,
        port: int = 0,
        reuse: bool = False,
        tls: TlsOptions | None = None,
    ) -> SimStream:
        family = Family.V6 if ":" in destination.host else Family.V4
        source = self.source_for(destination) or WILDCARD[family]
        local = self._bind(family, "", port, reuse, [*self.listeners, *self.streams])
        if any((one.local.port, one.remote) == (local.port, destination) for one in self.streams):
            raise OSError(errno.EADDRINUSE, "Address already in use")
        stream = SimStream(self, Endpoint(source, local.port), destination, reuse=reuse, tls=tls)
        self.streams.append(stream)
        stream.connect(handler)
        return stream

    def listen(
        self, family: Family, accepted: Accepted, *, address: str = "", port: int = 0, reuse: bool = False
    ) -> SimListener:
        local = self._bind(family, address, port, reuse, [*self.listeners, *self.streams])
        listener = SimListener(self, local, accepted, reuse)
        self.listeners.append(listener)
        return listener

    def resolve(self, host: str, done: Callable[[tuple[str, ...] | OSError], None]) -> None:
        try:
            parse_address(host)
        except ValueError:
            found: tuple[str, ...] | OSError = self.net.names.get(host) or OSError(f"no address: {host}")
            self.call_later(0.02, lambda: done(found))
        else:
            self.call_later(0, lambda: done((host,)))

    def interfaces(self) -> tuple[str, ...]:
        return tuple(
            one
            for one in self.addresses
            if not (parse_address(one).is_loopback or parse_address(one).is_link_local)
        )

    def source_for(self, destination: Endpoint) -> str | None:
        family = Family.V6 if ":" in destination.host else Family.V4
        if parse_address(destination.host).is_loopback:
            return LOOPBACK[family]
        if destination.host in self.addresses:
            return destination.host
        mine = [one for one in self.addresses if (":" in one) == (family is Family.V6)]
        return mine[0] if mine else None

    def in_thread(self, work: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        def run() -> None:
            try:
                result: T | Exception = work()
            except Exception as error:
                result = error
            done(result)

        self.call_later(0.001, run)

    # Arrivals

    def datagram(self, local: Endpoint, source: Endpoint, data: bytes) -> None:
        family = Family.V6 if ":" in local.host else Family.V4
        for socket in self.datagram_sockets:
            if socket.family is family and self._is_for(socket.local, local):
                socket.received(data, source)
                return

    def segment(self, local: Endpoint, source: Endpoint, segment: Segment) -> None:
        for stream in self.streams:
            if stream.local == local and stream.remote == source:
                stream.segment(segment)
                return
        if segment.kind is Kind.SYN:
            for listener in self.listeners:
                if self._is_for(listener.local, local):
                    self._accept(listener, local, source)
                    return
        if segment.kind is not Kind.RST:
            self.net.send_segment(self, local, source, Segment(Kind.RST))

    def _accept(self, listener: SimListener, local: Endpoint, source: Endpoint) -> None:
        stream = SimStream(self, local, source, reuse=listener.reuse)
        self.streams.append(stream)
        self.net.send_segment(self, local, source, Segment(Kind.SYN_ACK))
        handler = listener.accepted(stream)
        if handler is None:
            stream.abort()
        else:
            stream.accept(handler)

    @staticmethod
    def _is_for(bound: Endpoint, local: Endpoint) -> bool:
        wildcard = WILDCARD[Family.V6 if ":" in local.host else Family.V4]
        return bound.port == local.port and bound.host in (wildcard, local.host)

    def _bind(
        self,
        family: Family,
        address: str,
        port: int,
        reuse: bool,
        others: Iterable[SimDatagramSocket | SimStream | SimListener],
    ) -> Endpoint:
        if address and address not in (*self.addresses, WILDCARD[family], LOOPBACK[family]):
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        taken = [one for one in others if (":" in one.local.host) == (family is Family.V6)]
        ports = {one.local.port for one in taken}
        if not port:
            port = self.net.random.randint(32768, 60999)
            while port in ports:
                port = self.net.random.randint(32768, 60999)
        elif any(one.local.port == port and not (reuse and one.reuse) for one in taken):
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return Endpoint(address or WILDCARD[family], port)
