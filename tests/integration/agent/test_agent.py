"""`wlnet agent` between games that speak the released protocols and the real server, on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.agent.machine import machine, settled
from tests.support.server_process import ServerProcess
from tests.support.wire_client import hello, read_addresses, to_clients, to_host


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("server"))
    try:
        yield running
        assert running.stop() == 0
    finally:
        running.kill()
    running.check_log()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_guests_with_and_without_an_agent_play_in_one_game(server: ServerProcess, stack: ExitStack) -> None:
    ann, bob = machine(server, stack), machine(server, stack)
    host_lobby, guest_lobby = ann.lobby("ann"), bob.lobby("bob")
    host = ann.host(host_lobby, "both")
    settled(server, "both", "SETUP")
    guest = bob.join(guest_lobby, "both")
    assert host.next() == ("ConnectClient", 2)
    # one without an agent
    plain_lobby = stack.enter_context(server.lobby()).log_in("carl")
    plain_lobby.send("GAME_CONNECT", "both")
    assert plain_lobby.next()[0] == "GAME_CONNECT"
    plain = stack.enter_context(server.relay())
    plain.send_raw(hello("both", "client"))
    assert plain.next() == ("Welcome", 1, "both")
    assert host.next() == ("ConnectClient", 3)
    # everybody with everybody, as far as the game does that
    guest.send_raw(to_host(b"from bob"))
    plain.send_raw(to_host(b"from carl"))
    assert {host.next(), host.next()} == {("FromClient", 2, b"from bob"), ("FromClient", 3, b"from carl")}
    host.send_raw(to_clients([2, 3], b"to all") + to_clients([3], b"to carl"))
    assert guest.next() == ("FromHost", b"to all")
    assert [plain.next(), plain.next()] == [("FromHost", b"to all"), ("FromHost", b"to carl")]
    path = bob.agent.event("path")
    assert path["peer"] == "ann"
    assert path["path"] in ("relayed", "direct")
    # kicked, leaving, and coming back
    host.send_raw(bytes([12, 3]))
    assert plain.last_words() == [("Disconnect", "NORMAL")]
    guest.close()
    assert host.next() == ("DisconnectClient", 2)
    host.send_raw(bytes([12, 2]))
    again = bob.join(guest_lobby, "both")
    came = host.next()
    assert came[0] == "ConnectClient"
    again.send_raw(to_host(b"back"))
    assert host.next() == ("FromClient", came[1], b"back")
    host_lobby.send("GAME_START")
    assert host_lobby.next() == ("GAME_START",)
    settled(server, "both", "RUNNING")
    # the host leaves: everybody is told, the list too
    host.close()
    assert again.last_words()[-1:] in ([("Disconnect", "NORMAL")], [])
    settled(server, "both", None)


def test_a_host_without_an_agent_is_joined_over_the_public_relay(
    server: ServerProcess, stack: ExitStack
) -> None:
    host_lobby = stack.enter_context(server.lobby()).log_in("dora")
    password, _ = host_lobby.open_game("plain")
    host = stack.enter_context(server.relay())
    host.send_raw(hello("plain", password))
    assert host.next() == ("Welcome", 1, "plain")
    bob = machine(server, stack)
    guest_lobby = bob.lobby("emil")
    guest_lobby.send("GAME_CONNECT", "plain")
    began = time.monotonic()
    answer = guest_lobby.next()
    assert answer[0] == "GAME_CONNECT"
    assert time.monotonic() - began < 1
    assert read_addresses(answer[1:])[0] == "127.0.0.1"  # of the server, which is on this machine too
    assert bob.agent.event("joining")["over_path"] is False


def test_a_lobby_without_the_extension_sees_an_honest_proxy(tmp_path: Path, stack: ExitStack) -> None:
    server = ServerProcess(tmp_path / "plain", {"rendezvous.enabled": False})
    try:
        mine = machine(server, stack)
        assert mine.agent.event("lobby-known")["exchange"] is False
        lobby = mine.lobby("ann")
        password, addresses = lobby.open_game("old")
        assert addresses
        host = stack.enter_context(server.relay())
        host.send_raw(hello("old", password))
        assert host.next() == ("Welcome", 1, "old")
        lobby.send("CHAT", "hello", "")
        assert ("CHAT", "ann", "hello", "public") in lobby.until("CHAT")
        assert server.stop() == 0
    finally:
        server.kill()
    server.check_log()
