"""One client's connection to the lobby, from accept to close: bytes in, packets and notes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from wlnet.agenda import Appointment
from wlnet.limits.buckets import TokenBucket
from wlnet.lobby.events import Chat, Event, GamesChanged, PlayersChanged, Probe, Removed
from wlnet.lobby.lobby import Lobby
from wlnet.lobby.player import Player
from wlnet.metrics import Limit
from wlnet.protocols.metaserver.commands import Commands
from wlnet.protocols.metaserver.conversation import Conversation, Output
from wlnet.protocols.metaserver.dialect import BUILD_19
from wlnet.protocols.metaserver.lists import ListWriter
from wlnet.protocols.metaserver.login import FailedLogins, LoginDesk
from wlnet.protocols.metaserver.wire import (
    FieldError,
    Fields,
    PacketBuffer,
    PacketTooLongError,
    WireError,
    encode,
)

_PING = encode("PING")
_CLIENTS_UPDATE = encode("CLIENTS_UPDATE")
_GAMES_UPDATE = encode("GAMES_UPDATE")

_FATAL = frozenset({"LOGIN", "RELOGIN", "CHECK_PWD", "PWD_CHALLENGE"})
"""A missing or bad field ends the connection for these only."""

_BUILD_19_WELCOME = (
    "Our forums can be found at:",
    "https://www.widelands.org/forum/",
    "For reporting bugs, visit:",
    "https://www.widelands.org/wiki/ReportingBugs/",
)

Handler = Callable[[Fields], None]


class Extension(Protocol):
    """What stands behind the command WLNET of one seated player (docs/protocols/rendezvous.md)."""

    def receive(self, text: str) -> None:
        """The field after the command."""

    def close(self) -> None:
        """The connection or the seat is gone."""


@dataclass(frozen=True, kw_only=True)
class Office:
    """What all sessions of one server share.

    :ivar challenge: gives 32 fresh hex digits each time.
    :ivar wall: the time of day, Unix seconds.
    :ivar extension: makes what stands behind WLNET, from the player, our address he reached, and two ways to
        answer: packets, and errors that leave the connection open. None: there is no such command.
    """

    lobby: Lobby
    lists: ListWriter
    failed_logins: FailedLogins
    challenge: Callable[[], str]
    wall: Callable[[], float]
    extension: Callable[[Player, str, Callable[..., None], Callable[[str], None]], Extension] | None = None


class Session:
    """The state machine of one connection.

    Before a seat is given only the words of logging in do anything, afterwards only the others: the
    handlers in force are :attr:`_handlers`.

    :param address: the client's address; *reached_at*: ours on that connection.
    """

    def __init__(
        self, office: Office, output: Output, *, address: str, reached_at: str, session_id: str
    ) -> None:
        self._office = office
        self._lobby = office.lobby
        self._agenda = office.lobby.agenda
        self._output = output
        self._reached_at = reached_at
        self._talk = Conversation(output)
        limits = self._lobby.limits
        now = self._agenda.now()
        self._buffer = PacketBuffer(limits.lobby_packet_before_login)
        self._bucket = TokenBucket(limits.command_rate, limits.command_burst, now)
        self._player: Player | None = None
        self._waiting = 0
        self._paused = False
        self._working = False
        self._throttle: Appointment | None = None
        self._heard = self._opened = now
        self._pinged = now
        self._desk = LoginDesk(
            self._lobby,
            self._talk,
            inbox=self,
            address=address,
            session=session_id,
            failed_logins=office.failed_logins,
            challenge=office.challenge,
            busy=self._busy,
            admitted=self._admitted,
            readmitted=self._readmitted,
        )
        self._handlers: Mapping[str, Handler] = {
            "LOGIN": self._desk.login,
            "RELOGIN": self._desk.relogin,
            "CHECK_PWD": self._desk.check_pwd,
            "PWD_CHALLENGE": self._desk.pwd_challenge,
            "PONG": _nothing,
            "DISCONNECT": self._disconnect,
        }
        if office.extension is not None:
            self._handlers = {**self._handlers, "WLNET": lambda _: self._talk.send("WLNET")}
        self._extension: Extension | None = None
        self._watch: Appointment | None = None
        self._look_later()

    # -- bytes -----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self._talk.ended:
            self._buffer.feed(data)
            self._work()

    def connection_lost(self) -> None:
        """The connection is gone, in whatever way."""
        self._talk.ended = True
        self._over()

    @property
    def name(self) -> str:
        """The player's name, "" before login; for logs."""
        return self._player.name if self._player is not None else ""

    def _work(self) -> None:
        """Carry out the packets that are there, one at a time, in order."""
        if self._working:
            return
        self._working = True
        try:
            while not (self._talk.ended or self._held_up):
                fields = self._buffer.next()
                if fields is None:
                    break
                self._pace()
                self._packet(fields)
        except WireError as error:
            self._lobby.hall.limited(Limit.PACKET_SIZE if error.too_long else Limit.MALFORMED)
            self._talk.fail("GARBAGE_RECEIVED", error.reason)
        finally:
            self._working = False
        if self._talk.ended:
            self._over()
        else:
            self._hold(self._held_up)

    def _over(self) -> None:
        """Nothing is carried out any more: whoever sat here is cut off, and nobody waits for him."""
        self._stop_watching()
        self._desk.gone()
        player, self._player = self._player, None
        if player is not None:
            self._output.note("connection of {name} lost", name=player.name)
            self._lobby.presence.lost(player)

    @property
    def _held_up(self) -> bool:
        """Packets have to wait: for an answer, for the client to slow down, or for it to read."""
        return bool(self._waiting) or self._throttle is not None or self._output.congested

    def drained(self) -> None:
        """The client has read what was sent."""
        if self._paused and not self._held_up:
            self._work()

    def _pace(self) -> None:
        """Take a token for the packet in hand; without one it is carried out, and the next ones wait."""
        now = self._agenda.now()
        self._heard = now
        if not self._bucket.take(now):
            self._lobby.hall.limited(Limit.COMMAND_RATE)
            self._throttle = self._agenda.after(max(0.05, self._bucket.wait(now)), self._unthrottle)

    def _unthrottle(self) -> None:
        self._throttle = None
        self._bucket.take(self._agenda.now())  # for the packet that was carried out on credit
        self._work()

    def _hold(self, hold: bool) -> None:
        if hold != self._paused:
            self._paused = hold
            if hold:
                self._output.pause()
            else:
                self._output.resume()

    def _busy(self, busy: bool) -> None:
        self._waiting += 1 if busy else -1
        if not self._waiting and not self._working:
            self._work()

    def _packet(self, fields: Fields) -> None:
        command = fields.text()
        handler = self._handlers.get(command)
        if handler is None:
            self._lobby.hall.limited(Limit.MALFORMED)
            self._talk.fail("GARBAGE_RECEIVED", "INVALID_CMD")
            return
        try:
            handler(fields)
        except FieldError as error:
            self._lobby.hall.limited(Limit.MALFORMED)
            if command in _FATAL:
                self._talk.fail(command, str(error))
            else:
                self._talk.error(command, str(error))
        if self._player is not None and not self._talk.ended:
            # Whoever leaves by this packet does not answer for his seat by it.
            self._lobby.heard(self._player)

    # -- coming in -------------------------------------------------------------------------------

    def _admitted(self, player: Player, secret: str) -> None:
        self._sit_down(player, secret)
        talk = self._talk
        talk.send("LOGIN", player.name, player.permission.value)
        if player.dialect == BUILD_19:
            self._system("Welcome on the Widelands Metaserver!")
        talk.send("TIME", str(int(self._office.wall())))
        if player.dialect == BUILD_19:
            for line in _BUILD_19_WELCOME:
                self._system(line)
        if self._lobby.chat.motd:
            self._system(self._lobby.chat.motd)
        self._output.note(
            "logged in as {name} ({permission}, {build}, protocol {dialect})",
            name=player.name,
            permission=player.permission.value,
            build=player.build,
            dialect=player.dialect,
        )

    def _readmitted(self, player: Player) -> None:
        self._sit_down(player, player.key)
        self._talk.send("RELOGIN")
        self._lobby.hall.players_changed(player)
        self._output.note("back as {name}", name=player.name)

    def _sit_down(self, player: Player, secret: str) -> None:
        self._player = player
        self._buffer.limit = self._lobby.limits.lobby_packet
        self._pinged = self._agenda.now()
        commands = Commands(
            self._lobby,
            self._talk,
            self._office.lists,
            player,
            secret=secret,
            reached_at=self._reached_at,
            challenge=self._office.challenge,
            busy=self._busy,
        )
        self._handlers = {
            "CLIENTS": commands.clients,
            "GAMES": commands.games,
            "CHAT": commands.chat,
            "GAME_OPEN": commands.game_open,
            "GAME_CONNECT": commands.game_connect,
            "GAME_START": commands.game_start,
            "GAME_DISCONNECT": commands.game_disconnect,
            "MOTD": commands.motd,
            "ANNOUNCEMENT": commands.announcement,
            "CMD": commands.cmd,
            "PONG": _nothing,
            "DISCONNECT": self._disconnect,
            "LOGIN": lambda _: self._talk.fail("LOGIN", "ALREADY_LOGGED_IN"),
            "RELOGIN": lambda _: self._talk.fail("RELOGIN", "ALREADY_LOGGED_IN"),
            "CHECK_PWD": lambda _: self._talk.fail("CHECK_PWD", "ALREADY_LOGGED_IN"),
            "PWD_CHALLENGE": lambda _: self._talk.fail("PWD_CHALLENGE", "NO_CHALLENGE"),
        }
        if self._office.extension is not None:
            extension = self._office.extension(
                player, self._reached_at, self._talk.send, lambda text: self._talk.error("WLNET", text)
            )
            self._extension = extension
            self._handlers = {**self._handlers, "WLNET": lambda fields: extension.receive(fields.text())}
        self._look_later()

    def _disconnect(self, fields: Fields) -> None:
        reason = fields.text()
        player, self._player = self._player, None
        self._output.note("left: {reason}", reason=reason)
        self._talk.end()
        if player is not None:
            self._lobby.presence.leave(player)

    # -- what the lobby tells (Inbox) ------------------------------------------------------------

    def deliver(self, event: Event) -> None:
        """Put an event of the lobby into a packet."""
        match event:
            case PlayersChanged():
                self._talk.send_packet(_CLIENTS_UPDATE)
            case GamesChanged():
                self._talk.send_packet(_GAMES_UPDATE)
            case Chat(sender, text, kind):
                self._chat(sender, text, kind.value)
            case Probe():
                self._talk.send_packet(_PING)
            case Removed(reason):
                self._player = None
                self._output.note("removed: {reason}", reason=reason)
                self._talk.disconnect(reason)
                self._stop_watching()

    def _chat(self, sender: str, text: str, kind: str) -> None:
        try:
            packet = self._office.lists.chat(sender, text, kind)
        except PacketTooLongError:
            self._output.note("a line of {size} characters was too long to be sent", size=len(text))
        else:
            self._talk.send_packet(packet)

    def _system(self, text: str) -> None:
        self._talk.send("CHAT", "", text, "system")

    # -- keeping alive ---------------------------------------------------------------------------

    def _look_later(self) -> None:
        """Appoint the next look at this connection: its silence, its deadline, its next PING."""
        settings = self._lobby.settings
        if self._player is not None:
            when = min(self._pinged + settings.ping_interval, self._heard + settings.silence_timeout)
        else:
            when = min(self._opened + settings.login_deadline, self._heard + settings.login_silence_timeout)
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._agenda.at(when, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._talk.ended:
            return
        settings, now = self._lobby.settings, self._agenda.now()
        player = self._player
        if player is not None:
            if now >= self._heard + settings.silence_timeout:
                self._lobby.hall.limited(Limit.SILENCE)
                self._timed_out()
                return
            if now >= self._pinged + settings.ping_interval:
                self._pinged = now
                self._talk.send_packet(_PING)
        elif (
            now >= self._opened + settings.login_deadline
            or now >= self._heard + settings.login_silence_timeout
        ):
            self._lobby.hall.limited(Limit.HANDSHAKE_TIME)
            self._timed_out()
            return
        self._look_later()

    def _timed_out(self) -> None:
        self._output.note("timed out")
        self._talk.disconnect("CLIENT_TIMEOUT")
        self._over()

    def _stop_watching(self) -> None:
        extension, self._extension = self._extension, None
        if extension is not None:
            extension.close()
        for appointment in (self._watch, self._throttle):
            if appointment is not None:
                appointment.cancel()
        self._watch = self._throttle = None


def _nothing(_: Fields) -> None:
    """PONG: that it came is all."""
