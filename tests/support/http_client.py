"""A stranger's own small HTTP client: one request a connection."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """What a server answered."""

    code: int
    headers: dict[str, str]
    body: bytes
    raw: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        assert self.headers["content-type"] == "application/json", self.headers
        return json.loads(self.body)


def read_reply(connection: socket.socket) -> Reply:
    """Everything up to the end of the connection."""
    raw = b""
    while data := connection.recv(65536):
        raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return Reply(int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, body, raw)


def ask(port: int, path: str, *headers: str, method: str = "GET", host: str = "127.0.0.1") -> Reply:
    """Send a request and read the answer."""
    with socket.create_connection((host, port), 10) as connection:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        return read_reply(connection)
