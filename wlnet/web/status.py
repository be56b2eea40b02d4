"""The public state of a lobby for web sites (docs/protocols/status.md): who is here, what is played."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from wlnet.lobby.game import GameState
from wlnet.lobby.hall import Hall

FORMAT = 1
"""Raised when a member is taken away or means something else; not when one is added."""


@dataclass(frozen=True, slots=True)
class StatusText:
    """A document ready to be sent.

    :ivar etag: changes with everything but the passing of time.
    """

    body: bytes
    etag: str


class StatusWriter:
    """Writes the document: what every player in the lobby sees, so no addresses and no secrets.

    :param started: seconds since 1970.
    :param uptime: seconds the server runs.
    """

    def __init__(self, hall: Hall, version: str, started: float, uptime: Callable[[], float]) -> None:
        self._hall = hall
        self._version = version
        self._started = int(started)
        self._uptime = uptime

    def write(self) -> StatusText:
        """The state now."""
        players = [one for one in self._hall.roster if one.live and one.announced]
        inside: dict[str, list[str]] = {}
        shown = []
        for player in players:
            game = player.game if player.game is not None and not player.game.ended else None
            if game is not None:
                inside.setdefault(game.room_id, []).append(_clean(player.name))
            shown.append(
                {
                    "name": _clean(player.name),
                    "build": _clean(player.build),
                    "permission": player.permission.name.lower(),
                    "game": _clean(game.name) if game is not None else None,
                }
            )
        games = [
            {
                "name": _clean(game.name),
                "host": _clean(game.host_name),
                "build": _clean(game.build),
                "state": game.state.name.lower(),
                "carrier": game.carrier.name.lower(),
                "players": inside.get(game.room_id, []),
            }
            for game in self._hall.board
        ]
        document: dict[str, object] = {
            "format": FORMAT,
            "version": self._version,
            "started": self._started,
            "counts": {
                "players": len(shown),
                "players_in_games": sum(map(len, inside.values())),
                "games": len(games),
                "open_games": sum(one.state is GameState.SETUP for one in self._hall.board),
            },
            "players": shown,
            "games": games,
        }
        digest = hashlib.sha256(_encoded(document)).hexdigest()[:20]
        return StatusText(_encoded({**document, "uptime": int(self._uptime())}) + b"\n", f'W/"{digest}"')


def _encoded(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _clean(text: str) -> str:
    """Bytes that are no UTF-8 would be no JSON text either."""
    return text.encode("utf-8", "replace").decode("utf-8")
