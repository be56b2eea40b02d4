"""For game developers: host and join games through a lobby, under Twisted or asyncio. See docs/client.md."""

from wlnet.client.api.client import Client, Settings, asyncio_client, twisted_client
from wlnet.client.api.errors import (
    ClientError,
    LobbyError,
    OverError,
    RefusedError,
    TooMuchWaitingError,
    WrongUseError,
)
from wlnet.client.api.hosted import HostedGame
from wlnet.client.api.player import Player
from wlnet.client.api.stream import GameStream
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.rendezvous.events import ListedGame

__all__ = [
    "Client",
    "ClientError",
    "GameStream",
    "HostedGame",
    "ListedGame",
    "LobbyError",
    "OverError",
    "PathGone",
    "PathNews",
    "Player",
    "RefusedError",
    "Settings",
    "TooMuchWaitingError",
    "WrongUseError",
    "asyncio_client",
    "twisted_client",
]
