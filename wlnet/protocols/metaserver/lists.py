"""What many players get alike: CLIENTS, GAMES and chat, encoded once.

The lists are made once a change, within what a packet and a client can hold.
"""

from __future__ import annotations

from collections.abc import Iterable

from wlnet.lobby.game import Carrier, Game, GameState
from wlnet.lobby.hall import Hall
from wlnet.lobby.player import Player
from wlnet.lobby.ports import Permission
from wlnet.protocols.metaserver.dialect import BUILD_19, builds_fit
from wlnet.protocols.metaserver.wire import MAX_PACKET, encode, frame, pack

MAX_ENTRIES = 255
"""Released clients take the count modulo 256."""

_LONGEST_ENTRY = 1024
"""Bytes no entry of CLIENTS exceeds: name, build and game have at most 255 each."""

_MAX_VIEWS = 64
"""GAMES looks different to each build; only so many are kept ready."""


class ListWriter:
    """The packets many get, for one lobby."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._clients: dict[bool, _Clients] = {}
        self._clients_generation = -1
        self._games: dict[tuple[bool, str], bytes] = {}
        self._games_generation = -1
        self._chat: tuple[tuple[str, str, str], bytes] = (("", "", ""), b"")

    def chat(self, sender: str, text: str, kind: str) -> bytes:
        """A CHAT packet; the last one is kept, for it goes to everybody."""
        line = (sender, text, kind)
        if self._chat[0] != line or not self._chat[1]:
            self._chat = (line, encode("CHAT", *line))
        return self._chat[1]

    def clients(self, asker: Player) -> bytes:
        """CLIENTS for *asker*: everybody announced, and himself in any case."""
        generation = self._hall.player_news.generation
        if generation != self._clients_generation:
            self._clients.clear()
            self._clients_generation = generation
        old = asker.dialect == BUILD_19
        made = self._clients.get(old)
        if made is None:
            made = self._clients[old] = _Clients(self._hall.roster, old)
        return made.packet_for(asker)

    def games(self, asker: Player) -> bytes:
        """GAMES for *asker*: the state of a game depends on whether his build fits."""
        generation = self._hall.game_news.generation
        if generation != self._games_generation:
            self._games.clear()
            self._games_generation = generation
        view = (asker.dialect == BUILD_19, asker.build)
        packet = self._games.get(view)
        if packet is None:
            if len(self._games) >= _MAX_VIEWS:
                self._games.clear()
            packet = self._games[view] = _games_packet(self._hall.board, *view)
        return packet


class _Clients:
    def __init__(self, players: Iterable[Player], old: bool) -> None:
        self._old = old
        shown: list[Player] = []
        for player in players:
            if len(shown) == MAX_ENTRIES:
                break
            if player.live and player.announced and not (old and player.permission is Permission.IRC):
                shown.append(player)
        self._entries = _fitting("CLIENTS", [_client(player, old) for player in shown])
        self._shown = set(shown[: len(self._entries)])
        self._packet = _packet("CLIENTS", self._entries)
        self._others: bytes | None = None

    def packet_for(self, asker: Player) -> bytes:
        if asker in self._shown:
            return self._packet
        if self._others is None:
            others = _fitting("CLIENTS", self._entries[: MAX_ENTRIES - 1], reserve=_LONGEST_ENTRY)
            self._others = pack(["CLIENTS", str(len(others) + 1)]) + b"".join(others)
        return frame(self._others + _client(asker, self._old))


def _client(player: Player, old: bool) -> bytes:
    fields = [player.name, player.build, player.game_name, player.permission.value]
    return pack([*fields, ""] if old else fields)


def _games_packet(games: Iterable[Game], old: bool, build: str) -> bytes:
    state = _old_state if old else _state
    listed = [(game, state(game, build)) for game in games]
    if len(listed) > MAX_ENTRIES:
        # Not all can be shown: those that can be joined first.
        listed.sort(key=lambda entry: entry[1] not in {"SETUP", "true"})
    entries = [pack([game.name, game.build, text]) for game, text in listed[:MAX_ENTRIES]]
    return _packet("GAMES", _fitting("GAMES", entries))


def _state(game: Game, build: str) -> str:
    if (
        game.carrier is not Carrier.RELAY
        or game.state is GameState.OPENING
        or not builds_fit(game.build, build)
    ):
        return "CLOSED"
    return "SETUP" if game.state is GameState.SETUP else "RUNNING"


def _old_state(game: Game, build: str) -> str:
    is_open = game.carrier is Carrier.HOST and game.state is GameState.SETUP and game.build == build
    return "true" if is_open else "false"


def _fitting(command: str, entries: list[bytes], reserve: int = 0) -> list[bytes]:
    room = MAX_PACKET - 2 - len(command) - 1 - len(str(MAX_ENTRIES)) - 1 - reserve
    for count, entry in enumerate(entries):
        room -= len(entry)
        if room < 0:
            return entries[:count]
    return entries


def _packet(command: str, entries: list[bytes]) -> bytes:
    return frame(pack([command, str(len(entries))]) + b"".join(entries))
