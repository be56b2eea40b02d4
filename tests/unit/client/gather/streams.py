"""A stream's owner that keeps what it hears."""

from __future__ import annotations

from dataclasses import dataclass

from wlnet.client.net.network import Stream, StreamEnd, StreamHandler
from wlnet.protocols.stun.wire import Endpoint


@dataclass
class Handler(StreamHandler):
    data: bytes = b""
    up: bool = False
    end: StreamEnd | None = None
    finished: bool = False
    stream: Stream | None = None

    def connected(self, local: Endpoint) -> None:
        self.up = True

    def received(self, data: bytes) -> None:
        self.data += data

    def ended(self) -> None:
        self.finished = True

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        self.end = end

    def take(self, stream: Stream) -> StreamHandler:
        self.stream = stream
        return self
