"""What operators can set, and how it is told when it does not work."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.server_process import ServerProcess, Settings
from tests.support.stun import request


def complaint(tmp_path: Path, settings: Settings) -> str:
    """What is said of STUN by a server that has to do without: lobby and relay must run all the same."""
    server = ServerProcess(tmp_path, settings)
    assert {entry["name"] for entry in server.ready["listening"]} == {"lobby", "relay", "web"}
    assert server.stop() == 0
    server.check_log()
    (line,) = [line for line in server.log.splitlines() if "no STUN" in line]
    assert " warn " in line
    return line


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    said = complaint(tmp_path, {"stun.second_addresses": ["192.0.2.77"]})
    assert (
        "stun.second_addresses: 192.0.2.77 is no address of this machine (change stun.second_addresses)"
        in said
    )


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use(tmp_path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        said = complaint(tmp_path, {"stun.listen": ["127.0.0.1"], "stun.second_port": port})
        assert f"stun.second_port: 127.0.0.1:{port} is in use by another program" in said


def test_switched_off(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, {"stun.enabled": False})
    assert {entry["name"] for entry in server.ready["listening"]} == {"lobby", "relay", "web"}
    assert server.stop() == 0


def test_the_ports_are_told(two_addresses: ServerProcess) -> None:
    told = {
        (entry["name"], entry["proto"], entry["host"])
        for entry in two_addresses.ready["listening"]
        if entry["name"].startswith("stun")
    }
    hosts = ("127.0.0.1", "::1", "127.0.0.2")
    assert told == {
        (name, proto, host) for name in ("stun", "stun2") for proto in ("udp", "tcp") for host in hosts
    }
    assert f"listening stun udp 127.0.0.1:{two_addresses.port('stun')}" in two_addresses.log


def test_limits_reach_the_server(tmp_path: Path) -> None:
    settings: Settings = {
        "stun.idle_timeout": 0.5, "limits.stun_connections": 2, "limits.stun_total_rate": 0.001,
        "limits.stun_total_burst": 3, "logging.figures_interval": 0,
    }  # fmt: skip
    server = ServerProcess(tmp_path, settings)
    place = ("127.0.0.1", server.port("stun"))
    with socket.create_connection(place, 5), socket.create_connection(place, 5) as second:
        with socket.create_connection(place, 5) as third:
            assert third.recv(1) == b""
        with pytest.raises(ConnectionResetError):
            second.recv(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.5)
        for _ in range(5):
            one.sendto(request(), place)
        assert [len(one.recv(100)) for _ in range(3)] == [44] * 3
        with pytest.raises(TimeoutError):
            one.recv(100)
    assert server.stop() == 0
    server.check_log()
    assert "limited stun total_request_rate 2" in server.log
    assert "limited stun connections 1" in server.log
    assert "limited stun silence 2" in server.log
