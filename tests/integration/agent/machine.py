"""A player's machine with an agent, and games of the released kind on it."""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.support.player_process import PlayerProcess
from tests.support.server_process import ServerProcess
from tests.support.wire_client import LobbyClient, RelayClient, hello, read_addresses


class Machine:
    """An agent, and games that use it."""

    def __init__(self, stack: ExitStack, lobby: str, public_relay_port: int, *words: str) -> None:
        self._stack = stack
        self.agent = stack.enter_context(
            PlayerProcess(
                "agent", "--lobby", lobby, "--no-mapping", "--lobby-port", "0", "--relay-port", "0",
                "--public-relay-port", str(public_relay_port), *words,
            )
        )  # fmt: skip
        listening = self.agent.event("listening")
        self.lobby_port, self.relay_port = int(listening["lobby_port"]), int(listening["relay_port"])

    def lobby(self, name: str) -> LobbyClient:
        """A game that has logged in."""
        return self._stack.enter_context(LobbyClient("127.0.0.1", self.lobby_port)).log_in(name)

    def relay(self) -> RelayClient:
        """A connection to what the game takes for the relay."""
        return self._stack.enter_context(RelayClient("127.0.0.1", self.relay_port))

    def host(self, lobby: LobbyClient, game: str) -> RelayClient:
        """Open a game, as a released client does."""
        password, addresses = lobby.open_game(game)
        assert addresses[0] == "127.0.0.1"
        relay = self.relay()
        relay.send_raw(hello(game, password))
        assert relay.next() == ("Welcome", 1, game)
        self.agent.until(lambda: any(one["game"] == game for one in self.agent.said("hosting")))
        return relay

    def join(self, lobby: LobbyClient, game: str) -> RelayClient:
        """Join a game, which the agent has to hold."""
        lobby.send("GAME_CONNECT", game)
        answer = lobby.next(10)
        assert answer[0] == "GAME_CONNECT", answer
        assert read_addresses(answer[1:])[0] == "127.0.0.1"
        relay = self.relay()
        relay.send_raw(hello(game, "client"))
        assert relay.next() == ("Welcome", 1, game)
        return relay


def machine(server: ServerProcess, stack: ExitStack, *words: str) -> Machine:
    """A machine whose agent uses *server*."""
    return Machine(stack, f"tcp://127.0.0.1:{server.port('lobby')}", server.port("relay"), *words)


def settled(server: ServerProcess, game: str, state: str | None) -> None:
    """Wait until the lobby lists *game* so; None: not at all."""
    with server.lobby() as watcher:
        watcher.log_in(f"w{time.monotonic_ns() % 10**9}")
        deadline = time.monotonic() + 6
        while watcher.state_of(game) != state:
            assert time.monotonic() < deadline, watcher.state_of(game)
            time.sleep(0.1)
