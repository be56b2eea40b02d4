"""The server's real STUN responder on a simulated host, and what else it hears at those ports."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.task import Clock

from tests.support.simnet import SimDatagramSocket, SimHost, SimNet
from wlnet.client.net.network import Stream, StreamEnd, StreamHandler
from wlnet.config.schema import Limits
from wlnet.limits.addresses import TrustedNetworks
from wlnet.metrics import Metrics
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.endpoints import OwnEndpoints
from wlnet.protocols.stun.responder import Responder
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

PORTS = (3478, 3479)
FIRST, SECOND = "203.0.113.1", "203.0.113.2"
FIRST_V6, SECOND_V6 = "2001:db8:ffff::1", "2001:db8:ffff::2"
SERIAL = slice(11, 19)
"""Of the ticket in the packet."""


class SimStun:
    """STUN at two addresses of each family, both ports, UDP and TCP.

    :ivar observed: sources and serials of the packets of players.
    :ivar asked: sources of STUN requests over UDP, in order; *connected*: over TCP.
    """

    def __init__(self, net: SimNet, *, v6: bool = True, seconds: bool = True) -> None:
        addresses = [FIRST, SECOND, *([FIRST_V6, SECOND_V6] if v6 else [])]
        if not seconds:
            addresses = [one for one in addresses if one in (FIRST, FIRST_V6)]
        self.host: SimHost = net.host("server", addresses)
        self.observed: list[tuple[Endpoint, bytes]] = []
        self.asked: list[Endpoint] = []
        self.connected: list[Endpoint] = []
        self.deaf_to: Callable[[bytes, Endpoint], bool] = lambda data, source: False
        firsts = tuple(one for one in addresses if one in (FIRST, FIRST_V6))
        others = tuple(one for one in addresses if one not in firsts)
        self._responder = Responder(
            OwnEndpoints(PORTS, firsts, others, None),
            Limits(),
            net_clock(net).seconds,
            Metrics(),
            TrustedNetworks(()),
        )
        self._sockets: dict[Endpoint, SimDatagramSocket] = {}
        for address in addresses:
            family = Family.V6 if ":" in address else Family.V4
            for port in PORTS:
                local = Endpoint(address, port)
                self._sockets[local] = self.host.open_datagram(
                    family, partial(self._received, local), address=address, port=port, reuse=True
                )
                self.host.listen(
                    family, partial(self._accepted, local), address=address, port=port, reuse=True
                )

    def _received(self, local: Endpoint, data: bytes, source: Endpoint) -> None:
        if self.deaf_to(data, source):
            return
        if data[0] == 0x24:
            self.observed.append((source, data[SERIAL]))
            self._sockets[local].send(b"\x25" + data[SERIAL], source)
            return
        self.asked.append(source)
        answer = self._responder.datagram(data, source, local)
        if answer is not None:
            self._sockets[answer.origin].send(answer.data, answer.destination)

    def _accepted(self, local: Endpoint, stream: Stream) -> StreamHandler:
        self.connected.append(stream.remote)
        return _Talk(self._responder, local, stream)


class _Talk(StreamHandler):
    def __init__(self, responder: Responder, local: Endpoint, stream: Stream) -> None:
        self._responder = responder
        self._local = local
        self._stream = stream
        self._buffer = b""

    def connected(self, local: Endpoint) -> None:
        raise AssertionError("accepted")

    def received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= wire.HEADER:
            length = wire.message_length(self._buffer)
            if len(self._buffer) < length:
                return
            request, self._buffer = self._buffer[:length], self._buffer[length:]
            answer = self._responder.message(request, self._stream.remote, self._local)
            if answer is not None:
                self._stream.write(answer)

    def ended(self) -> None:
        self._stream.close()

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        pass


def net_clock(net: SimNet) -> Clock:
    """A clock that shows the time of *net*."""
    clock = Clock()
    clock.seconds = lambda: net.time  # type: ignore[method-assign]
    return clock
