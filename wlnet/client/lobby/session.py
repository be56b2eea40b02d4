"""One connection to the lobby as a machine: log in as released clients of version 6 do, then speak WLNET.

docs/protocols/metaserver.md ("Logging in", "Keeping alive") and docs/protocols/rendezvous.md ("Negotiation").

Give it what arrives (``receive``), call ``tick`` at ``next_deadline``, and after each call send what
``transmits`` gives and take ``events``. After an :class:`Over` nothing more comes.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct
from msgspec.structs import replace

from wlnet.client.lobby.words import Ending, Refusal, disconnection, garbage, login_refusal, shown
from wlnet.protocols.exchange.messages import (
    VERSION,
    Hello,
    MessageError,
    Said,
    decode_hello,
    decode_told,
    encode,
)
from wlnet.protocols.metaserver.digest import sha1_hex
from wlnet.protocols.metaserver.wire import MAX_PACKET, FieldError, Fields, PacketBuffer, WireError
from wlnet.protocols.metaserver.wire import encode as encode_packet
from wlnet.rendezvous.events import Told

PROTOCOL = "6"
COMMAND = "WLNET"


class Login(Struct, frozen=True, kw_only=True):
    """Who we are.

    :ivar password: of the account *name*; None: we have no account.
    :ivar secret: without account: whoever shows the same again is the same player and gets his seat back.
    :ivar build: what the list of players shows as our program.
    """

    name: str
    password: str | None = None
    secret: str = ""
    build: str

    def __repr__(self) -> str:
        """Without what nobody may see in a log."""
        return f"Login(name={self.name!r}, build={self.build!r})"

    def under(self, name: str) -> Login:
        """The login that gets back the seat we have now, *name* being what the lobby gave us.

        Whoever proved an account but got another name is that name's player without account.
        """
        if name == self.name:
            return self
        if self.password is None:
            return replace(self, name=name)
        return replace(self, name=name, password=None, secret=sha1_hex(name + sha1_hex(self.password)))


class SessionTimes(Struct, frozen=True, kw_only=True):
    """How patient a client is, in seconds.

    :ivar login: for each answer until we may speak. A lobby that asks an old connection of ours whether it
        is alive needs up to 9.
    :ivar silence: without anything from the lobby, which says PING every 15.
    """

    login: float = 20.0
    silence: float = 50.0


class Seated(Struct, frozen=True):
    """We are logged in, under *name*.

    :ivar permission: ``UNREGISTERED``, ``REGISTERED`` or ``SUPERUSER``.
    """

    name: str
    permission: str


class Greeted(Struct, frozen=True):
    """The extension is there; messages may be said. Comes again after ``negotiate``, with new tickets."""

    hello: Hello


class Heard(Struct, frozen=True):
    """The rendezvous told us something."""

    told: Told


class Line(Struct, frozen=True):
    """The lobby itself says something to the player, printable and on one line."""

    text: str


class Trouble(Struct, frozen=True):
    """Something of the exchange went wrong; the connection goes on."""

    text: str


class Over(Struct, frozen=True):
    """The connection is at its end: close it."""

    ending: Ending
    text: str


Event = Seated | Greeted | Heard | Line | Trouble | Over


class NotReadyError(Exception):
    """Messages may be said after :class:`Greeted` only."""


class _State(Enum):
    LOGIN = auto()
    PROOF = auto()
    NEGOTIATION = auto()
    READY = auto()
    OVER = auto()


class LobbySession:
    """The machine; it has said LOGIN when it is made.

    :param now: the time.
    :raises ValueError: name, secret and build do not fit into a packet.
    :ivar name: ours, as the lobby has it.
    :ivar login: logs in to the same seat again.
    """

    def __init__(self, login: Login, now: float, times: SessionTimes | None = None) -> None:
        self.login = login
        self.name = login.name
        self._times = times or SessionTimes()
        self._state = _State.LOGIN
        self._buffer = PacketBuffer(MAX_PACKET)
        self._hello: Hello | None = None
        self._heard = now
        self._since = now
        self._outgoing = bytearray()
        self._events: list[Event] = []
        registered = login.password is not None
        self._send(
            "LOGIN",
            PROTOCOL,
            login.name,
            login.build,
            "true" if registered else "false",
            "" if registered else login.secret,
        )

    # -- bytes, time and events ------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Bytes of the lobby, in pieces as they come. Never raises."""
        if self._is_over:
            return
        self._heard = now
        self._buffer.feed(data)
        try:
            while not self._is_over and (fields := self._buffer.next()) is not None:
                self._packet(fields, now)
        except (WireError, FieldError, MessageError) as error:
            self._over(Ending.REFUSED, f"That is no lobby, or a broken one: {shown(str(error))}.")

    def closed(self, text: str = "") -> None:
        """The connection is gone.

        :param text: why, if that is known.
        """
        if self._state is _State.OVER:
            return
        reason = f": {shown(text)}" if text else ""
        if self._state is _State.NEGOTIATION:
            # Servers that only close on commands they do not know look like this.
            self._over(Ending.LOST, f"The lobby closed the connection when asked for its extension{reason}.")
        else:
            self._over(Ending.LOST, f"The connection to the lobby is lost{reason}.")

    def transmits(self) -> bytes:
        """Bytes to send."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def events(self) -> list[Event]:
        """What happened since the last call."""
        taken, self._events = self._events, []
        return taken

    def next_deadline(self) -> float | None:
        """When to call ``tick``; None: never."""
        match self._state:
            case _State.OVER:
                return None
            case _State.READY:
                return self._heard + self._times.silence
            case _:
                return self._since + self._times.login

    def tick(self, now: float) -> None:
        """Time passed."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        # Without goodbye: the seat is kept for us, and the next login gets it back.
        if self._state is _State.READY:
            self._over(Ending.LOST, f"The lobby was silent for {self._times.silence:g} seconds.")
        else:
            self._over(Ending.LOST, f"The lobby did not answer within {self._times.login:g} seconds.")

    # -- what we say -----------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Messages may be said."""
        return self._state is _State.READY

    def say(self, message: Said) -> None:
        """Say *message* to the rendezvous.

        :raises NotReadyError: not now.
        :raises ValueError: it is longer than the lobby takes.
        """
        if self._hello is None or self._state is not _State.READY:
            raise NotReadyError("the lobby is not ready for messages")
        text = encode(message)
        if len(text.encode()) > self._hello.message_size:
            raise ValueError("the message is longer than the lobby takes")
        self._send(COMMAND, text)

    def negotiate(self) -> None:
        """Ask for new tickets; another :class:`Greeted` follows.

        :raises NotReadyError: not now.
        """
        if self._state is not _State.READY:
            raise NotReadyError("the lobby is not ready for messages")
        self._send(COMMAND, str(VERSION))

    def leave(self) -> None:
        """Log out: name and seat are free at once."""
        if self._state is not _State.OVER:
            self._say_goodbye()
            self._over(Ending.LEFT, "You left the lobby.")

    # -- what comes ------------------------------------------------------------------------------

    def _packet(self, fields: Fields, now: float) -> None:
        command = fields.text()
        match command:
            case "PING":
                self._send("PONG")
            case "DISCONNECT":
                self._refused(disconnection(fields.text()))
            case "ERROR":
                self._error(fields.text(), fields.text())
            case "CHAT":
                self._chat(fields)
            case "LOGIN" if self._state in (_State.LOGIN, _State.PROOF):
                self._seated(fields.text(), fields.text(), now)
            case "PWD_CHALLENGE" if self._state is _State.LOGIN and self.login.password is not None:
                self._state = _State.PROOF
                self._since = now
                challenge = fields.text()
                self._send("PWD_CHALLENGE", sha1_hex(challenge + sha1_hex(self.login.password)))
            case "WLNET" if self._state in (_State.NEGOTIATION, _State.READY):
                self._exchange(fields)
            case _ if self._state in (_State.LOGIN, _State.PROOF):
                raise WireError(f"it answered {command}")
            case _:
                pass  # lists, updates, time: nothing a peer game needs

    def _seated(self, name: str, permission: str, now: float) -> None:
        if permission not in ("UNREGISTERED", "REGISTERED", "SUPERUSER"):
            raise WireError("it gave no permission")
        self.login = self.login.under(name)
        self.name = name
        self._state = _State.NEGOTIATION
        self._since = now
        self._events.append(Seated(name, permission))
        self._send(COMMAND, str(VERSION))

    def _exchange(self, fields: Fields) -> None:
        text = fields.text()
        if text[:1] != "{":
            if text != str(VERSION):
                self._over(Ending.REFUSED, "The lobby speaks another version of the WLNET extension.")
                return
            self._hello = decode_hello(fields.text())
            self._state = _State.READY
            self._events.append(Greeted(self._hello))
        elif self._state is _State.READY:
            try:
                self._events.append(Heard(decode_told(text)))
            except MessageError as error:
                # A newer lobby may know more than we do.
                self._events.append(Trouble(f"The lobby said something unknown: {shown(str(error))}."))

    def _chat(self, fields: Fields) -> None:
        _, text, kind = fields.text(), fields.text(), fields.text()
        if kind == "system" and (line := shown(text)):
            self._events.append(Line(line))

    def _error(self, command: str, word: str) -> None:
        if command == COMMAND:
            if word == "UNSUPPORTED_VERSION":
                self._over(Ending.REFUSED, "The lobby speaks another version of the WLNET extension.")
            else:
                self._events.append(Trouble(f"The lobby did not take a message: {shown(word)}."))
        elif command == "GARBAGE_RECEIVED":
            self._refused(garbage(word, negotiating=self._state is _State.NEGOTIATION))
        elif self._state in (_State.LOGIN, _State.PROOF):
            self._refused(login_refusal(word))
        else:
            self._events.append(Trouble(f"The lobby reports an error: {shown(command)} {shown(word)}."))

    # -- the end ---------------------------------------------------------------------------------

    @property
    def _is_over(self) -> bool:
        return self._state is _State.OVER

    def _refused(self, refusal: Refusal) -> None:
        self._over(refusal.ending, refusal.text)

    def _over(self, ending: Ending, text: str) -> None:
        self._state = _State.OVER
        self._events.append(Over(ending, text))

    def _say_goodbye(self) -> None:
        if self._state in (_State.NEGOTIATION, _State.READY):
            self._send("DISCONNECT", "CONNECTION_CLOSED")

    def _send(self, *fields: str) -> None:
        self._outgoing += encode_packet(*fields)
