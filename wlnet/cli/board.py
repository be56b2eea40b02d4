"""The block a terminal shows while a game is hosted or joined: what is, not what was."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from wlnet.cli.sentences import amount, joined, way
from wlnet.client.forward import reports
from wlnet.client.forward.reports import Report
from wlnet.client.lobby.words import shown

_MOST_ROWS = 12
_INDENT = "      "
_REASON_LINES = 3

Amounts = Callable[[str], tuple[int, int]]
"""Bytes sent to and received from the player of that name."""


@dataclass(slots=True)
class _Player:
    """*times*: he may be here twice for a moment, when he came back over a new connection."""

    times: int = 0
    path: reports.PathTaken | None = None
    trouble: str = ""


class Board:
    """Follows the reports.

    :param title: what is played and where.
    """

    def __init__(self, title: str, amounts: Amounts) -> None:
        self._title = title
        self._amounts = amounts
        self._players: dict[str, _Player] = {}
        self._lobby = "connecting to the lobby"
        self._door = ""

    def take(self, report: Report) -> None:
        """Something changed."""
        match report:
            case reports.Lobby(name=name):
                self._lobby = f"you are {shown(name)}"
            case reports.LobbyLost():
                self._lobby = "the lobby is away, trying again"
            case reports.Listening(address=address, port=port):
                self._door = f"let your game connect to {joined(address, port)}"
            case reports.PeerHere(peer=peer):
                self._players.setdefault(peer, _Player()).times += 1
            case reports.PathTaken(peer=peer) if peer in self._players:
                self._players[peer].path = report
            case reports.PathLost(peer=peer, reason=reason) if peer in self._players:
                self._players[peer].path, self._players[peer].trouble = None, reason
            case reports.PeerGone(peer=peer) if peer in self._players:
                self._players[peer].times -= 1
                if not self._players[peer].times:
                    del self._players[peer]
            case _:
                pass

    def lines(self, width: int) -> list[str]:
        """The block, no line longer than *width*."""
        head = [self._title, self._lobby, self._door]
        lines = ["· ".join(f"{part} " for part in head if part).strip()]
        for name in list(self._players)[:_MOST_ROWS]:
            lines += self._player(name, width)
        if len(self._players) > _MOST_ROWS:
            lines.append(f"  and {len(self._players) - _MOST_ROWS} more")
        if not self._players:
            lines.append("  nobody else is there yet")
        lines.append("  Ctrl-C leaves")
        return ["".join(one if one.isprintable() else " " for one in line)[:width] for line in lines]

    def _player(self, name: str, width: int) -> list[str]:
        player = self._players[name]
        sent, received = self._amounts(name)
        carried = f"{amount(sent)} sent, {amount(received)} received"
        path = player.path
        if path is None:
            return [f"  {shown(name)}  {player.trouble or 'looking for a path'}  {carried}"]
        rtt = f"{path.rtt_ms:.0f} ms" if path.rtt_ms else "-"
        reason = textwrap.wrap(
            path.reason, width, initial_indent=_INDENT, subsequent_indent=_INDENT, max_lines=_REASON_LINES
        )
        return [f"  {shown(name)}  {way(path)}  {rtt}  {carried}", *reason]
