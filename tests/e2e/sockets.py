"""The kernel's view of TCP: who is connected to what, and cutting one connection."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Connection:
    """One established connection, seen from its client."""

    host: str
    port: int
    peer_host: str
    peer_port: int


def _ss(*arguments: str) -> str:
    done = subprocess.run(
        ["ss", "-H", "-n", *arguments], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def connections(pid: int, port: int) -> list[Connection]:
    """What process ``pid`` has open to TCP port ``port``."""
    found = []
    for line in _ss("-t", "-p", "state", "established", "dport", "=", f":{port}").splitlines():
        _, _, local, peer, *process = line.split()
        if re.search(rf"\bpid={pid}\b", " ".join(process)):
            found.append(Connection(*_address(local), *_address(peer)))
    return found


def cut(connection: Connection) -> None:
    """Abort a connection from outside: both ends get an error. Needs CONFIG_INET_DIAG_DESTROY."""
    _ss("-t", "-K", "state", "established", "sport", "=", f":{connection.port}",
        "dport", "=", f":{connection.peer_port}")  # fmt: skip
