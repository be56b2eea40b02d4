"""What must not end a game: a lobby that dies; and what must end cleanly: agents, refusals, strangers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.agent.machine import Machine, machine, settled
from tests.support.certificates import Authority
from tests.support.server_process import ServerProcess
from tests.support.wire_client import LobbyClient, RelayClient, hello, pack, to_clients, to_host


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def both_ways(host: RelayClient, guest: RelayClient, number: int, word: bytes) -> None:
    guest.send_raw(to_host(b"guest " + word))
    while (heard := host.next(20)) != ("FromClient", number, b"guest " + word):
        assert heard[0] in ("ConnectClient", "DisconnectClient"), heard
    host.send_raw(to_clients([number], b"host " + word))
    assert guest.next(20) == ("FromHost", b"host " + word)


def test_a_lobby_that_is_killed_ends_no_game(tmp_path: Path, stack: ExitStack) -> None:
    """Lobby, public relay and relay of pairs die together; the direct path carries on."""
    server = ServerProcess(tmp_path / "server")
    stack.callback(server.kill)
    server.keep_ports()
    ann, bob = machine(server, stack), machine(server, stack)
    ann_lobby, bob_lobby = ann.lobby("ann"), bob.lobby("bob")
    host = ann.host(ann_lobby, "duel")
    settled(server, "duel", "SETUP")
    guest = bob.join(bob_lobby, "duel")
    assert host.next() == ("ConnectClient", 2)
    both_ways(host, guest, 2, b"before")
    bob.agent.until(lambda: any(one["path"] == "direct" for one in bob.agent.said("path")))
    ann.agent.until(lambda: any(one["path"] == "direct" for one in ann.agent.said("path")))
    server.kill()
    both_ways(host, guest, 2, b"while it is away")
    ann.agent.event("offline")
    server.start()
    # The game's connection breaks once the lobby is back, so that it logs in again by itself.
    ann_lobby.last_words(20)
    again = ann.lobby("ann")
    assert again.name == "ann"
    both_ways(host, guest, 2, b"after")
    assert ann.agent.stop()[0] == 0
    assert guest.last_words(10)[-1:] in ([("Disconnect", "NORMAL")], [])
    assert server.stop() == 0
    server.check_log()


def test_a_lobby_that_ends_connections_at_unknown_commands(stack: ExitStack) -> None:
    """Like the lobbies of old: the question is asked on a connection nobody plays over."""
    listener = socket.create_server(("127.0.0.1", 0))
    stack.callback(listener.close)
    seen: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            data = connection.recv(4096)
            seen.append(data)
            if b"LOGIN\0" in data:
                connection.sendall(pack("LOGIN", "ann", "UNREGISTERED") + pack("TIME", str(int(time.time()))))
                seen.append(connection.recv(4096))
            else:
                connection.sendall(pack("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD"))
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    mine = Machine(stack, f"tcp://127.0.0.1:{listener.getsockname()[1]}", 7397)
    assert mine.agent.event("lobby-known")["exchange"] is False
    lobby = mine.lobby("ann")
    lobby.send("CHAT", "hello", "")
    lobby.last_words()
    assert seen[0] == pack("WLNET", "1")
    assert b"LOGIN\x006\0ann\0" in seen[1]
    assert seen[2] == pack("CHAT", "hello", "")


def test_a_lobby_nobody_answers_at(stack: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    mine = Machine(stack, f"tcp://127.0.0.1:{port}", 7397)
    with LobbyClient("127.0.0.1", mine.lobby_port) as game:
        game.send("LOGIN", "6", "ann", "1.1", "false", "x")
        assert game.last_words() == []
    assert "cannot be reached" in mine.agent.event("note")["text"]


def test_the_certificate_of_the_lobby_is_checked(tmp_path: Path, stack: ExitStack) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    authority, stranger = Authority(tmp_path / "mine"), Authority(tmp_path / "other")
    certificate, key = authority.issue()
    server = ServerProcess(
        tmp_path / "server",
        {
            "tls.certificate": str(certificate),
            "tls.key": str(key),
            "tls.lobby_port": 0,
            "tls.services": ["lobby"],
        },
    )
    stack.callback(server.kill)
    lobby = f"tls://127.0.0.1:{server.port('lobby-tls')}"
    right = Machine(stack, lobby, 7397, "--ca", str(authority.file))
    assert right.lobby("ann").name == "ann"
    wrong = Machine(stack, lobby, 7397, "--ca", str(stranger.file))
    with LobbyClient("127.0.0.1", wrong.lobby_port) as game:
        game.send("LOGIN", "6", "eve", "1.1", "false", "x")
        assert game.last_words() == []
    assert "certificate" in wrong.agent.event("note")["text"]


def test_strangers_on_the_machine_get_nothing(tmp_path: Path, stack: ExitStack) -> None:
    server = ServerProcess(tmp_path / "server")
    stack.callback(server.kill)
    mine = machine(server, stack)
    lobby = mine.lobby("ann")
    for words in (hello("nothing", "client"), hello("nothing", "password")):
        relay = mine.relay()
        relay.send_raw(words)
        assert relay.last_words() == [("Disconnect", "GAME_UNKNOWN")]
    for words in (b"\xff", b"GET / HTTP/1.1\r\n\r\n", bytes([1, 1]) + b"x" * 2000):
        relay = mine.relay()
        relay.send_raw(words)
        assert relay.last_words() == [("Disconnect", "PROTOCOL_VIOLATION")]
    # a wrong password is refused by the public relay, whose word the game is given
    _, addresses = lobby.open_game("mine")
    assert addresses[0] == "127.0.0.1"
    relay = mine.relay()
    relay.send_raw(hello("mine", "wrong"))
    assert relay.last_words() == [("Disconnect", "NO_HOST")]
    crowd = [socket.create_connection(("127.0.0.1", mine.lobby_port)) for _ in range(20)]
    for one in crowd:
        one.close()
    assert lobby.games() == [] or lobby.games()
    assert mine.agent.stop()[0] == 0


def test_both_ports_are_on_loopback_only(tmp_path: Path, stack: ExitStack) -> None:
    server = ServerProcess(tmp_path / "server")
    stack.callback(server.kill)
    mine = machine(server, stack)
    listening = set()
    for file in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, port = local.split(":")
            if state == "0A" and int(port, 16) in (mine.lobby_port, mine.relay_port):
                listening.add(address)
    assert listening <= {"0100007F", "00000000000000000000000001000000"}
    assert "0100007F" in listening
