"""The agent as the host of a room at the public relay: docs/protocols/relay.md, seen from a host."""

from __future__ import annotations

from msgspec import Struct

from wlnet.protocols.widelands_relay import wire

_MAX_TEXT = 4096
"""Bytes of a frame that is a text, before it counts as nonsense."""


class Welcomed(Struct, frozen=True):
    """The room is ours."""


class Pinged(Struct, frozen=True):
    """The relay is there; it was answered."""


class GuestCame(Struct, frozen=True):
    """A guest of that id is there."""

    guest: int


class GuestLeft(Struct, frozen=True):
    """He is gone."""

    guest: int


class GuestSaid(Struct, frozen=True):
    """A packet of his, with its length."""

    guest: int
    packet: bytes


class Over(Struct, frozen=True):
    """The relay ends the connection; *reason* is its word for it."""

    reason: str


Event = Welcomed | Pinged | GuestCame | GuestLeft | GuestSaid | Over


class PublicRoom:
    """The machine of one connection to the relay.

    :param hello: what the game said to be let in, its Hello with all that belongs to it.
    """

    def __init__(self, hello: bytes) -> None:
        self._out = bytearray(hello)
        self._data = bytearray()
        self._events: list[Event] = []
        self._over = False

    def transmits(self) -> bytes:
        """Bytes for the relay; fetching them takes them."""
        taken = bytes(self._out)
        self._out.clear()
        return taken

    def events(self) -> list[Event]:
        """What has happened."""
        taken, self._events = self._events, []
        return taken

    def receive(self, data: bytes) -> None:
        """Bytes of the relay."""
        if self._over:
            return
        self._data += data
        buffer = bytes(self._data)
        at = 0
        try:
            while not self._over:
                length = wire.length_from_relay(buffer, at)
                if length == 0 or at + length > len(buffer):
                    break
                self._frame(buffer[at : at + length])
                at += length
        except ValueError:
            self._end("PROTOCOL_VIOLATION")
        del self._data[:at]
        if len(self._data) > wire.MAX_PACKET + _MAX_TEXT:
            self._end("PROTOCOL_VIOLATION")

    def say(self, guest: int, packet: bytes) -> None:
        """A packet, with its length, for one guest."""
        self._out += bytes((wire.TO_CLIENTS, guest, 0)) + packet

    def dismiss(self, guest: int) -> None:
        """We have done with him: he is kicked, or his id may be used again."""
        self._out += wire.disconnect_client(guest)

    def ask(self) -> None:
        """Something it answers at once."""
        self._out += wire.round_trip_time_request()

    def _frame(self, frame: bytes) -> None:
        match frame[0]:
            case wire.WELCOME:
                self._events.append(Welcomed())
            case wire.PING:
                self._out += wire.pong(frame[1])
                self._events.append(Pinged())
            case wire.CONNECT_CLIENT:
                self._events.append(GuestCame(guest=frame[1]))
            case wire.DISCONNECT_CLIENT:
                self._events.append(GuestLeft(guest=frame[1]))
            case wire.FROM_CLIENT:
                self._events.append(GuestSaid(guest=frame[1], packet=frame[2:]))
            case wire.DISCONNECT:
                self._end(frame[1:-1].decode("ascii", "replace"))
            case _:
                pass  # round trip times, which nobody wants to know; packets for guests, which we are not

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._events.append(Over(reason=reason))
