"""One TCP port for all attempts that everybody reaches as 443: some networks let out nothing else.

It is 443 itself where a public address is ours, else one the router maps to its 443. The first frame of a
connection is a check, which names the attempt it is for.
"""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather.mappings import Lease, Mapped, Mapper
from wlnet.client.gather.strangers import WAIT, Strangers, Verdict
from wlnet.client.gather.words import WEB_PORT
from wlnet.client.net.network import Accepted, Listener, Network, Stream, StreamHandler
from wlnet.protocols.exchange.checks import CHECK_SIZE, REPLY, REQUEST
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Transport

_HEAD = 8
"""Length of the frame (2 bytes), type, flags, attempt (4)."""


class WebDoors:
    """The doors of one client, one a family; each is open while an attempt needs it.

    :param mapper: asks the router for its 443; None: nobody does.
    """

    def __init__(self, network: Network, mapper: Mapper | None) -> None:
        self._network = network
        self._mapper = mapper
        self._doors: dict[tuple[Family, bool], _Door] = {}

    def enter(
        self,
        family: Family,
        attempt: int,
        *,
        public: bool,
        knocked: Callable[[str], None],
        changed: Callable[[], None],
    ) -> WebSeat | None:
        """A seat at the door of that family; None: there is no use in one.

        :param public: an address of our own is public.
        :param knocked: a test packet of the server came.
        :param changed: :attr:`WebSeat.granted` is another one.
        :raises OSError: the port cannot be had: mostly that is not allowed, or somebody else has it.
        """
        mapper = self._mapper if family is Family.V4 and not public else None
        if not public and mapper is None:
            return None
        door = self._doors.get((family, public))
        if door is None or door.closed:
            door = self._doors[family, public] = _Door(self._network, family, mapper, public=public)
        seat = WebSeat(door, attempt, knocked, changed)
        door.seats.append(seat)
        return seat


class WebSeat(Listener):
    """One attempt's part of a door.

    :ivar accepted: of who adopted it.
    """

    def __init__(
        self, door: _Door, attempt: int, knocked: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.attempt = attempt
        self.knocked: Callable[[str], None] | None = knocked
        self.changed = changed
        self.accepted: Accepted | None = None
        self.closed = False
        self._door = door

    @property
    def adopted(self) -> bool:
        """Somebody has taken it."""
        return self.accepted is not None

    @property
    def granted(self) -> Mapped | None:
        """What the router made of the door."""
        return self._door.granted

    @property
    def local(self) -> Endpoint:
        """Where the door is bound."""
        return self._door.local

    def adopt(self, accepted: Accepted) -> Listener | None:
        """Take it; None: somebody has, or it is closed."""
        if self.adopted or self.closed:
            return None
        self.accepted = accepted
        self._door.look_again()
        return self

    def forget(self) -> None:
        """The gathering is over: call it no more, and leave unless somebody took the seat."""
        self.knocked = None
        self.changed = lambda: None
        if not self.adopted:
            self.close()

    def close(self) -> None:
        """Leave; connections that were handed over live on."""
        if not self.closed:
            self.closed = True
            self._door.remove(self)


class _Door:
    """The port. Closed for good with its last seat."""

    def __init__(self, network: Network, family: Family, mapper: Mapper | None, *, public: bool) -> None:
        self.seats: list[WebSeat] = []
        self.granted: Mapped | None = None
        self.closed = False
        self._network = network
        self._strangers = Strangers(network, self._judge, self._knocked)
        port = WEB_PORT if public else 0
        self._listener = network.listen(family, self._strangers.arrived, port=port, reuse=not public)
        self._lease: Lease | None = None
        if mapper is not None:
            self._lease = mapper.map(Transport.TCP, family, self.local.port, self._told, wanted_port=WEB_PORT)

    @property
    def local(self) -> Endpoint:
        """Where it is bound."""
        return self._listener.local

    def look_again(self) -> None:
        """A seat was taken."""
        self._network.call_later(0.0, self._strangers.decide_again)

    def remove(self, seat: WebSeat) -> None:
        """A seat is free for good."""
        self.seats.remove(seat)
        if not self.seats and not self.closed:
            self.closed = True
            if self._lease is not None:
                self._lease.close()
            self._listener.close()
            self._strangers.close()

    def _told(self, mapped: Mapped | None) -> None:
        self.granted = mapped if mapped is not None and mapped.port == WEB_PORT else None
        for seat in list(self.seats):
            seat.changed()

    def _knocked(self, token: str) -> None:
        """The token is the player's, whichever attempt asked for it."""
        for seat in self.seats:
            if seat.knocked is not None:
                seat.knocked(token)
                return

    def _judge(self, first: bytes, stream: Stream) -> StreamHandler | Verdict | None:
        if len(first) < _HEAD:
            return WAIT
        if int.from_bytes(first[:2], "big") != CHECK_SIZE or first[2] not in (REQUEST, REPLY):
            return None
        attempt = int.from_bytes(first[4:_HEAD], "big")
        for seat in self.seats:
            if seat.attempt == attempt:
                return WAIT if seat.accepted is None else seat.accepted(stream)
        return None
