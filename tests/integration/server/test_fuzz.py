"""Random and mutated input in every state, a well-behaved neighbour looking on.

The examples are the same in each run; for others: pytest --hypothesis-seed=random
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.server.conftest import PASSWORDS, People, Start, start_with_accounts
from tests.support.server_process import ServerProcess
from tests.support.wire_client import (
    Closed,
    LobbyClient,
    RelayClient,
    Wire,
    hello,
    pack,
    sha1,
    to_clients,
    to_host,
)

GAME = "the game under fire"
EXAMPLES = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

fields = st.one_of(
    st.sampled_from(
        [
            "", "0", "1", "5", "6", "-1", "9" * 20, "true", "false", "otto", "neighbour", "1.2.1",
            "build-19", "warn", "kick", "ban", GAME, "neighbour x", " ", "%s{0}", "\u202e",
        ]
    ),
    st.text(max_size=20).map(lambda text: text.replace("\0", "")),
)  # fmt: skip
commands = st.sampled_from(
    [
        "LOGIN", "RELOGIN", "CHECK_PWD", "PWD_CHALLENGE", "PONG", "DISCONNECT", "CLIENTS", "GAMES", "CHAT",
        "MOTD", "ANNOUNCEMENT", "CMD", "GAME_OPEN", "GAME_CONNECT", "GAME_START", "GAME_DISCONNECT", "TIME",
    ]
)  # fmt: skip


def encode(words: list[str]) -> bytes:
    return pack(*(word.encode("utf-8", "surrogatepass") for word in words))


lobby_packet = st.builds(
    lambda command, rest: encode([command, *rest]), commands, st.lists(fields, max_size=7)
)
relay_command = st.one_of(
    st.builds(hello, st.sampled_from([GAME, "x", ""]), st.sampled_from(["client", ""]), st.integers(0, 255)),
    st.builds(to_clients, st.lists(st.integers(1, 255), max_size=8), st.binary(max_size=60)),
    st.builds(to_host, st.binary(max_size=60)),
    st.builds(lambda code, value: bytes([code, value]), st.sampled_from([4, 5, 11, 12]), st.integers(0, 255)),
    st.sampled_from(
        [b"\x06", b"\x03bye\0", b"\x07\x01\x01\x01\x01", b"\x02\x01x\0", b"\x0e\x02\x00\x03x", b"\x15\0\0"]
    ),
)


def mutate(parts: list[bytes], at: int, change: bytes, drop: int) -> bytes:
    """All parts in a row, some bytes of it replaced."""
    data = b"".join(parts)
    at = at % (len(data) + 1)
    return data[:at] + change + data[at + drop :]


def stream(part: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Mutated rows of valid packets, or just bytes."""
    changed = st.builds(
        mutate,
        st.lists(part, min_size=1, max_size=6),
        st.integers(0, 1000),
        st.binary(max_size=4),
        st.integers(0, 4),
    )
    return st.one_of(st.lists(part, max_size=8).map(b"".join), changed, st.binary(max_size=200))


class Range:
    """A server under fire, and the neighbour."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.neighbour = server.lobby().log_in("neighbour")
        owner = server.lobby().log_in("owner")
        password, _ = owner.open_game("of the neighbour")
        self.host = server.relay().join("of the neighbour", password)
        self.guest = server.relay().join("of the neighbour")
        assert self.host.next() == ("ConnectClient", 2)
        self.target = server.lobby().log_in("target")
        password, _ = self.target.open_game(GAME)
        self.target_host = server.relay().join(GAME, password)
        self.number = 0
        self.worst = 0.0

    def check(self) -> None:
        """The neighbour's round trips; the host of the game under fire reads."""
        if self.number % 4 == 0:  # seldom enough not to be slowed down for too many commands
            self.worst = max(self.worst, self.neighbour.round_trip())
        began = time.monotonic()
        self.guest.send_raw(to_host(b"hello"))
        assert self.host.next() == ("FromClient", 2, b"hello")
        self.host.send_raw(to_clients([2], b"hello"))
        assert self.guest.next() == ("FromHost", b"hello")
        self.worst = max(self.worst, time.monotonic() - began)
        if self.number % 20 == 0:
            for command in self.target_host.during(0.001):
                if command[0] == "DisconnectClient":  # done with it, so the id may be used again
                    self.target_host.send_raw(bytes([12, int(str(command[1]))]))
            self.target.during(0.001)


