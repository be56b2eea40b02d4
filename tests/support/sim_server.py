"""The whole server on a simulated host: lobby, rendezvous, STUN and the relay of pairs, as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count

import msgspec

from tests.support.lobby import Rig
from tests.support.pairs import PairRig
from tests.support.sim_stun import FIRST, PORTS, SimStun
from tests.support.simnet import WALL, SimDatagramSocket, SimHost, SimNet, SimTimer
from wlnet.client.net.network import Stream, StreamEnd, StreamHandler
from wlnet.config import schema
from wlnet.limits.budget import QueueBudget
from wlnet.protocols.exchange import observation
from wlnet.protocols.exchange.session import exchanges
from wlnet.protocols.metaserver.session import Session
from wlnet.protocols.pairs import wire as pairs_wire
from wlnet.protocols.pairs.stream import StreamSide
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.desk import Desk
from wlnet.rendezvous.ports import StunPlace
from wlnet.steering.model import Family, Side, Transport
from wlnet.steering.rules import RelayPlace
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair

LOBBY_PORT = 7395
_OBSERVE = 0x24


class SimServer:
    """At 203.0.113.1 (and, for STUN, .2), with the ports everybody expects.

    :ivar relay_up: False: the relay of pairs is deaf.
    :ivar has_relay: False: attempts begin without one.
    :ivar rig: the lobby.
    """

    def __init__(self, net: SimNet, *, v6: bool = False, settings: dict[str, object] | None = None) -> None:
        self.net = net
        self.relay_up = True
        self.has_relay = True
        self.rig = Rig()
        self.relay_starts()
        self.stun = SimStun(net, v6=v6)
        self.host: SimHost = self.stun.host
        self.place = RelayPlace(addresses=(FIRST,), udp_port=3479, tcp_port=3479, tls_port=0)
        self._fresh = count(1)
        self.desk = Desk(
            self.rig.lobby,
            msgspec.convert(settings or {}, schema.Rendezvous),
            self.rig.metrics,
            _Relays(self),
            _Reach(self),
            self.rig.sanctions,
            wall=lambda: WALL + net.time - 1000.0,
            random_bytes=net.random.randbytes,
            new_game_id=lambda: f"peer{next(self._fresh)}",
        )
        self.rig.office = replace(self.rig.office, extension=exchanges(self.desk, self.rig.metrics))
        self.connections: list[_Player] = []
        self._timers: dict[int, SimTimer] = {}
        self._sockets: dict[Endpoint, SimDatagramSocket] = {}
        for socket in self.host.datagram_sockets:
            self._sockets[socket.local] = socket
            socket.received = partial(self._datagram, socket, socket.received)
        for listener in self.host.listeners:
            if listener.local.port == PORTS[1]:
                listener.accepted = partial(self._relayed, listener.accepted)
        self.lobby_up()
        self.sync()

    # -- what tests do ---------------------------------------------------------------------------

    def relay_starts(self) -> None:
        """It knows nothing of earlier pairs."""
        self.pair_rig = PairRig(
            rate=4_000_000, burst=2_000_000, address_rate=8_000_000, address_burst=4_000_000
        )
        self.pair_rig.clock.rightNow = self.net.time
        self.pair_rig.front._send = self._send  # what the rig would only note goes over the network

    def lobby_up(self) -> None:
        """Listen for players."""
        self._listener = self.host.listen(Family.V4, self._player, port=LOBBY_PORT)

    def lobby_down(self) -> None:
        """All connections of players break, and nobody can connect."""
        self._listener.close()
        for player in list(self.connections):
            player.cut()
        self.sync()

    def sync(self) -> None:
        """Do what is due, send what is said, come back when there is more."""
        rigs = ((self.rig.clock, self.rig.agenda), (self.pair_rig.clock, self.pair_rig.agenda))
        for number, (clock, agenda) in enumerate(rigs):
            clock.rightNow = self.net.time
            agenda.run_due()
            due = agenda.next_deadline()
            timer = self._timers.pop(number, None)
            if timer is not None:
                timer.cancel()
            if due is not None:
                self._timers[number] = self.net.call_later(max(0.0, due - self.net.time) + 1e-6, self.sync)

    # -- lobby -----------------------------------------------------------------------------------

    def _player(self, stream: Stream) -> StreamHandler:
        self.rig.clock.rightNow = self.net.time
        player = _Player(self, stream)
        self.connections.append(player)
        return player

    # -- datagrams -------------------------------------------------------------------------------

    def _datagram(
        self,
        socket: SimDatagramSocket,
        stun: Callable[[bytes, Endpoint], None],
        data: bytes,
        source: Endpoint,
    ) -> None:
        if data[0] in pairs_wire.FIRST_BYTES and socket.local.port == PORTS[1]:
            if self.relay_up:
                self.pair_rig.clock.rightNow = self.net.time
                self.pair_rig.front.datagram(data, source, socket.local)
                self.sync()
        elif data[0] == _OBSERVE:
            answer = observation.observe(self.desk, data, source.host)
            if answer is not None:
                socket.send(answer, source)
            self.sync()
        else:
            stun(data, source)

    def _send(self, data: bytes, destination: Endpoint, local: Endpoint) -> bool:
        return self._sockets[local].send(data, destination)

    def _relayed(self, stun: Callable[[Stream], StreamHandler | None], stream: Stream) -> StreamHandler:
        return _Sniffer(self, stream, stun)


class _Player(StreamHandler):
    """One connection to the lobby: the session's output, the stream's handler."""

    def __init__(self, server: SimServer, stream: Stream) -> None:
        self.congested = False
        self._server = server
        self._stream = stream
        self.session = Session(
            server.rig.office,
            self,
            address=stream.remote.host,
            reached_at=stream.local.host,
            session_id=f"s{next(server.rig.numbers)}",
        )

    def cut(self) -> None:
        self._server.connections.remove(self)
        self._stream.abort()
        self.session.connection_lost()

    # Output
    def send(self, packet: bytes) -> None:
        self._stream.write(packet)

    def close(self) -> None:
        self._stream.close()

    def pause(self) -> None:
        self._stream.pause()

    def resume(self) -> None:
        self._stream.resume()

    def note(self, what: str, **values: object) -> None:
        pass

    # StreamHandler
    def connected(self, local: Endpoint) -> None:
        raise AssertionError("accepted")

    def received(self, data: bytes) -> None:
        self._server.rig.clock.rightNow = self._server.net.time
        self.session.receive(data)
        self._server.sync()

    def ended(self) -> None:
        self._stream.close()

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        if self in self._server.connections:
            self._server.connections.remove(self)
            self.session.connection_lost()
            self._server.sync()


class _Sniffer(StreamHandler):
    """STUN or a side of a pair over TCP, by the first byte."""

    def __init__(
        self, server: SimServer, stream: Stream, stun: Callable[[Stream], StreamHandler | None]
    ) -> None:
        self._server = server
        self._stream = stream
        self._stun = stun
        self._handler: StreamHandler | None = None
        self._side: StreamSide | None = None

    def connected(self, local: Endpoint) -> None:
        raise AssertionError("accepted")

    def received(self, data: bytes) -> None:
        rig = self._server.pair_rig
        rig.clock.rightNow = self._server.net.time
        if self._handler is None and self._side is None:
            if data[:1] == b"W":
                self._side = StreamSide(
                    rig.pairs, self._stream.remote, self, rig.agenda, rig.metrics, QueueBudget(10_000_000)
                )
            else:
                self._handler = self._stun(self._stream)
        if self._handler is not None:
            self._handler.received(data)
        elif self._side is not None and self._server.relay_up:
            self._side.receive(data)
            self._server.sync()

    # Wires
    def write(self, data: bytes) -> None:
        self._stream.write(data)

    def close(self) -> None:
        self._stream.close()

    def abort(self) -> None:
        self._stream.abort()

    # StreamHandler
    def ended(self) -> None:
        self._stream.close()
        self.closed(StreamEnd())

    def drained(self) -> None:
        if self._side is not None:
            self._side.drained()

    def closed(self, end: StreamEnd) -> None:
        side, self._side = self._side, None
        if side is not None:
            side.lost()


class _Relays:
    """See :class:`wlnet.rendezvous.ports.PairRelays`."""

    def __init__(self, server: SimServer) -> None:
        self._server = server

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:
        return self._server.place if self._server.has_relay else None

    def stun(self, reached_at: str) -> StunPlace | None:
        return StunPlace(addresses=(FIRST,), port=PORTS[0], second_port=PORTS[1])

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        return self._server.place.addresses if self._server.has_relay else ()

    def keys(self) -> TicketKeys:
        return self._server.pair_rig.pairs._keys()

    def quotas(self, pair: str, side: Side, address: str) -> RelayPair:
        return RelayPair(pair=pair, side=side, address=address)

    def revoke(self, pair: str) -> None:
        self._server.pair_rig.pairs.revoke(pair)


class _Reach:
    """Knocks from a port nobody ever sent to."""

    def __init__(self, server: SimServer) -> None:
        self._server = server

    def knock(self, transport: Transport, address: str, port: int, packet: bytes, timeout: float) -> None:
        family = Family.V6 if ":" in address else Family.V4
        if transport is Transport.UDP:
            socket = self._server.host.open_datagram(family, lambda data, source: None)
            socket.send(packet, Endpoint(address, port))
            self._server.net.call_later(timeout, socket.close)
        else:
            knocker = _Knocker(packet)
            stream = self._server.host.connect(Endpoint(address, port), knocker)
            knocker.stream = stream
            self._server.net.call_later(timeout, stream.abort)


class _Knocker(StreamHandler):
    def __init__(self, packet: bytes) -> None:
        self.stream: Stream | None = None
        self._packet = packet

    def connected(self, local: Endpoint) -> None:
        assert self.stream is not None
        self.stream.write(self._packet)
        self.stream.close()

    def received(self, data: bytes) -> None:
        pass

    def ended(self) -> None:
        pass

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        pass
