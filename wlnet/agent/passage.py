"""A game's connection to the lobby, passed through; the exchange of ``rendezvous.md`` travels along unseen.

Both directions are the packets of docs/protocols/metaserver.md. All of the game's are passed on as they
are, and all of the server's but three: those of the exchange, which the game must not see; the answer to
GAME_OPEN, which is made to point to the agent; and the answer to GAME_CONNECT, which is held back until it is
known where it is to point to. If either side says what cannot be understood, all is passed on as it is.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from wlnet.protocols.exchange.messages import (
    VERSION,
    Hello,
    MessageError,
    Said,
    decode_hello,
    decode_told,
    encode,
)
from wlnet.protocols.metaserver.wire import encode as packet_of
from wlnet.rendezvous.events import Told

COMMAND = "WLNET"
_MAX_ASKED = 16
"""Games asked for and not answered yet; the game asks for one at a time."""
_LENGTH = 2
"""Bytes of a packet's length, which counts itself."""
_BUILD_19 = "0"
"""This version of the protocol knows no relay."""


class Seated(Struct, frozen=True):
    """The game is logged in.

    :ivar key: the same for the same player in later connections: his name and, if he has no account, his
        secret (see Secrets of the metaserver document), for two games of one machine may share that.
    """

    name: str
    key: str


class Greeted(Struct, frozen=True):
    """The exchange is there; said again after each negotiation."""

    hello: Hello


class Heard(Struct, frozen=True):
    """The server says something of the exchange."""

    told: Told


class Opened(Struct, frozen=True):
    """The game may open its room on one of these relays; it was told that we are the relay."""

    game: str
    relays: tuple[str, ...]


class Connecting(Struct, frozen=True):
    """The game wants to join, and waits for :meth:`Passage.direct`."""

    game: str
    relays: tuple[str, ...]


class Left(Struct, frozen=True):
    """The game said that it left whatever game it was in."""


Event = Seated | Greeted | Heard | Opened | Connecting | Left


