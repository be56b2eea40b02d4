"""Crowds, floods, garbage and people who do not read: the neighbours notice nothing."""

from __future__ import annotations

import contextlib
import random
import selectors
import time
from collections.abc import Callable

import pytest

from tests.integration.server.conftest import People, Start
from tests.support.server_process import ServerProcess
from tests.support.wire_client import (
    Closed,
    LobbyClient,
    RelayClient,
    hello,
    pack,
    to_clients,
    to_host,
    wait_for,
)


class Neighbour:
    """Well-behaved people in lobby and relay, whose round trips are watched."""

    def __init__(self, people: People, server: ServerProcess) -> None:
        self.player = people.player(server, "neighbour")
        _, _, self.host, (self.guest,) = people.game(server, guests=1)
        self.worst = 0.0

    def check(self) -> None:
        """One round trip in the lobby and one through the relay."""
        lobby = self.player.round_trip()
        began = time.monotonic()
        self.guest.send_raw(to_host(b"are you there"))
        assert self.host.next() == ("FromClient", 2, b"are you there")
        self.worst = max(self.worst, lobby, time.monotonic() - began)


@pytest.fixture
def neighbour(server: ServerProcess, people: People) -> Neighbour:
    return Neighbour(people, server)


# -- crowds --------------------------------------------------------------------------------------------


def test_a_crowd_of_three_hundred(start: Start, people: People) -> None:
    """Counts are one byte to released clients: 255 at most, the asker always among them."""
    server = start({"lobby.announce_delay": 0.1})
    crowd = [people.player(server, "crowd") for _ in range(300)]
    time.sleep(0.3)
    for asker in (crowd[0], crowd[150], crowd[299]):
        names = asker.names()
        assert len(names) == 255
        assert len(set(names)) == 255
        assert asker.name in names
    old = people.guest(server)
    old.send("LOGIN", "0", "old.one", "build-19", "false")
    old.send("CLIENTS")
    packet = old.until("CLIENTS")[-1]
    assert int(packet[1]) == 255
    assert "old.one" in packet
    server.check_log()


def test_long_names_do_not_break_the_lists(start: Start, people: People) -> None:
    """255 entries of the longest names and builds stay under 65535 bytes."""
    server = start({"lobby.announce_delay": 0, "limits.name_length": 255, "limits.build_length": 255})
    crowd = [people.player(server, name=f"{number:03}" + "n" * 252, build="b" * 255) for number in range(200)]
    entries = crowd[0].clients()
    assert 50 < len(entries) <= 200
    assert crowd[0].name in [entry[0] for entry in entries]
    assert crowd[199].name in crowd[199].names()


def test_a_burst_of_logins_costs_little(start: Start, people: People) -> None:
    """Sixty come at once, each fetching the list at every update: O(N) packets, not O(N * N) lists."""
    server = start({"lobby.announce_delay": 0.3, "lobby.update_interval": 0.5})
    crowd = [people.guest(server) for _ in range(60)]
    updates = 0
    with selectors.DefaultSelector() as selector:
        for client in crowd:
            selector.register(client.socket, selectors.EVENT_READ, client)
        for number, client in enumerate(crowd):
            client.send("LOGIN", "6", f"crowd-{number}", "1.2.1", "false", f"nonce {number}")
        deadline = time.monotonic() + 1.6
        while time.monotonic() < deadline:
            for key, _ in selector.select(0.05):
                client = key.data
                client.fill(time.monotonic() + 1)
                while len(client.buffer) >= 2 and len(client.buffer) >= int.from_bytes(
                    client.buffer[:2], "big"
                ):
                    if client.take() == ("CLIENTS_UPDATE",):
                        updates += 1
                        client.send("CLIENTS")
    assert all(client.received for client in crowd)
    assert 60 <= updates <= 60 * 6, f"{updates} updates for {len(crowd)} players"
    assert len(crowd[0].names()) == 60
    assert sum(client.received for client in crowd) < 60 * 6 * 60 * 60


# -- people who do not read ----------------------------------------------------------------------------


def test_a_player_who_does_not_read_stops_nobody(start: Start, people: People) -> None:
    """3 MB of backlog once stood the whole lobby still; now he is dropped, alone, and hosts are welcomed."""
    server = start({"limits.chat_rate": 0, "limits.command_rate": 0, "lobby.close_linger": 0.5})
    stuck = people.guest(server, window=2048)
    stuck.log_in("stuck")
    watcher, talker = people.player(server), people.player(server)
    worst = 0.0
    for number in range(5000):
        began = time.monotonic()
        talker.send("CHAT", f"{number:<1000}", "")
        assert watcher.next() == ("CHAT", talker.name, f"{number:<1000}", "public")
        assert talker.next()[0] == "CHAT"
        worst = max(worst, time.monotonic() - began)
        if number % 1000 == 0:
            people.game(server, guests=1)
    assert worst < 0.5
    wait_for(lambda: "stuck" not in watcher.names(), what="the one who does not read to be dropped")
    assert server.memory < 200 * 2**20


# -- garbage and floods --------------------------------------------------------------------------------


