"""The guest's door for UDP: each local endpoint of the game becomes a flow to the host."""

from __future__ import annotations

from collections import deque

from wlnet.client.forward.flows import Numbers, Recent, pack, unpack
from wlnet.client.forward.grumbling import Grumbling
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.places import Place
from wlnet.client.forward.players import CannotError, SendDatagram
from wlnet.client.forward.tally import Tally
from wlnet.client.net.network import Network, Timer
from wlnet.protocols.stun.wire import Endpoint


class UdpDoor:
    """Is bound when made. While no path is there, the newest datagrams wait, a bounded number of them.

    :raises OSError: it cannot be bound.
    """

    def __init__(
        self, network: Network, place: Place, tally: Tally, grumbling: Grumbling, limits: ForwardLimits
    ) -> None:
        self._network = network
        self._tally = tally
        self._grumbling = grumbling
        self._limits = limits
        self._send: SendDatagram | None = None
        self._numbers = Numbers()
        self._sources: Recent[int, Endpoint] = Recent(limits.flows, limits.flow_idle)
        self._flows: dict[Endpoint, int] = {}
        self._early: deque[tuple[Endpoint, bytes]] = deque()
        self._early_bytes = 0
        self._sweep: Timer | None = None
        self._closed = False
        self._socket = network.open_datagram(
            place.family, self._from_game, address=place.address, port=place.port
        )

    @property
    def local(self) -> Endpoint:
        """Where it is bound."""
        return self._socket.local

    @property
    def flows(self) -> int:
        """Local endpoints of the game."""
        return len(self._sources)

    def begin(self, send: SendDatagram) -> None:
        """The other player is there."""
        self._send = send
        early, self._early, self._early_bytes = self._early, deque(), 0
        for source, data in early:
            self._from_game(data, source)

    def interrupt(self) -> None:
        """He is gone. The game may not notice: its flows go on when he is back."""
        self._send = None

    def close(self) -> None:
        """No more."""
        self._closed = True
        self._socket.close()
        if self._sweep is not None:
            self._sweep.cancel()

    def from_peer(self, datagram: bytes) -> None:
        """The other player's game says something."""
        if self._closed:
            return
        parts = unpack(datagram)
        if parts is None:
            self._complain("malformed", "The other player sends datagrams this program does not understand.")
            return
        flow, data = parts
        source = self._sources.use(flow, self._network.now())
        if source is None:
            self._tally.drop("unknown flow")  # late: its endpoint was silent for long
            return
        self._tally.received += len(data)
        if not self._socket.send(data, source):
            self._complain("refused", f"A datagram of {len(data)} bytes could not be given to the game.")

    def _from_game(self, data: bytes, source: Endpoint) -> None:
        if self._send is None:
            self._keep(data, source)
            return
        flow = self._flow(source)
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

    def _keep(self, data: bytes, source: Endpoint) -> None:
        self._early.append((source, data))
        self._early_bytes += len(data)
        while len(self._early) > self._limits.early_datagrams or self._early_bytes > self._limits.early_bytes:
            self._early_bytes -= len(self._early.popleft()[1])
            self._tally.drop("no path")

    def _flow(self, source: Endpoint) -> int:
        now = self._network.now()
        flow = self._flows.get(source)
        if flow is not None and self._sources.use(flow, now) is not None:
            return flow
        flow = self._flows[source] = self._numbers.new(self._sources)
        gone = self._sources.add(flow, source, now)
        if gone is not None:
            self._flows.pop(gone[1], None)
            self._complain(
                "flows", f"The game uses more than {self._limits.flows} ports; the oldest one was forgotten."
            )
        self._tally.flows += 1
        self._appoint()
        return flow

    def _appoint(self) -> None:
        deadline = self._sources.next_deadline()
        if deadline is not None and self._sweep is None:
            self._sweep = self._network.call_later(max(0.0, deadline - self._network.now()), self._expire)

    def _expire(self) -> None:
        self._sweep = None
        for _, source in self._sources.expired(self._network.now()):
            self._flows.pop(source, None)
        self._appoint()

    def _complain(self, kind: str, text: str) -> None:
        self._grumbling.about(kind, text, self._tally, self._network.now())
