"""Chat: to everybody, to one, from the system; and when it is refused."""

from __future__ import annotations

from enum import Enum, auto

from wlnet.limits.buckets import TokenBucket
from wlnet.lobby.events import Chat, ChatKind, system
from wlnet.lobby.hall import Hall
from wlnet.lobby.player import Player
from wlnet.lobby.ports import Permission
from wlnet.lobby.presence import Presence
from wlnet.metrics import Limit
from wlnet.moderation.sanctions import Sanction, Sanctions


class ChatRefusal(Enum):
    """Why a line was not passed on."""

    NO_SUCH_USER = auto()
    NOT_TO_IRC = auto()
    TOO_LONG = auto()
    TOO_FAST = auto()


class ChatRoom:
    """The lobby's chat and message of the day."""

    def __init__(self, hall: Hall, presence: Presence, sanctions: Sanctions) -> None:
        self._hall = hall
        self._presence = presence
        self._sanctions = sanctions
        self.motd = hall.settings.motd

    def say(self, player: Player, text: str) -> ChatRefusal | Sanction | None:
        """A line to everybody, its sender included. What is returned says why it was not passed on."""
        refusal = self._refusal(player, text)
        if refusal is None:
            self._presence.announce(player)
            self._hall.tell_all(Chat(player.name, text, ChatKind.PUBLIC))
        return refusal

    def whisper(self, player: Player, text: str, receiver: str) -> ChatRefusal | Sanction | None:
        """A line to one player; to oneself nothing happens."""
        refusal = self._refusal(player, text)
        if refusal is not None:
            return refusal
        other = self._hall.roster.live(receiver)
        if other is None or other.inbox is None:
            return ChatRefusal.NO_SUCH_USER
        if other.permission is Permission.IRC:
            return ChatRefusal.NOT_TO_IRC
        if other is not player:
            other.inbox.deliver(Chat(player.name, text, ChatKind.PRIVATE))
        return None

    def announce(self, text: str) -> ChatRefusal | None:
        """A system line to everybody."""
        if self._too_long(text):
            return ChatRefusal.TOO_LONG
        self._hall.tell_all(system(text))
        return None

    def set_motd(self, text: str) -> ChatRefusal | None:
        """A new message of the day, told to everybody; the empty text switches it off."""
        refusal = self.announce(text)
        if refusal is None:
            self.motd = text
        return refusal

    def warn(self, receiver: str, text: str) -> ChatRefusal | None:
        """A system line to one player."""
        if self._too_long(text):
            return ChatRefusal.TOO_LONG
        player = self._hall.roster.live(receiver)
        if player is None or player.inbox is None:
            return ChatRefusal.NO_SUCH_USER
        player.inbox.deliver(system(text))
        return None

    def _refusal(self, player: Player, text: str) -> ChatRefusal | Sanction | None:
        if self._too_long(text):
            return ChatRefusal.TOO_LONG
        mute = self._sanctions.muted(address=player.address, account=player.account, name=player.name)
        if mute is not None:
            self._hall.limited(Limit.MUTED)
            return mute
        limits, now = self._hall.limits, self._hall.agenda.now()
        if player.chat_bucket is None:
            player.chat_bucket = TokenBucket(limits.chat_rate, limits.chat_burst, now)
        if not player.chat_bucket.take(now):
            self._hall.limited(Limit.CHAT_RATE)
            return ChatRefusal.TOO_FAST
        return None

    def _too_long(self, text: str) -> bool:
        if len(text.encode("utf-8", "surrogateescape")) <= self._hall.limits.chat_length:
            return False
        self._hall.limited(Limit.STRING_SIZE)
        return True