class Passage:
    """One connection.

    :param exchange: the server is known to have the exchange; without, all is passed on as it is.
    :param here: where the game reaches the agent's relay, the family of its connection first.
    :ivar dismissed: the server's last word was that it ends the connection.
    """

    def __init__(self, *, exchange: bool, here: tuple[str, ...]) -> None:
        self._here = here
        self._plain = not exchange
        self._from_game = _Packets()
        self._from_server = _Packets()
        self._to_game = bytearray()
        self._to_server = bytearray()
        self._events: list[Event] = []
        self._secret = ""
        self._seated = False
        self._opening: deque[str] = deque(maxlen=_MAX_ASKED)
        self._joining: deque[str] = deque(maxlen=_MAX_ASKED)
        self._held: dict[str, bytes] = {}
        self._message_size = 0
        self.dismissed = False

    # -- what the owner fetches ------------------------------------------------------------------

    def to_game(self) -> bytes:
        """Bytes for the game; fetching them takes them."""
        taken = bytes(self._to_game)
        self._to_game.clear()
        return taken

    def to_server(self) -> bytes:
        """Bytes for the server."""
        taken = bytes(self._to_server)
        self._to_server.clear()
        return taken

    def events(self) -> list[Event]:
        """What has happened."""
        taken, self._events = self._events, []
        return taken

    @property
    def negotiated(self) -> bool:
        """:meth:`say` may be used."""
        return self._message_size > 0 and not self._plain

    @property
    def unknown_there(self) -> bool:
        """The server has ended the connection where it should have greeted us: it has no exchange."""
        return self._seated and self.dismissed and not self._message_size and not self._plain

    # -- what the owner says ---------------------------------------------------------------------

    def say(self, message: Said) -> None:
        """Something of the exchange, to the server.

        :raises ValueError: it is longer than the server takes.
        """
        text = encode(message)
        if len(text) > self._message_size:
            raise ValueError(f"a message of {len(text)} characters")
        self._send(COMMAND, text)

    def negotiate(self) -> None:
        """Ask for new tickets."""
        self._send(COMMAND, str(VERSION))

    def direct(self, game: str, *, here: bool) -> None:
        """Let the game join *game* by way of us (*here*), or as the server said."""
        packet = self._held.pop(game, None)
        if packet is not None:
            self._to_game += packet_of("GAME_CONNECT", *self._place()) if here else packet

    # -- bytes -----------------------------------------------------------------------------------

    def game_said(self, data: bytes) -> None:
        """Bytes of the game."""
        if self._plain:
            self._to_server += self._from_game.rest() + data
            return
        for packet in self._from_game.cut(data):
            self._asked(_fields(packet))
            self._to_server += packet  # whole ones only: our own words go between them
        self._plain = self._plain or self._from_game.broken
        if self._plain:
            self._to_server += self._from_game.rest()

    def server_said(self, data: bytes) -> None:
        """Bytes of the server."""
        if self._plain:
            self._to_game += self._from_server.rest() + data
            return
        for packet in self._from_server.cut(data):
            self._answered(packet, _fields(packet))
        if self._from_server.broken:
            self._plain = True
            self._to_game += self._from_server.rest()

    # -- the game --------------------------------------------------------------------------------

    def _asked(self, fields: list[str]) -> None:
        match fields:
            case ["LOGIN", version, _, _, registered, *rest]:
                if version == _BUILD_19:
                    self._plain = True
                self._secret = rest[0] if rest and registered not in {"true", "1"} else ""
            case ["GAME_OPEN", game, *_]:
                self._opening.append(game)
            case ["GAME_CONNECT", game, *_]:
                self._joining.append(game)
            case ["GAME_DISCONNECT", *_] | ["DISCONNECT", *_]:
                self._events.append(Left())
            case [command, *_] if command == COMMAND:
                self._plain = True  # it speaks the exchange itself

    # -- the server ------------------------------------------------------------------------------

    def _answered(self, packet: bytes, fields: list[str]) -> None:
        self.dismissed = fields[:1] == ["DISCONNECT"] or fields[:2] == ["ERROR", "GARBAGE_RECEIVED"]
        match fields:
            case [command, *rest] if command == COMMAND:
                self._exchange(rest)
                return
            case ["ERROR", command, *_] if command == COMMAND:
                return
            case ["GAME_OPEN", challenge, *relays] if self._opening and relays and self.negotiated:
                game = self._opening.popleft()
                self._events.append(Opened(game=game, relays=_relays(relays)))
                packet = packet_of("GAME_OPEN", challenge, *self._place())
            case ["GAME_CONNECT", *relays] if self._joining and relays and self.negotiated:
                self._hold(self._joining.popleft(), packet, _relays(relays))
                return
            case ["GAME_OPEN", *_] | ["ERROR", "GAME_OPEN", *_] if self._opening:
                self._opening.popleft()
            case ["GAME_CONNECT", *_] | ["ERROR", "GAME_CONNECT", *_] if self._joining:
                self._joining.popleft()
            case ["LOGIN", name, *_] if not self._seated:
                self._seated = True
                self._events.append(Seated(name=name, key=f"{name} {self._secret}"))
                self.negotiate()
        self._to_game += packet

    def _hold(self, game: str, packet: bytes, relays: tuple[str, ...]) -> None:
        self.direct(game, here=False)
        if len(self._held) >= _MAX_ASKED:
            self.direct(next(iter(self._held)), here=False)
        self._held[game] = packet
        self._events.append(Connecting(game=game, relays=relays))

    def _exchange(self, rest: list[str]) -> None:
        try:
            match rest:
                case [text] if text.startswith("{"):
                    self._events.append(Heard(told=decode_told(text)))
                case [version, text, *_] if version == str(VERSION):
                    hello = decode_hello(text)
                    self._message_size = hello.message_size
                    self._events.append(Greeted(hello=hello))
        except MessageError:
            return  # of a newer server, perhaps

    def _place(self) -> tuple[str, ...]:
        """In the words of GAME_OPEN and GAME_CONNECT."""
        first, *second = self._here[:2]
        return (first, "true", second[0]) if second else (first, "false")

    def _send(self, *fields: str) -> None:
        self._to_server += packet_of(*fields)


class _Packets:
    """Cuts a stream into packets, each as it came.

    :ivar broken: what follows cannot be cut.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self.broken = False

    def cut(self, data: bytes) -> list[bytes]:
        """The packets that are whole now."""
        self._data += data
        packets: list[bytes] = []
        at = 0
        while not self.broken and len(self._data) - at >= _LENGTH:
            length = int.from_bytes(self._data[at : at + _LENGTH], "big")
            self.broken = length <= _LENGTH
            if self.broken or len(self._data) - at < length:
                break
            packets.append(bytes(self._data[at : at + length]))
            at += length
        del self._data[:at]
        return packets

    def rest(self) -> bytes:
        """What was not cut, once."""
        taken = bytes(self._data)
        self._data.clear()
        return taken


def _fields(packet: bytes) -> list[str]:
    return [field.decode("utf-8", "surrogateescape") for field in packet[_LENGTH:].split(b"\0")[:-1]]


def _relays(fields: list[str]) -> tuple[str, ...]:
    return tuple(fields[0::2][:2])
