"""A side of a relayed pair on a blocking UDP or TCP socket; every wait has a deadline."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self

from wlnet.protocols.pairs import wire
from wlnet.rendezvous.events import RelayGrant
from wlnet.tickets.ticket import from_text

_REPEAT = 0.25


class PairPlayer:
    """Binds itself when made.

    :param source: the address it comes from.
    :ivar refused: the word of the relay, if it did.
    """

    def __init__(self, grant: RelayGrant, *, tcp: bool = False, source: str = "127.0.0.1") -> None:
        self._tcp = tcp
        self._ticket = from_text(grant.ticket)
        self._buffer = b""
        self.handle = b""
        self.refused = ""
        host = next(one for one in grant.addresses if (":" in one) == (":" in source))
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.settimeout(5)
        self._socket.connect((host, grant.tcp_port if tcp else grant.udp_port))
        if tcp:
            self._socket.sendall(wire.PREAMBLE)
        self.bind()

    def bind(self, timeout: float = 5.0) -> None:
        """Show the ticket until there is an answer."""
        deadline = time.monotonic() + timeout
        cookie = wire.NO_COOKIE
        self.handle, self.refused = b"", ""
        while not (self.handle or self.refused):
            self._send(wire.encode_bind(wire.Bind(1, b"transact", cookie, self._ticket)))
            try:
                message = self.take(min(_REPEAT if not self._tcp else 5.0, deadline - time.monotonic()))
            except (TimeoutError, ConnectionError):  # a relay that is not there yet
                assert time.monotonic() < deadline, "no answer to BIND"
                continue
            if message[0] == wire.CHALLENGE:
                cookie = wire.decode_challenge(message)[1]
            elif message[0] == wire.BOUND:
                self.handle = wire.decode_bound(message).handle
            elif message[0] == wire.ERROR:
                self.refused = wire.decode_worded(wire.ERROR, message)[1]

    def say(self, payload: bytes) -> None:
        """Send to the other side."""
        self._send(wire.data_head(self.handle) + payload)

    def hear(self, timeout: float = 5.0) -> bytes:
        """The next payload of the other side."""
        head = wire.data_head(self.handle)
        deadline = time.monotonic() + timeout
        while not (message := self.take(deadline - time.monotonic())).startswith(head):
            assert message[0] != wire.CLOSE, message
        return message[len(head) :]

    def closed(self, timeout: float = 5.0) -> str:
        """The reason of the CLOSE, which must come in time."""
        deadline = time.monotonic() + timeout
        while (message := self.take(deadline - time.monotonic()))[0] != wire.CLOSE:
            pass
        handle, word = wire.decode_worded(wire.CLOSE, message)
        assert handle == self.handle
        return word

    def take(self, timeout: float) -> bytes:
        """The next message.

        :raises TimeoutError: there is none in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            length = int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) > 2 and len(self._buffer) >= 2 + length:
                message, self._buffer = self._buffer[2 : 2 + length], self._buffer[2 + length :]
                return message
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self._socket.recv(65536)
            if not self._tcp:
                return data
            if not data:
                raise ConnectionError("the relay has closed")
            self._buffer += data

    def close(self) -> None:
        """Close without a word."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, message: bytes) -> None:
        try:
            self._socket.sendall(wire.frame(message) if self._tcp else message)
        except ConnectionRefusedError:  # the report of an earlier datagram
            pass
