"""The kernel's view of TCP: who is connected to what, and cutting one connection."""

from __future__ import annotations

import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


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


@dataclass(frozen=True)
class Socket:
    """A connected socket of a process, as the kernel lists it.

    :ivar inode: the same as long as it is the same socket.
    """

    protocol: str
    peer_host: str
    peer_port: int
    inode: int

    @property
    def peer(self) -> str:
        return f"{self.peer_host}:{self.peer_port}"


def sockets_of(pid: int) -> list[Socket]:
    """All TCP and UDP sockets of a process that are connected, in whatever namespace it is."""
    own = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
        except FileNotFoundError:
            continue
        if found:
            own.add(int(found[1]))
    sockets = []
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            host, _, port = fields[2].partition(":")
            if int(fields[9]) in own and int(port, 16):
                sockets.append(Socket(protocol, _host(host), int(port, 16), int(fields[9])))
    return sorted(sockets, key=lambda one: (one.protocol, one.peer_port))


def _host(words: str) -> str:
    """From the kernel's writing: words of 32 bits in the order of this machine."""
    raw = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
