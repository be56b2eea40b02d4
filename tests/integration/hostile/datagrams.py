"""Datagrams of a stranger."""

from __future__ import annotations

import socket

from tests.support.server_process import ServerProcess

STRANGER = "127.0.0.9"


class Sender:
    """A UDP socket of a stranger."""

    def __init__(self, server: ServerProcess, port: str = "stun", source: str = STRANGER) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", server.port(port)))

    def ask(self, data: bytes) -> bytes:
        """The answer, which must come."""
        self.socket.settimeout(5)
        self.socket.send(data)
        return self.socket.recv(4096)

    def silence(self, *datagrams: bytes) -> None:
        """Send these; nothing comes back before the answer to a question asked after them."""
        for data in datagrams:
            self.socket.send(data)
        answer = self.ask(b"\0\1\0\0\x21\x12\xa4\x42" + b"after them.." + bytes(0))
        assert answer[:2] == b"\1\1", answer
        assert answer[8:20] == b"after them.."