def flood(
    client: LobbyClient | RelayClient, data: bytes, seconds: float, meanwhile: Callable[[], None]
) -> None:
    """Send all that goes and read nothing."""
    sent, deadline = 0, time.monotonic() + seconds
    with contextlib.suppress(Closed):
        while time.monotonic() < deadline:
            until = time.monotonic() + 0.03
            while time.monotonic() < until:
                sent += client.try_send(data[sent % len(data) :], 0.001)
            meanwhile()


@pytest.mark.parametrize(
    ("logged_in", "data"),
    [
        (True, pack("PONG") * 5000),
        (True, pack("CLIENTS") * 5000),
        (True, pack("CHAT", "spam " * 50, "") * 200),
        (True, pack("GAME_CONNECT", "nowhere") * 2000),
        (False, pack("PONG") * 5000),
        (False, pack("CHECK_PWD", "6", "otto", "1.2.1") * 1000),
        (False, random.Random(1).randbytes(100000)),
        (False, b"\xff\xff" + b"A" * 65533),
        (True, b"\xff\xff" + b"CHAT\0" + b"A" * 65528),
        (False, b"\0" * 100000),
    ],
    ids=["pong", "clients", "chat", "connect", "early-pong", "check", "random", "long", "long-chat", "zeros"],
)
def test_floods_in_the_lobby(
    server: ServerProcess, people: People, neighbour: Neighbour, logged_in: bool, data: bytes
) -> None:
    attacker = people.player(server) if logged_in else people.guest(server)
    flood(attacker, data, 0.2, neighbour.check)
    assert neighbour.worst < 0.5
    assert server.memory < 400 * 2**20


@pytest.mark.parametrize(
    ("role", "data"),
    [
        ("stranger", random.Random(2).randbytes(100000)),
        ("stranger", b"\x01\x01" + b"g" * 100000),
        ("guest", b"\x06" * 50000),
        ("guest", b"\x05\x01" * 50000),
        ("guest", to_host(b"") * 20000),
        ("guest", to_host(b"f" * 60000)),
        ("host", to_clients([2] * 5000, b"") * 10),
        ("host", to_clients([2] * 200, b"m" * 60000)),
        ("host", b"\x0c\x63" * 50000),
        ("host", b"\x0d" + b"\x02" * 100000),
    ],
    ids=[
        "random",
        "endless-hello",
        "rtt",
        "pong",
        "tiny",
        "big",
        "list",
        "multiply",
        "kicks",
        "endless-list",
    ],
)
def test_floods_at_the_relay(
    server: ServerProcess, people: People, neighbour: Neighbour, role: str, data: bytes
) -> None:
    game = people.name("game")
    owner = people.player(server)
    password, _ = owner.open_game(game)
    host = people.peer(server).join(game, password)
    guest = people.peer(server).join(game)
    host.next()
    attacker = {"stranger": people.peer(server), "guest": guest, "host": host}[role]
    flood(attacker, data, 0.2, neighbour.check)
    assert neighbour.worst < 0.5
    assert server.memory < 400 * 2**20


def test_half_packets_and_cuts(server: ServerProcess, people: People, neighbour: Neighbour) -> None:
    """Every prefix of a login and of a Hello, then a reset."""
    login = pack("LOGIN", "6", "half", "1.2.1", "false", "half nonce")
    greeting = hello("some game", "client")
    for length in range(0, len(login), 3):
        with server.lobby() as guest:
            guest.send_raw(login[:length])
            guest.reset()
    for length in range(len(greeting)):
        with server.relay() as peer:
            peer.send_raw(greeting[:length])
            peer.reset()
    neighbour.check()
    assert neighbour.worst < 0.5


def test_connections_from_one_address_are_limited(start: Start, people: People) -> None:
    """Loopback is exempt by default, so other limits are looked at: all connections together."""
    server = start({"limits.lobby_connections": 20, "limits.relay_connections": 20})
    player = people.player(server)
    refused = 0
    for _ in range(40):
        guest = people.guest(server)
        if not guest.during(0.005) and guest.ended:
            refused += 1
    wait_for(lambda: player.round_trip() < 0.5)
    assert refused >= 15
    for peer in [people.peer(server) for _ in range(40)][30:]:
        assert not any(word[0] == "Welcome" for word in peer.last_words(2))


def test_chat_flood_is_refused_not_obeyed(unchanged_server: ServerProcess, people: People) -> None:
    loud, listener = people.player(unchanged_server), people.player(unchanged_server)
    for _ in range(80):
        loud.send("CHAT", "spam", "")
    heard = [packet for packet in listener.during(1.0) if packet[0] == "CHAT"]
    assert 5 <= len(heard) <= 40


def test_descriptors_come_back(server: ServerProcess, people: People) -> None:
    time.sleep(0.2)
    before = server.open_files
    for _ in range(30):
        with server.lobby() as guest, server.relay() as peer:
            guest.log_in(people.name())
            peer.send_raw(b"\xff")
            guest.send("DISCONNECT", "x")
            guest.end_of_stream()
            peer.end_of_stream()
    wait_for(lambda: server.open_files <= before + 5, what="the descriptors to be closed")
