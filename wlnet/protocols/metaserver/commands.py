"""What a player in the lobby may say: lists, chat, games, and a superuser's orders.

docs/protocols/metaserver.md, from "Lists" on. Errors here leave the connection open unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from wlnet.lobby.chat import ChatRefusal
from wlnet.lobby.discipline import Outcome, mute_text
from wlnet.lobby.game import Carrier, Game
from wlnet.lobby.hosting import OpenRefusal
from wlnet.lobby.lobby import Lobby
from wlnet.lobby.player import Player
from wlnet.moderation.sanctions import Sanction
from wlnet.protocols.metaserver.conversation import Conversation
from wlnet.protocols.metaserver.dialect import BUILD_19
from wlnet.protocols.metaserver.digest import sha1_hex
from wlnet.protocols.metaserver.lists import ListWriter
from wlnet.protocols.metaserver.wire import Fields

_OPEN_REFUSALS = {
    OpenRefusal.EXISTS: "GAME_EXISTS",
    OpenRefusal.RELAY: "RELAY_ERROR",
    OpenRefusal.NAME: "INVALID_NAME",
    OpenRefusal.TOO_MANY_OF_PLAYER: "TOO_MANY_GAMES",
    OpenRefusal.TOO_MANY: "SERVER_FULL",
}
_REMOVAL_WORDS = {
    "kick": ("Kicking admin users is not supported.", "Kicking IRC users is not supported."),
    "ban": ("Banning admin users is not supported.", "Banning IRC users is not supported."),
}


class Commands:
    """Carries out the commands of one seated player.

    :param secret: makes the player host at the relay, together with a challenge.
    :param reached_at: the server's own address the player's connection arrived at.
    """

    def __init__(
        self,
        lobby: Lobby,
        conversation: Conversation,
        lists: ListWriter,
        player: Player,
        *,
        secret: str,
        reached_at: str,
        challenge: Callable[[], str],
        busy: Callable[[bool], None],
    ) -> None:
        self._lobby = lobby
        self._talk = conversation
        self._lists = lists
        self._player = player
        self._secret = secret
        self._reached_at = reached_at
        self._new_challenge = challenge
        self._busy = busy

    # -- lists and chat --------------------------------------------------------------------------

    def clients(self, _: Fields) -> None:
        """``CLIENTS``."""
        self._talk.send_packet(self._lists.clients(self._player))

    def games(self, _: Fields) -> None:
        """``GAMES``."""
        self._talk.send_packet(self._lists.games(self._player))

    def chat(self, fields: Fields) -> None:
        """``CHAT text receiver``; an empty receiver is everybody."""
        text, receiver = fields.text(), fields.text()
        if receiver:
            refusal = self._lobby.chat.whisper(self._player, text, receiver)
        else:
            refusal = self._lobby.chat.say(self._player, text)
        if isinstance(refusal, Sanction):
            self._system(mute_text(refusal))
        elif refusal is ChatRefusal.NO_SUCH_USER:
            self._no_such_user("CHAT")
        elif refusal is ChatRefusal.NOT_TO_IRC:
            self._system("Private messages to IRC users are not supported.")
        elif refusal is ChatRefusal.TOO_LONG:
            self._too_long("CHAT")
        elif refusal is ChatRefusal.TOO_FAST:
            self._system("You are writing too fast: that line was not sent. Please wait a moment.")

    # -- games -----------------------------------------------------------------------------------

    def game_open(self, fields: Fields) -> None:
        """``GAME_OPEN name [max players]``."""
        name = fields.text()
        if self._player.dialect == BUILD_19:
            fields.integer()
            self._lobby.direct.open(self._player, name, self._direct_opened)
            return
        if not self._lobby.relay.addresses(self._reached_at):
            self._talk.error("GAME_OPEN", "RELAY_ERROR")
            return
        challenge = self._new_challenge()

        def opened(result: Game | OpenRefusal) -> None:
            if isinstance(result, OpenRefusal):
                self._talk.error("GAME_OPEN", _OPEN_REFUSALS[result])
            elif relay := self._relay_fields(result):
                self._talk.output.note("opened game {game} as room {room}", game=name, room=result.room_id)
                self._talk.send("GAME_OPEN", challenge, *relay)
                self._lobby.hosting.enter(self._player, result)
            else:
                self._lobby.hosting.end(result)
                self._talk.error("GAME_OPEN", "RELAY_ERROR")
            # Last of all: the commands that waited are carried out now.
            self._busy(False)

        self._busy(True)
        self._lobby.hosting.open(self._player, name, sha1_hex(challenge + self._secret), opened)

    def game_connect(self, fields: Fields) -> None:
        """``GAME_CONNECT name``."""
        game = self._lobby.hosting.find(fields.text())
        old = self._player.dialect == BUILD_19
        if game is None or game.carrier is not (Carrier.HOST if old else Carrier.RELAY):
            self._talk.error("GAME_CONNECT", "NO_SUCH_GAME")
            return
        if old:
            self._talk.send("GAME_CONNECT", game.host.address if game.host is not None else "")
        else:
            relay = self._relay_fields(game)
            if not relay:
                self._talk.error("GAME_CONNECT", "NO_SUCH_GAME")
                return
            self._talk.send("GAME_CONNECT", *relay)
        self._lobby.hosting.enter(self._player, game)

    def game_start(self, _: Fields) -> None:
        """``GAME_START``: the host says that play begins."""
        if self._player.game is None:
            self._talk.fail("GARBAGE_RECEIVED", "INVALID_CMD")
        elif not self._lobby.hosting.may_start(self._player):
            self._talk.error("GAME_START", "DEFICIENT_PERMISSION")
        else:
            self._talk.send("GAME_START")
            self._lobby.hosting.started(self._player)

    def game_disconnect(self, _: Fields) -> None:
        """``GAME_DISCONNECT``: the player has left his game."""
        self._lobby.hosting.leave(self._player)

    def _direct_opened(self, result: bool | OpenRefusal) -> None:
        if isinstance(result, OpenRefusal):
            self._talk.error("GAME_OPEN", _OPEN_REFUSALS[result])
        elif result:
            self._talk.send("GAME_OPEN")
        else:
            self._talk.error("GAME_OPEN", "GAME_TIMEOUT")

    def _relay_fields(self, game: Game) -> list[str]:
        relay = self._lobby.relay
        addresses = relay.addresses_of_room(game.room_id, self._reached_at) or relay.addresses(
            self._reached_at
        )
        if len(addresses) > 1:
            return [addresses[0], "true", addresses[1]]
        return [addresses[0], "false"] if addresses else []

    # -- superusers ------------------------------------------------------------------------------

    def motd(self, fields: Fields) -> None:
        """``MOTD text``."""
        text = fields.text()
        if self._may("MOTD") and self._lobby.chat.set_motd(text) is not None:
            self._too_long("MOTD")

    def announcement(self, fields: Fields) -> None:
        """``ANNOUNCEMENT text``."""
        text = fields.text()
        if self._may("ANNOUNCEMENT") and self._lobby.chat.announce(text) is not None:
            self._too_long("ANNOUNCEMENT")

    def cmd(self, fields: Fields) -> None:
        """``CMD warn|kick|ban parameters``."""
        command, parameters = fields.text(), fields.text()
        if not self._may("CMD"):
            return
        self._talk.output.note("orders {command} {parameters}", command=command, parameters=parameters)
        if command == "warn":
            self._warn(parameters)
        elif command == "kick":
            self._kick(parameters)
        elif command == "ban":
            self._ban(parameters)
        else:
            self._talk.error("CMD", "UNKNOWN_COMMAND")

    def _warn(self, parameters: str) -> None:
        name, space, text = parameters.partition(" ")
        if not space:
            self._talk.error("CMD", "INVALID_CMD_PARAMETERS")
            return
        refusal = self._lobby.chat.warn(name, text)
        if refusal is ChatRefusal.NO_SUCH_USER:
            self._no_such_user("CMD")
        elif refusal is not None:
            self._too_long("CMD")

    def _kick(self, parameters: str) -> None:
        outcome = self._remove("kick", parameters, parameters, "")
        if outcome is Outcome.NOBODY:
            outcome = self._lobby.discipline.end_game(parameters)
        name, space, reason = parameters.partition(" ")
        if outcome is Outcome.NOBODY and space:
            outcome = self._remove("kick", parameters, name, reason)
        if outcome is Outcome.NOBODY:
            self._no_such_user("CMD")

    def _ban(self, parameters: str) -> None:
        name, _, reason = parameters.partition(" ")
        if self._remove("ban", parameters, name, reason) is Outcome.NOBODY:
            self._no_such_user("CMD")

    def _remove(self, verb: str, order: str, name: str, reason: str) -> Outcome:
        durations = self._lobby.moderation
        if verb == "kick":
            duration, word = durations.kick_duration, "KICKED"
            done = f"Kicked the user for {_duration(duration)}."
        else:
            duration, word = durations.ban_duration, "BANNED"
            done = f"Banning the IP of the user for {_duration(duration)}."
        outcome = self._lobby.discipline.remove(name, self._player.name, reason, duration, word)
        superuser, irc = _REMOVAL_WORDS[verb]
        if outcome is Outcome.REMOVED:
            self._talk.output.note("carried out {verb} {order}", verb=verb, order=order)
            self._system(done)
        elif outcome is Outcome.NOT_KEPT_OUT:
            self._system("Removed the user, who may come back at once.")
        elif outcome is Outcome.IS_SUPERUSER:
            self._system(superuser)
        elif outcome is Outcome.IS_IRC:
            self._system(irc)
        return outcome

    # -- answers ---------------------------------------------------------------------------------

    def _may(self, command: str) -> bool:
        if self._player.is_superuser:
            return True
        self._talk.error(command, "DEFICIENT_PERMISSION")
        return False

    def _no_such_user(self, command: str) -> None:
        # Build 19 does not know this answer.
        if self._player.dialect != BUILD_19:
            self._talk.error(command, "NO_SUCH_USER")

    def _too_long(self, command: str) -> None:
        self._talk.error(command, "TOO_LONG")

    def _system(self, text: str) -> None:
        self._talk.send("CHAT", "", text, "system")


def _duration(seconds: float) -> str:
    for unit, length in (("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= length and seconds % length == 0:
            number = int(seconds // length)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds:g} seconds"
