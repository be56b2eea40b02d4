"""The room of a game that is hosted on this machine: guests over paths and guests of the public relay in one.

The agent runs a relay of its own with that one room (:mod:`wlnet.relay`), so ids, kicks, leaving and reasons
are what the game knows. At the public relay the agent is the host in the game's name; each guest there has a
seat here. The game is let in here once it is let in there.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Protocol

from wlnet.agent import public_room
from wlnet.agent.hello import Hello
from wlnet.agent.options import AgentOptions
from wlnet.agent.seats import LocalSeat, PathSeat, PublicSeat, Seat
from wlnet.client.forward.tally import Tally
from wlnet.client.lobby.dialing import Dialing, Unreachable
from wlnet.client.net.network import Network, Stream, StreamEnd, Timer
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.protocols.stun.wire import Endpoint
from wlnet.protocols.widelands_relay import wire
from wlnet.relay.relay import Relay

_CONGESTED = 256 * 1024
"""Bytes waiting for the public relay above which its guests are not given more."""
_CONNECT = 8.0
_WELCOME = 10.0
"""Seconds to reach the public relay, and until it has let us in; so long released games wait for Welcome."""


class RoomUser(Protocol):
    """Who owns a room hears of it here."""

    def room_open(self, room: HostedRoom) -> None:
        """The game is its host now."""

    def room_lost_relay(self, room: HostedRoom, reason: str) -> None:
        """The public relay is gone with its guests; the others play on."""

    def room_over(self, room: HostedRoom, reason: str) -> None:
        """It is gone; said once, last. *reason* is empty if the host just left."""


class HostedRoom:
    """One room.

    :param relays: addresses of the public relay.
    :ivar game: its name.
    """

    def __init__(
        self,
        network: Network,
        relay: Relay,
        game: str,
        relays: tuple[str, ...],
        options: AgentOptions,
        user: RoomUser,
    ) -> None:
        self.game = game
        self._network = network
        self._relay = relay
        self._relays = relays
        self._options = options
        self._user = user
        self._numbers = count(1)
        self._hello: Hello | None = None
        self._host: LocalSeat | None = None
        self._paths: dict[Seat, object] = {}
        self._guests: dict[int, PublicSeat] = {}
        self._public: public_room.PublicRoom | None = None
        self._dialing: Dialing | None = None
        self._stream: Stream | None = None
        self._over = False
        self._doubt: Timer | None = None
        self._timer: Timer | None = network.call_later(
            options.come, lambda: self.close("The game did not come.")
        )

    @property
    def wanted(self) -> bool:
        """Its host has not come yet."""
        return self._hello is None and not self._over

    @property
    def guests(self) -> tuple[int, int]:
        """How many are there: over paths, at the public relay."""
        return len(self._paths), len(self._guests)

    # -- the game --------------------------------------------------------------------------------

    def host_came(self, stream: Stream, hello: Hello) -> None:
        """The game is there; it waits for its Welcome."""
        self._hello = hello
        hello.gone = self._waiting_lost
        stream.pause()
        self._appoint(_WELCOME, lambda: self._refused("TIMEOUT", "The relay does not let the game in."))
        self._public = public_room.PublicRoom(wire.hello(hello.version, hello.game, hello.password))
        self._dialing = Dialing(
            self._network,
            self._relays,
            self._options.public_relay_port,
            _Upstream(self),
            self._dialed,
            timeout=_CONNECT,
        )

    def _waiting_lost(self, hello: Hello) -> None:  # noqa: ARG002
        self.close("")

    def _refused(self, word: str, reason: str) -> None:
        self._refuse(word)
        self.close(reason)

    def _appoint(self, delay: float | None, call: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._network.call_later(delay, call) if delay is not None else None

    def _dialed(self, result: Stream | Unreachable) -> None:
        self._dialing = None
        if isinstance(result, Unreachable):
            self._refused("GAME_UNKNOWN", f"The relay cannot be reached: {result.text}.")
            return
        self._stream = result
        self._flush()

    def _welcome(self) -> None:
        hello = self._hello
        stream = hello.stream if hello is not None else None
        if hello is None or stream is None or self._host is not None:
            return
        self._appoint(None, lambda: None)
        name, password = hello.game.decode("utf-8", "surrogateescape"), hello.password.decode("latin-1")
        if not self._relay.open_room(self.game, name, password, ""):
            self._refused("GAME_UNKNOWN", "A room of that name is open already.")
            return
        self._host = LocalSeat(self._relay, f"{self.game} host", self._host_left, stream)
        hello.hand_over(self._host)
        stream.resume()
        self._user.room_open(self)

    def _host_left(self, seat: Seat) -> None:  # noqa: ARG002  there is one host
        self.close("")

    def _refuse(self, reason: str) -> None:
        if self._hello is not None and self._host is None:
            self._hello.refuse(reason.encode("ascii", "replace"))

    # -- guests over paths -----------------------------------------------------------------------

    def guest_came(self, owner: object, stream: PeerStream, tally: Tally) -> StreamUser | None:
        """A guest's game at the other end of a tunnel; None: there is no room, or he has too many seats."""
        if self._host is None or self._over or self._seats(owner) >= self._options.streams:
            return None
        seat = PathSeat(
            self._relay, f"{self.game} path {next(self._numbers)}", self._path_left, stream, tally
        )
        self._paths[seat] = owner
        return seat

    def plays(self, owner: object) -> bool:
        """He has a seat."""
        return bool(self._seats(owner))

    def _seats(self, owner: object) -> int:
        return sum(one is owner for one in self._paths.values())

    def _path_left(self, seat: Seat) -> None:
        self._paths.pop(seat, None)

    # -- the public relay ------------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """See :class:`~wlnet.agent.seats.Public`."""
        return self._stream is not None and self._stream.waiting > _CONGESTED

    def say(self, guest: int, packet: bytes) -> None:
        """See :class:`~wlnet.agent.seats.Public`."""
        if self._public is not None:
            self._public.say(guest, packet)
            self._flush()

    def dismiss(self, guest: int) -> None:
        """See :class:`~wlnet.agent.seats.Public`."""
        if self._public is not None:
            self._public.dismiss(guest)
            self._flush()

    def doubt(self) -> None:
        """See whether the public relay is there: the lobby was lost, and it may have been lost as well.

        The game waits for guests it does not hear of, so all would stand still until the silence is too long.
        """
        if self._host is None or self._public is None or self._doubt is not None:
            return
        self._doubt = self._network.call_later(
            self._options.relay_answer, lambda: self.upstream_lost("TIMEOUT")
        )
        self._public.ask()
        self._flush()

    def _trust(self) -> None:
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None

    def upstream_said(self, data: bytes) -> None:
        """Bytes of the public relay."""
        public = self._public
        if public is None:
            return
        self._trust()
        public.receive(data)
        for event in public.events():
            self._happened(event)
        self._flush()

    def upstream_roomy(self) -> None:
        """The public relay takes more."""
        for seat in list(self._guests.values()):
            seat.roomy()

    def upstream_lost(self, reason: str) -> None:
        """The public relay is gone."""
        if self._over or self._public is None:
            return
        self._public = None
        self._appoint(None, lambda: None)
        self._trust()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        for seat in list(self._guests.values()):
            seat.withdrawn()
        if self._host is None:
            self._refused(reason, f"The relay refused the game: {reason}.")
        elif not self._paths:
            self.close(f"The relay has ended the game: {reason}.")
        else:
            self._user.room_lost_relay(self, reason)

    def _happened(self, event: public_room.Event) -> None:
        match event:
            case public_room.Welcomed():
                self._welcome()
            case public_room.Pinged():
                if self._host is not None and self._public is not None:
                    self._appoint(self._options.relay_silence, lambda: self.upstream_lost("TIMEOUT"))
            case public_room.GuestCame(guest=guest):
                self._public_guest(guest)
            case public_room.GuestLeft(guest=guest):
                if guest in self._guests:
                    self._guests[guest].withdrawn()
            case public_room.GuestSaid(guest=guest, packet=packet):
                if guest in self._guests:
                    self._guests[guest].said(packet)
            case public_room.Over(reason=reason):
                self.upstream_lost(reason)

    def _public_guest(self, guest: int) -> None:
        hello = self._hello
        if hello is None or self._host is None or self._over:
            return
        former = self._guests.pop(guest, None)
        if former is not None:
            former.withdrawn()
        seat = PublicSeat(
            self._relay, f"{self.game} guest {guest}", self._public_left, self, guest, self._soon
        )
        self._guests[guest] = seat
        seat.enter(hello.version, hello.game)

    def _public_left(self, seat: Seat) -> None:
        if isinstance(seat, PublicSeat) and self._guests.get(seat.guest) is seat:
            del self._guests[seat.guest]

    def _flush(self) -> None:
        if self._stream is not None and self._public is not None:
            data = self._public.transmits()
            if data:
                self._stream.write(data)

    def _soon(self, call: Callable[[], None]) -> None:
        self._network.call_later(0.0, call)

    # -- the end ---------------------------------------------------------------------------------

    def close(self, reason: str) -> None:
        """End it: everybody is told."""
        if self._over:
            return
        self._over = True
        self._appoint(None, lambda: None)
        self._trust()
        if self._dialing is not None:
            self._dialing.cancel()
        self._refuse("NORMAL")
        self._relay.close_room(self.game)
        self._relay.outgoing.flush()
        self._flush()
        stream, self._stream, self._public = self._stream, None, None
        if stream is not None:
            stream.close()
        self._user.room_over(self, reason)


class _Upstream:
    """Handler of the connection to the public relay."""

    def __init__(self, room: HostedRoom) -> None:
        self._room = room

    def connected(self, local: Endpoint) -> None:
        """The room is told by the dialing."""

    def received(self, data: bytes) -> None:
        """Pass it on."""
        self._room.upstream_said(data)

    def ended(self) -> None:
        """The relay has closed."""
        self._room.upstream_lost("CONNECTION_LOST")

    def drained(self) -> None:
        """Pass it on."""
        self._room.upstream_roomy()

    def closed(self, end: StreamEnd) -> None:  # noqa: ARG002  the reason is of no use to a player
        """It is gone."""
        self._room.upstream_lost("CONNECTION_LOST")
