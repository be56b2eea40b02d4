"""What the agent tells, as sentences, and as the block a terminal shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from wlnet.agent import news
from wlnet.agent.news import News
from wlnet.cli.sentences import amount
from wlnet.client.lobby.words import shown
from wlnet.client.peer.words import PathGone, PathNews

_MOST_ROWS = 12
_MOST_KEPT = 64
"""Players, games and others remembered; the oldest go."""
_TRANSPORTS = {"tcp": "TCP", "udp": "UDP"}

T = TypeVar("T")
V = TypeVar("V")
Amounts = Callable[[str, str], tuple[int, int]]
"""Bytes sent to and received from the player of that name in the game of that name."""


def sentence(report: News) -> str:
    """One line, without anything that could disturb a terminal."""
    text = _sentence(report)
    return "".join(one if one.isprintable() else " " for one in text)


def way(path: PathNews) -> str:
    """A path in a few words."""
    transport = _TRANSPORTS.get(path.transport.value, path.transport.value)
    family = f" over IPv{path.family.value}" if path.family is not None else ""
    rtt = f", {path.rtt * 1000:.0f} ms" if path.rtt else ""
    return f"{path.kind.value} ({path.technique.value}, {transport}{family}){rtt}"


def _sentence(report: News) -> str:
    match report:
        case news.Listening(lobby_port=lobby, relay_port=relay):
            return f"Ready: the game's metaserver is 127.0.0.1, port {lobby}; games are held at port {relay}."
        case news.LobbyKnown(exchange=True):
            return "The lobby can connect players directly."
        case news.LobbyKnown():
            return "The lobby knows nothing but its relay; all games go over that."
        case news.Online(player=player):
            return f"{shown(player)} is in the lobby."
        case news.Offline(player=player, left=True):
            return f"{shown(player)} has left the lobby."
        case news.Offline(player=player, reason=reason):
            return f"{shown(player)}: {reason} Games under way go on."
        case news.Hosting(game=game):
            return f"The game {shown(game)!r} is open; guests come directly where that is possible."
        case news.Hosted(game=game, reason=reason):
            return f"The game {shown(game)!r} is closed. {reason}".rstrip()
        case news.Joining(game=game, over_path=True):
            return f"The host of {shown(game)!r} is met directly, without the public relay."
        case news.Joining(game=game, reason=reason):
            why = reason or "nothing else is possible"
            return f"The game {shown(game)!r} goes over the public relay: {why}."
        case _:
            return _later(report)


def _later(report: News) -> str:
    match report:
        case news.LeftGame(game=game, reason=reason):
            return f"The game {shown(game)!r} was left. {reason}".rstrip()
        case news.GuestPath(other=other, news=PathGone(reason=reason)):
            return f"{shown(other)}: {reason}"
        case news.GuestPath(other=other, news=PathNews() as path):
            return f"{shown(other)}: {way(path)}. {path.reason}"
        case news.Parted(other=other, reason=reason):
            return f"{shown(other)} is gone. {reason}".rstrip()
        case news.Note(text=text):
            return text
        case _:
            raise AssertionError(report)


@dataclass(slots=True)
class _Other:
    path: PathNews | None = None
    trouble: str = ""


def _bound(kept: dict[T, V]) -> None:
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]


class AgentBoard:
    """Follows what the agent tells."""

    def __init__(self, amounts: Amounts) -> None:
        self._amounts = amounts
        self._door = "starting"
        self._players: dict[str, str] = {}
        self._games: dict[str, str] = {}
        self._others: dict[tuple[str, str], _Other] = {}

    def take(self, report: News) -> None:
        """Something changed."""
        match report:
            case news.Listening(lobby_port=lobby):
                self._door = f"metaserver for the game: 127.0.0.1 port {lobby}"
            case news.Online(player=player):
                self._players[player] = "in the lobby"
            case news.Offline(player=player, left=True):
                self._players.pop(player, None)
            case news.Offline(player=player):
                self._players[player] = "the lobby is away"
            case news.Hosting(game=game):
                self._games[game] = "hosted here"
            case news.Hosted(game=game):
                self._games.pop(game, None)
            case news.Joining(game=game, over_path=over_path):
                self._games[game] = "joined" if over_path else "joined over the public relay"
            case news.GuestPath(game=game, other=other, news=PathNews() as path):
                self._others[game, other] = _Other(path)
            case news.GuestPath(game=game, other=other, news=PathGone(reason=reason)):
                self._others[game, other] = _Other(None, reason)
            case news.LeftGame(game=game):
                self._games.pop(game, None)
            case news.Parted(game=game, other=other):
                self._others.pop((game, other), None)
            case _:
                pass
        _bound(self._players)
        _bound(self._games)
        _bound(self._others)

    @property
    def size(self) -> int:
        """How much is remembered."""
        return len(self._players) + len(self._games) + len(self._others)

    def lines(self, width: int) -> list[str]:
        """The block, no line longer than *width*."""
        lines = [f"wlnet agent · {self._door}"]
        lines += [f"  {shown(name)}: {state}" for name, state in list(self._players.items())[-4:]]
        lines += [f"  game {shown(game)!r}: {state}" for game, state in list(self._games.items())[-4:]]
        for (game, other), state in list(self._others.items())[:_MOST_ROWS]:
            sent, received = self._amounts(game, other)
            path = way(state.path) if state.path is not None else state.trouble or "looking for a path"
            lines.append(f"    {shown(other)}  {path}  {amount(sent)} sent, {amount(received)} received")
            if state.path is not None:
                lines.append(f"      {state.path.reason}")
        lines.append("  Ctrl-C stops")
        return ["".join(one if one.isprintable() else " " for one in line)[:width] for line in lines]
