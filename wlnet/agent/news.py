"""What the agent tells whoever shows it to the player."""

from __future__ import annotations

from msgspec import Struct

from wlnet.client.peer.words import PathGone, PathNews


class Listening(Struct, frozen=True):
    """Games may connect now, at these ports of the machine itself."""

    lobby_port: int
    relay_port: int


class LobbyKnown(Struct, frozen=True):
    """Whether the lobby can do more than relay."""

    exchange: bool


class Online(Struct, frozen=True):
    """A game is logged in."""

    player: str


class Offline(Struct, frozen=True):
    """Its connection to the lobby is gone; games under way go on.

    :ivar left: the game closed it; else it comes back by itself.
    """

    player: str
    reason: str
    left: bool


class Hosting(Struct, frozen=True):
    """The game hosts: guests with an agent and guests without may come."""

    game: str


class Hosted(Struct, frozen=True):
    """It does not any more; *reason* is empty if the player just left."""

    game: str
    reason: str


class Joining(Struct, frozen=True):
    """The game joins. *over_path*: directly if possible; else over the public relay."""

    game: str
    over_path: bool
    reason: str


class LeftGame(Struct, frozen=True):
    """The game that was joined is over for the player; *reason* is empty if he just left."""

    game: str
    reason: str


class GuestPath(Struct, frozen=True):
    """What carries the game between us and another player, from now on."""

    game: str
    other: str
    news: PathNews | PathGone


class Parted(Struct, frozen=True):
    """The game with another player is over."""

    game: str
    other: str
    reason: str


class Note(Struct, frozen=True):
    """A sentence for the player."""

    text: str


News = (
    Listening
    | LobbyKnown
    | Online
    | Offline
    | Hosting
    | Hosted
    | Joining
    | LeftGame
    | GuestPath
    | Parted
    | Note
)