@pytest.fixture(scope="module")
def shooting_range(accounts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    server = start_with_accounts(
        accounts,
        tmp_path_factory.mktemp("fuzz"),
        {"lobby.close_linger": 0.2, "relay.close_linger": 0.2, "lobby.announce_delay": 0.1},
    )
    try:
        memory = server.memory
        place = Range(server)
        yield place
        assert server.runs, server.log
        place.check()
        assert place.worst < 0.5
        assert server.memory < memory + 60 * 2**20, "memory grows without bound"
        place.target_host.during(0.1)
        assert not place.target_host.ended, "a guest ended a game of another"
        assert server.stop() == 0
        server.check_log()
    finally:
        server.kill()


def fire(place: Range, attacker: Wire, data: bytes, pieces: int) -> None:
    """Send the bytes in some pieces, read what comes, cut."""
    place.number += 1
    size = max(1, len(data) // pieces)
    try:
        for at in range(0, len(data), size):
            attacker.send_raw(data[at : at + size])
        if isinstance(attacker, LobbyClient | RelayClient):
            attacker.during(0.002)
    except Closed:
        pass
    finally:
        attacker.close()
    place.check()


def log_in_oddly(place: Range, state: str) -> LobbyClient:
    """A connection in that state."""
    client = place.server.lobby()
    if state == "challenged":
        client.send("LOGIN", "6", "otto", "1.2.1", "true", "")
        client.take()
    elif state in ("in", "in a game"):
        client.log_in(f"attacker-{place.number}", nonce=f"of {place.number}")
        if state == "in a game":
            client.send("GAME_CONNECT", GAME)
            client.next(skipping=("CLIENTS_UPDATE", "GAMES_UPDATE", "PING", "CHAT"))
    elif state == "with account":
        client.send("CHECK_PWD", "6", "erna", "1.2.1")
        client.send("PWD_CHALLENGE", sha1(client.take()[1] + sha1(PASSWORDS["erna"])))
        client.take()
    elif state == "build 19":
        client.send("LOGIN", "0", f"old-{place.number}", "build-19", "false")
        client.until("TIME")
    return client


@EXAMPLES
@given(
    state=st.sampled_from(["new", "challenged", "in", "in a game", "with account", "build 19"]),
    data=stream(lobby_packet),
    pieces=st.integers(1, 4),
)
def test_lobby(shooting_range: Range, state: str, data: bytes, pieces: int) -> None:
    fire(shooting_range, log_in_oddly(shooting_range, state), data, pieces)


@EXAMPLES
@given(state=st.sampled_from(["new", "guest", "host"]), data=stream(relay_command), pieces=st.integers(1, 4))
def test_relay(shooting_range: Range, state: str, data: bytes, pieces: int) -> None:
    place = shooting_range
    if state == "host":
        owner = place.server.lobby().log_in(f"owner-{place.number}", nonce=f"owner {place.number}")
        name = f"game {place.number}"
        password, _ = owner.open_game(name)
        attacker = place.server.relay().join(name, password)
        owner.send("DISCONNECT", "CONNECTION_CLOSED")
        owner.close()
    else:
        attacker = place.server.relay()
        if state == "guest":
            attacker.join(GAME)
    fire(place, attacker, data, pieces)


def test_the_longest_packet(start: Start, people: People) -> None:
    """A packet limit is kept to the byte, before and after login."""
    server = start(
        {"limits.lobby_packet_before_login": 100, "limits.lobby_packet": 1000, "limits.chat_length": 100}
    )
    early = people.guest(server)
    early.send_raw(b"\x00\x65")
    early.last_words()
    player = people.player(server)
    exact = pack("CHAT", "x" * 50, "", "surplus" * 132, "x" * 15)
    assert len(exact) == 1000
    player.send_raw(exact)
    assert player.next() == ("CHAT", player.name, "x" * 50, "public")
    player.send_raw(b"\x03\xe9")
    player.last_words()
