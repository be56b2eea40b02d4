"""The host's side of one guest's UDP: each flow has a socket of its own, so the game sees them apart."""

from __future__ import annotations

from functools import partial

from wlnet.client.forward.flows import Recent, pack, unpack
from wlnet.client.forward.grumbling import Grumbling
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.places import Target, endpoint, family_of
from wlnet.client.forward.players import CannotError, SendDatagram
from wlnet.client.forward.tally import Tally
from wlnet.client.net.network import DatagramSocket, Network, Timer
from wlnet.protocols.stun.wire import Endpoint


class UdpCalls:
    """Sends to *target*, and to nothing else, for one guest; only what comes from there goes back."""

    def __init__(
        self,
        network: Network,
        target: Target,
        send: SendDatagram,
        tally: Tally,
        grumbling: Grumbling,
        limits: ForwardLimits,
    ) -> None:
        self._network = network
        self._target = endpoint(target.addresses[0], target.port)
        self._name = str(target)
        self._send = send
        self._tally = tally
        self._grumbling = grumbling
        self._limits = limits
        self._sockets: Recent[int, DatagramSocket] = Recent(limits.flows, limits.flow_idle)
        self._sweep: Timer | None = None
        self._closed = False

    @property
    def flows(self) -> int:
        """Sockets for this guest."""
        return len(self._sockets)

    def from_peer(self, datagram: bytes) -> None:
        """The guest's game says something."""
        if self._closed:
            return
        parts = unpack(datagram)
        if parts is None:
            self._complain("malformed", "A guest sends datagrams this program does not understand.")
            return
        flow, data = parts
        socket = self._sockets.use(flow, self._network.now()) or self._new(flow)
        if socket is None:
            return
        self._tally.received += len(data)
        if not socket.send(data, self._target):
            self._complain("refused", f"A datagram of {len(data)} bytes could not be given to the game.")

    def close(self) -> None:
        """The guest is gone."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for _, socket in self._sockets.clear():
            socket.close()

    def _new(self, flow: int) -> DatagramSocket | None:
        family = family_of(self._target.host)
        source = self._network.source_for(self._target) or ""
        try:
            socket = self._network.open_datagram(family, partial(self._from_game, flow), address=source)
        except OSError as error:
            self._complain("sockets", f"No socket could be opened for a guest: {error.strerror or error}.")
            return None
        gone = self._sockets.add(flow, socket, self._network.now())
        if gone is not None:
            gone[1].close()
            self._complain(
                "flows", f"A guest uses more than {self._limits.flows} ports; the oldest one was forgotten."
            )
        self._tally.flows += 1
        self._appoint()
        return socket

    def _from_game(self, flow: int, data: bytes, source: Endpoint) -> None:
        if self._closed or source != self._target:
            return
        self._sockets.use(flow, self._network.now())
        try:
            self._send(pack(flow, data))
        except ValueError:
            self._complain(
                "too long", f"The game sent a datagram of {len(data)} bytes: too long to be carried."
            )
        except CannotError:
            self._tally.drop("no path")
        else:
            self._tally.sent += len(data)

    def _appoint(self) -> None:
        deadline = self._sockets.next_deadline()
        if deadline is not None and self._sweep is None:
            self._sweep = self._network.call_later(max(0.0, deadline - self._network.now()), self._expire)

    def _expire(self) -> None:
        self._sweep = None
        for _, socket in self._sockets.expired(self._network.now()):
            socket.close()
        self._appoint()

    def _complain(self, kind: str, text: str) -> None:
        self._grumbling.about(kind, text, self._tally, self._network.now())
