"""A small protocol client that logs in to the lobby and keeps what the server tells."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.e2e.waiting import wait_for
from tests.e2e.wire import LobbyStream, frame


class Person(NamedTuple):
    build: str
    game: str
    permission: str


class Game(NamedTuple):
    build: str
    state: str


class Chat(NamedTuple):
    sender: str
    text: str
    kind: str


class Observer:
    """Asks for a list only when the server announces a change, as players' clients do."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.clients: dict[str, Person] = {}
        self.games: dict[str, Game] = {}
        self.chat: list[Chat] = []
        self.names_seen: set[str] = set()
        self.game_history: list[dict[str, Game]] = []
        self.packets: list[list[str]] = []
        self._asked = 0
        self._answered = 0
        self._sending = threading.Lock()
        self._socket = socket.create_connection((host, port), timeout=10)
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()
        self.send("LOGIN", "6", name, "1.1", "false", "an observer's secret")
        wait_for(
            lambda: any(packet[0] == "LOGIN" for packet in list(self.packets)), "the observer's login", 15
        )
        self.refresh()

    def send(self, *fields: str) -> None:
        with self._sending:
            self._asked += fields[0] in ("CLIENTS", "GAMES")
            self._socket.sendall(frame(*fields))

    def say(self, text: str, receiver: str = "") -> None:
        self.send("CHAT", text, receiver)

    def refresh(self) -> None:
        """Ask for both lists now and wait for the answers."""
        self.send("CLIENTS")
        self.send("GAMES")
        asked = self._asked
        wait_for(lambda: self._answered >= asked, "answers to CLIENTS and GAMES", 15)

    def close(self) -> None:
        try:
            self.send("DISCONNECT", "CONNECTION_CLOSED")
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        stream = LobbyStream()
        try:
            while data := self._socket.recv(65536):
                for packet in stream.feed(data):
                    self.packets.append(packet)
                    self._take(packet)
        except OSError:
            return

    def _take(self, packet: list[str]) -> None:
        match packet:
            case ["PING"]:
                self.send("PONG")
            case ["CLIENTS_UPDATE"]:
                self.send("CLIENTS")
            case ["GAMES_UPDATE"]:
                self.send("GAMES")
            case ["CLIENTS", _, *rest]:
                self.clients = {rest[i]: Person(*rest[i + 1 : i + 4]) for i in range(0, len(rest), 4)}
                self.names_seen.update(self.clients)
                self._answered += 1
            case ["GAMES", _, *rest]:
                self.games = {rest[i]: Game(*rest[i + 1 : i + 3]) for i in range(0, len(rest), 3)}
                self.game_history.append(self.games)
                self._answered += 1
            case ["CHAT", sender, text, kind]:
                self.chat.append(Chat(sender, text, kind))
            case _:
                pass

    def states_of(self, game: str) -> list[str]:
        """The states a game had in all lists so far, in order."""
        return [games[game].state for games in self.game_history if game in games]

    # What the steps wait for

    def wait_client(self, name: str, timeout: float = 20.0, **expected: str) -> None:
        """Until the list has ``name`` with the given properties."""

        def condition() -> bool:
            person = self.clients.get(name)
            return person is not None and all(
                getattr(person, key) == value for key, value in expected.items()
            )

        self._wait(condition, f"{name} in CLIENTS with {expected}", timeout)

    def wait_no_client(self, name: str, timeout: float = 20.0) -> None:
        self._wait(lambda: name not in self.clients, f"{name} gone from CLIENTS", timeout)

    def wait_game(self, name: str, state: str, timeout: float = 20.0) -> None:
        def condition() -> bool:
            game = self.games.get(name)
            return game is not None and game.state == state

        self._wait(condition, f"{name} {state} in GAMES", timeout)

    def wait_no_game(self, name: str, timeout: float = 20.0) -> None:
        self._wait(lambda: name not in self.games, f"{name} gone from GAMES", timeout)

    def wait_chat(self, chat: Chat, timeout: float = 15.0) -> None:
        self._wait(lambda: chat in self.chat, f"{chat} at the observer", timeout)

    def _wait(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        try:
            wait_for(condition, what, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; CLIENTS {self.clients}; GAMES {self.games}") from None
