"""A network on a hand-turned clock: routers of all kinds, a relay for pairs, and peers that run a PathSet."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from random import Random

from msgspec.structs import replace

from tests.unit.steering import kinds
from wlnet.client.paths.pathset import PathSet
from wlnet.client.paths.words import (
    Close,
    Event,
    Listen,
    OpenDatagram,
    OpenStream,
    PathChanged,
    Transmit,
)
from wlnet.protocols.pairs import wire
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import CandidateKind, Filtering, Mapping, PathKind, Side
from wlnet.steering.orders import Plan
from wlnet.steering.plan import make_plan
from wlnet.steering.rules import PlanOptions, RelayPlace
from wlnet.steering.view import PeerView

SERVER = "203.0.113.1"
RELAY = Endpoint(SERVER, 3479)
PLACE = RelayPlace(addresses=(SERVER,), udp_port=3479, tcp_port=3479)
SECRET = bytes(range(32))
ATTEMPT = 7


class Nat:
    """A router; *behaviour* as in tests/unit/steering/kinds.py. ``Mapping.NONE`` is a firewall only."""

    def __init__(
        self, world: World, kind: str, address: str, timeout: float = 30.0, forwarded: int = 0
    ) -> None:
        self.world = world
        self.kind = kind
        self.address = address
        self.timeout = timeout
        self.behaviour = kinds.BEHAVIOURS[kind]
        self.udp_blocked = kind in {"udp-blocked", "tcp443"}
        self.forwarded = forwarded
        self.down = False
        self._next = 51000
        self._forwarded_flows: set[tuple[int, Endpoint]] = set()
        self._flows: dict[tuple[object, ...], int] = {}
        self._inner: dict[int, Endpoint] = {}
        self._let_in: dict[int, dict[Endpoint, float]] = {}

    def reboot(self) -> None:
        """All mappings are gone."""
        self._flows.clear()
        self._inner.clear()
        self._let_in.clear()
        self._next += 2000

    def out(self, source: Endpoint, destination: Endpoint) -> Endpoint | None:
        if self.udp_blocked or self.down:
            return None
        if (source.port, destination) in self._forwarded_flows:
            return Endpoint(self.address, source.port)
        mapping = self.behaviour.mapping
        key: tuple[object, ...] = (source,)
        if mapping is Mapping.ADDRESS_DEPENDENT:
            key = (source, destination.host)
        elif mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT:
            key = (source, destination)
        port = self._flows.get(key)
        if port is not None and self._last(port) < self.world.now - self.timeout:
            self._let_in.pop(port, None)  # forgotten: a symmetric one takes another port
            if self.behaviour.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT:
                port = None
        if port is None:
            port = self._port(source, destination)
            self._flows[key] = port
        self._inner[port] = source
        self._let_in.setdefault(port, {})[destination] = self.world.now
        return Endpoint(self.address, port)

    def into(self, source: Endpoint, port: int) -> Endpoint | None:
        if self.udp_blocked or self.down:
            return None
        if port == self.forwarded:
            self._forwarded_flows.add((port, source))
            return Endpoint("192.168.1.10", port)
        filtering = self.behaviour.filtering
        if self.behaviour.mapping is Mapping.NONE and filtering is Filtering.ENDPOINT_INDEPENDENT:
            return Endpoint(self.address, port)
        known = {
            one: at for one, at in self._let_in.get(port, {}).items() if at >= self.world.now - self.timeout
        }
        if not known:
            return None
        if filtering is Filtering.ADDRESS_DEPENDENT and source.host not in {one.host for one in known}:
            return None
        if filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT and source not in known:
            return None
        return self._inner[port]

    def _last(self, port: int) -> float:
        return max(self._let_in.get(port, {}).values(), default=float("-inf"))

    def _port(self, source: Endpoint, destination: Endpoint) -> int:
        if self.kind == "pr-collide":
            return source.port if destination.host != SERVER else self._count()
        allocation = self.behaviour.allocation.value
        if allocation == "preserving" and source.port not in self._inner:
            return source.port
        if allocation == "sequential":
            return self._count()
        return self.world.random.choice([port for port in range(1024, 65536) if port not in self._inner])

    def _count(self) -> int:
        self._next += 1
        return self._next


@dataclass
class Peer:
    """A player's machine behind its router."""

    name: str
    nat: Nat
    paths: PathSet
    sockets: dict[int, Endpoint] = field(default_factory=dict)
    listening: dict[int, int] = field(default_factory=dict)
    streams: dict[int, tuple[Peer | Relay, int]] = field(default_factory=dict)
    events: list[tuple[float, Event]] = field(default_factory=list)
    got: list[tuple[float, bytes]] = field(default_factory=list)
    sent: list[tuple[float, Transmit]] = field(default_factory=list)
    ports: count[int] = field(default_factory=lambda: count(45000))

    @property
    def address(self) -> str:
        return self.nat.address if self.nat.behaviour.mapping is Mapping.NONE else "192.168.1.10"

    @property
    def kind(self) -> PathKind | None:
        current = self.paths.current
        return None if current is None else current.step.kind

    @property
    def technique(self) -> str | None:
        current = self.paths.current
        return None if current is None else current.step.technique.value

    def changes(self) -> list[tuple[float, PathChanged]]:
        return [(at, event) for at, event in self.events if isinstance(event, PathChanged)]


