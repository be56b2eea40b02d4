"""What the lobby tells a player; the player's front end puts it into the words of its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ChatKind(StrEnum):
    """Who hears a chat line."""

    PUBLIC = "public"
    PRIVATE = "private"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat line; *sender* is empty for the system's."""

    sender: str
    text: str
    kind: ChatKind


@dataclass(frozen=True, slots=True)
class PlayersChanged:
    """The list of players is not what it was."""


@dataclass(frozen=True, slots=True)
class GamesChanged:
    """The list of games is not what it was."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Somebody claims to be you: answer anything to stay."""


@dataclass(frozen=True, slots=True)
class Removed:
    """You are out of the lobby; *reason* is a word or a sentence for the player."""

    reason: str


Event = Chat | PlayersChanged | GamesChanged | Probe | Removed


class Inbox(Protocol):
    """A player's front end. It never waits and never raises; what it cannot send is its own matter."""

    def deliver(self, event: Event) -> None:
        """Pass *event* on to the player."""


def system(text: str) -> Chat:
    """A system chat line."""
    return Chat("", text, ChatKind.SYSTEM)