class Relay:
    """A relay for one pair, as docs/protocols/pairs.md says."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.up = True
        self.taken = b""
        """Sides belong to this ticket if theirs begins with it."""
        self.sides: dict[bytes, tuple[str, Endpoint | tuple[Peer, int]]] = {}
        self.frames: dict[tuple[str, int], bytes] = {}

    def datagram(self, data: bytes, source: Endpoint) -> None:
        for answer, to in self.messages(data, source):
            if isinstance(to, Endpoint):
                self.world.post(RELAY, to, answer)
            else:
                self.world.stream_data(to[0], to[1], wire.frame(answer), RELAY)

    def stream(self, peer: Peer, socket: int, data: bytes) -> None:
        buffer = self.frames.get((peer.name, socket), b"") + data
        if buffer.startswith(wire.PREAMBLE):
            buffer = buffer[3:]
        while len(buffer) >= 2 and len(buffer) >= 2 + int.from_bytes(buffer[:2], "big"):
            length = int.from_bytes(buffer[:2], "big")
            message, buffer = buffer[2 : 2 + length], buffer[2 + length :]
            for answer, to in self.messages(message, (peer, socket)):
                if isinstance(to, Endpoint):
                    self.world.post(RELAY, to, answer)
                else:
                    self.world.stream_data(to[0], to[1], wire.frame(answer), RELAY)
        self.frames[peer.name, socket] = buffer

    def messages(
        self, data: bytes, source: Endpoint | tuple[Peer, int]
    ) -> list[tuple[bytes, Endpoint | tuple[Peer, int]]]:
        if not self.up:
            return []
        if data[0] == wire.BIND:
            bind = wire.decode_bind(data)
            if isinstance(source, Endpoint) and bind.cookie != b"c" * 16:
                return [(wire.encode_challenge(bind.transaction, b"c" * 16), source)]
            if self.taken and bind.ticket.startswith(self.taken) and bind.ticket != self.taken:
                return [(wire.encode_error(bind.transaction, "TAKEN"), source)]
            side = bind.ticket.decode()
            handle = side.encode().ljust(8, b"!")
            self.sides[handle] = (side, source)
            bound = wire.Bound(
                bind.transaction, handle, len(self.sides) > 1, 10**6, 10**6, 10**9, 60, 3600, "192.0.2.1", 1
            )
            return [(wire.encode_bound(bound), source)]
        handle = data[1:9]
        if handle not in self.sides or self.sides[handle][1] != source:
            return [(wire.encode_error(handle, "UNKNOWN"), source)] if data[0] == wire.KEEPALIVE else []
        if data[0] == wire.KEEPALIVE:
            return [(wire.encode_alive(handle, wire.decode_keepalive(data)[1], True), source)]
        if data[0] == wire.DATA:
            return [
                (wire.data_head(other) + data[9:], to)
                for other, (_, to) in self.sides.items()
                if other != handle
            ]
        return []


class World:
    """Everything, and the time."""

    def __init__(self, seed: int = 1, delay: float = 0.02, loss: float = 0.0) -> None:
        self.now = 100.0
        self.delay = delay
        self.loss = loss
        self.random = Random(seed)
        self.relay = Relay(self)
        self.peers: list[Peer] = []
        self.cut: set[str] = set()
        """Peers whose packets to one another (not to the relay) are lost, by name."""
        self._queue: list[tuple[float, int, tuple[object, ...]]] = []
        self._order = count()
        self._stun_ports = count(3500)
        self.log: list[tuple[Endpoint, Endpoint, bytes]] = []

    def add(self, side: Side, kind: str, address: str) -> Peer:
        forwarded = 40000 if kind.startswith("upnp") and kind != "upnp-cgn" else 0
        nat = Nat(self, kind, address, forwarded=forwarded)
        paths = PathSet(
            side,
            ATTEMPT,
            SECRET,
            side.value.encode(),
            self.random.randbytes,
            self.now,
            primer_hops=4,
        )
        peer = Peer(side.value, nat, paths)
        self.peers.append(peer)
        return peer

    def view(self, peer: Peer, *, tcp: bool = False, birthday: bool = False) -> PeerView:
        """What the lobby knows of *peer*, with the outer port of its socket measured now."""
        view = kinds.peer(peer.nat.kind, birthday=birthday)
        # Another port each time: a flow that is there already tells nothing about the next one.
        outer = peer.nat.out(Endpoint(peer.address, 40000), Endpoint(SERVER, next(self._stun_ports)))
        told = []
        for candidate in view.candidates:
            port = candidate.port
            address = candidate.address
            if address == view.seen[0]:
                address = peer.nat.address
            if candidate.kind is CandidateKind.SERVER_REFLEXIVE and outer is not None:
                port = outer.port
            told.append(replace(candidate, address=address, port=port))
        return replace(
            view, candidates=tuple(told), seen=(peer.nat.address,), tcp=tcp, round_trip=2 * self.delay
        )

    def begin(self, *, tcp: bool = False, birthday: bool = False) -> Plan:
        """The relay at once, and half a second later all else, as a rendezvous does."""
        options = PlanOptions(relay=PLACE)
        views = [replace(self.view(peer, tcp=tcp), relay_only=True) for peer in self.peers]
        self._tell(make_plan(views[0], views[1], options), 0)
        self.run(0.5)
        return self.upgrade(tcp=tcp, birthday=birthday)

    def upgrade(self, *, tcp: bool = False, birthday: bool = False, first: int = 20) -> Plan:
        """Measure, and tell both what can work."""
        views = [self.view(peer, tcp=tcp, birthday=birthday) for peer in self.peers]
        plan = make_plan(views[0], views[1], PlanOptions(relay=PLACE))
        self._tell(plan, first)
        return plan

    def _tell(self, plan: Plan, first: int) -> None:
        for peer, side in zip(self.peers, Side, strict=True):
            peer.paths.add_plan(orders(plan, side, first), self.now)

    # -- time ------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            self.pump()
            times = [self._queue[0][0]] if self._queue else []
            for peer in self.peers:
                deadline = peer.paths.next_deadline()
                if deadline is not None:
                    times.append(max(deadline, self.now))
            upcoming = min(times, default=end)
            if upcoming > end:
                break
            assert upcoming >= self.now
            if upcoming == self.now:
                self._stuck += 1
                assert self._stuck < 2000, "a deadline that never goes away"
            else:
                self._stuck = 0
            self.now = upcoming
            while self._queue and self._queue[0][0] <= self.now:
                self._arrive(heapq.heappop(self._queue)[2])
            for peer in self.peers:
                deadline = peer.paths.next_deadline()
                if deadline is not None and deadline <= self.now:
                    peer.paths.tick(self.now)
        self.now = end

    _stuck = 0

    def pump(self) -> None:
        for peer in self.peers:
            wishes = peer.paths.wishes()
            for wish in wishes:
                self._grant(peer, wish)
            for transmit in peer.paths.transmits():
                peer.sent.append((self.now, transmit))
                self._send(peer, transmit)
            for wish in wishes:
                if isinstance(wish, Close):
                    self._close(peer, wish.socket)
            peer.events += [(self.now, event) for event in peer.paths.events()]
            peer.got += [(self.now, payload) for payload in peer.paths.delivered()]

    def _grant(self, peer: Peer, wish: object) -> None:
        if isinstance(wish, OpenDatagram):
            peer.sockets[wish.socket] = Endpoint(peer.address, wish.local_port or next(peer.ports))
        elif isinstance(wish, Listen):
            peer.listening[wish.local_port] = wish.socket
        elif isinstance(wish, OpenStream):
            self._later(2 * self.delay, ("connect", peer, wish.socket, wish.destination))

    def _close(self, peer: Peer, socket: int) -> None:
        peer.sockets.pop(socket, None)
        other = peer.streams.pop(socket, None)
        if other is not None and isinstance(other[0], Peer):
            self._later(self.delay, ("closed", other[0], other[1]))

    def _send(self, peer: Peer, transmit: Transmit) -> None:
        if transmit.socket in peer.streams:
            other, number = peer.streams[transmit.socket]
            if isinstance(other, Peer):
                self.stream_data(other, number, transmit.data, Endpoint(peer.nat.address, 9))
            else:
                self._later(self.delay, ("relay", peer, transmit.socket, transmit.data))
            return
        source = peer.sockets.get(transmit.socket)
        assert source is not None, "a packet from a socket that was never asked for"
        outer = peer.nat.out(source, transmit.destination)
        if outer is None or transmit.hops is not None:
            return
        if peer.name in self.cut and transmit.destination.host != SERVER:
            return
        self.post(outer, transmit.destination, transmit.data)

    def post(self, source: Endpoint, destination: Endpoint, data: bytes) -> None:
        """A packet crosses the Internet."""
        self.log.append((source, destination, data))
        if self.random.random() >= self.loss:
            self._later(self.delay, ("packet", source, destination, data))

    def stream_data(self, peer: Peer, socket: int, data: bytes, source: Endpoint) -> None:
        self._later(self.delay, ("stream", peer, socket, data, source))

    def _later(self, seconds: float, what: tuple[object, ...]) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), what))

    def _arrive(self, what: tuple[object, ...]) -> None:
        match what:
            case ("packet", Endpoint() as source, Endpoint() as destination, bytes(data)):
                self._packet(source, destination, data)
            case ("connect", Peer() as peer, int(socket), Endpoint() as destination):
                self._connect(peer, socket, destination)
            case ("relay", Peer() as peer, int(socket), bytes(data)):
                self.relay.stream(peer, socket, data)
            case ("stream", Peer() as peer, int(socket), bytes(data), Endpoint() as source):
                if socket in peer.streams:
                    peer.paths.receive(socket, data, source, self.now)
            case ("closed", Peer() as peer, int(socket)):
                if peer.streams.pop(socket, None) is not None:
                    peer.paths.closed(socket, self.now)

    def _connect(self, peer: Peer, socket: int, destination: Endpoint) -> None:
        if destination == RELAY:
            peer.streams[socket] = (self.relay, 0)
            peer.paths.connected(socket, self.now)
            return
        for other in self.peers:
            listener = other.listening.get(destination.port)
            if other.nat.address == destination.host and other.nat.kind == "open" and listener is not None:
                number = other.paths.accepted(listener, Endpoint(peer.nat.address, 9), self.now)
                if number is not None:
                    peer.streams[socket] = (other, number)
                    other.streams[number] = (peer, socket)
                    peer.paths.connected(socket, self.now)

    def _packet(self, source: Endpoint, destination: Endpoint, data: bytes) -> None:
        if destination == RELAY:
            self.relay.datagram(data, source)
            return
        for peer in self.peers:
            if peer.nat.address != destination.host:
                continue
            inner = peer.nat.into(source, destination.port)
            for number, local in list(peer.sockets.items()):
                if inner is not None and local.port == inner.port:
                    peer.paths.receive(number, data, source, self.now)


def orders(plan: Plan, side: Side, first: int = 0) -> list[StepOrder]:
    """*side*'s part of *plan*, as the rendezvous tells it; numbers begin after *first*."""
    told = []
    for number, step in enumerate(plan.steps, first + 1):
        order = step.order(side)
        if order is not None:
            told.append(
                StepOrder(
                    number=number,
                    technique=step.technique,
                    transport=step.transport,
                    family=step.family,
                    kind=step.kind,
                    preference=step.preference,
                    deadline=step.deadline,
                    guess=step.guess,
                    why=step.why,
                    order=order,
                )
            )
    return told


def pair(host: str, guest: str, *, seed: int = 1, loss: float = 0.0) -> tuple[World, Peer, Peer]:
    """A host and a guest behind routers of those kinds."""
    world = World(seed=seed, loss=loss)
    return (
        world,
        world.add(Side.HOST, host, "198.51.100.10"),
        world.add(Side.GUEST, guest, "192.0.2.20"),
    )
