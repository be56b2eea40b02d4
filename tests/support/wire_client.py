"""A stranger's own small client of lobby and relay: plain blocking sockets, every wait has a deadline.

Written from the description of the wire only; it shares nothing with the server.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

Packet = tuple[str, ...]
NOISE = ("PING", "CLIENTS_UPDATE", "GAMES_UPDATE")


class Closed(Exception):  # noqa: N818
    """The server ended the connection."""


def sha1(text: str) -> str:
    """Lower-case hexadecimal SHA-1 of a text."""
    return hashlib.sha1(text.encode()).hexdigest()


class Wire:
    """A socket with a buffer of what came in."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        source: str | None = None,
        timeout: float = 5.0,
        window: int | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if window is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.connect((host, port))
        self.timeout = timeout
        self.buffer = b""
        self.received = 0
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send_raw(self, data: bytes) -> None:
        """Send bytes; an ended connection raises `Closed`."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionError) as error:
            raise Closed(str(error)) from error

    def try_send(self, data: bytes, timeout: float = 0.05) -> int:
        """Send what goes without waiting long; how many bytes went. Raises `Closed`."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.send(data)
        except TimeoutError:
            return 0
        except OSError as error:
            raise Closed(str(error)) from error
        finally:
            self.socket.settimeout(self.timeout)

    def fill(self, deadline: float) -> None:
        """Read once. Raises `TimeoutError` at the deadline, `Closed` at the end of the stream."""
        if self.ended:
            raise Closed
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing came in time")
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise TimeoutError("nothing came in time") from None
        except ConnectionError as error:
            self.ended = True
            raise Closed(str(error)) from error
        finally:
            self.socket.settimeout(self.timeout)
        if not data:
            self.ended = True
            raise Closed
        self.buffer += data
        self.received += len(data)

    def end_of_stream(self, timeout: float = 5.0) -> bytes:
        """Everything up to the end of the connection, which must come in time."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                self.fill(deadline)
        except Closed:
            rest, self.buffer = self.buffer, b""
            return rest

    def shut_down_sending(self) -> None:
        """Half-close."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Cut the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Cut the connection."""
        self.socket.close()


def pack(*fields: str | bytes) -> bytes:
    """One lobby packet."""
    body = b"".join((field.encode() if isinstance(field, str) else field) + b"\0" for field in fields)
    return struct.pack(">H", len(body) + 2) + body


class LobbyClient(Wire):
    """A player's connection to the lobby. Answers PING by itself unless told not to."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        source: str | None = None,
        timeout: float = 5.0,
        window: int | None = None,
    ) -> None:
        super().__init__(host, port, source=source, timeout=timeout, window=window)
        self.name = ""
        self.permission = ""
        self.secret = ""
        self.answers_pings = True

    def send(self, *fields: str) -> None:
        """Send one packet."""
        self.send_raw(pack(*fields))

    def take(self, timeout: float | None = None) -> Packet:
        """The next packet, whatever it is."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            if len(self.buffer) >= 2:
                length = int.from_bytes(self.buffer[:2], "big")
                assert length >= 3, f"impossible length {length}"
                if len(self.buffer) >= length:
                    body, self.buffer = self.buffer[2:length], self.buffer[length:]
                    assert body.endswith(b"\0"), body
                    packet = tuple(field.decode(errors="surrogateescape") for field in body[:-1].split(b"\0"))
                    if packet == ("PING",) and self.answers_pings:
                        self.send("PONG")
                    return packet
            self.fill(deadline)

    def next(self, timeout: float | None = None, *, skipping: Sequence[str] = NOISE) -> Packet:
        """The next packet that is not of these commands."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            packet = self.take(deadline - time.monotonic())
            if packet[0] not in skipping:
                return packet

    def until(self, command: str, timeout: float | None = None) -> list[Packet]:
        """All packets up to the first of that command, included."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        packets: list[Packet] = []
        while not packets or packets[-1][0] != command:
            try:
                packets.append(self.take(deadline - time.monotonic()))
            except (TimeoutError, Closed) as error:
                raise type(error)(f"no {command} came, but {packets}") from error
        return packets

    def during(self, seconds: float) -> list[Packet]:
        """All packets that come within that time, or before the end of the connection."""
        deadline = time.monotonic() + seconds
        packets: list[Packet] = []
        while True:
            try:
                packets.append(self.take(deadline - time.monotonic()))
            except (TimeoutError, Closed):
                return packets

    def last_words(self, timeout: float = 5.0) -> list[Packet]:
        """All packets up to the end of the connection (noise left out), which must come in time."""
        deadline = time.monotonic() + timeout
        packets: list[Packet] = []
        while True:
            try:
                packet = self.take(deadline - time.monotonic())
            except Closed:
                return packets
            if packet[0] not in NOISE:
                packets.append(packet)

    def log_in(
        self,
        name: str,
        *,
        version: int = 6,
        build: str = "1.2.1",
        nonce: str | None = None,
        password: str | None = None,
        timeout: float = 5.0,
    ) -> Self:
        """Log in (version 5 or 6), with an account if there is a password; read up to TIME."""
        self.secret = sha1(name + "a uuid") if nonce is None else nonce
        if password is None:
            self.send("LOGIN", str(version), name, build, "false", self.secret)
        else:
            self.secret = sha1(password)
            self.send("LOGIN", str(version), name, build, "true", "")
            challenge = self.take(timeout)
            assert challenge[0] == "PWD_CHALLENGE", challenge
            self.send("PWD_CHALLENGE", sha1(challenge[1] + sha1(password)))
        answer = self.take(timeout)
        assert answer[0] == "LOGIN", answer
        _, self.name, self.permission = answer
        if password is not None and self.permission == "UNREGISTERED":
            self.secret = sha1(self.name + sha1(password))
        told = self.take(timeout)
        assert told[0] == "TIME", told
        assert abs(int(told[1]) - time.time()) < 60
        return self

    def leave(self) -> None:
        """Say goodbye and wait for the end."""
        self.send("DISCONNECT", "CONNECTION_CLOSED")
        self.end_of_stream()
        self.close()

    def clients(self) -> list[Packet]:
        """The entries of CLIENTS, asked for now."""
        self.send("CLIENTS")
        return entries(self.next(), 4)

    def games(self) -> list[Packet]:
        """The entries of GAMES, asked for now."""
        self.send("GAMES")
        return entries(self.next(), 3)

    def names(self) -> list[str]:
        """The names in CLIENTS."""
        return [entry[0] for entry in self.clients()]

    def state_of(self, game: str) -> str | None:
        """The state of that game in GAMES; None if it is not listed."""
        return next((entry[2] for entry in self.games() if entry[0] == game), None)

    def game_of(self, name: str) -> str | None:
        """The game that player is in by CLIENTS; None if he is not listed."""
        return next((entry[2] for entry in self.clients() if entry[0] == name), None)

    def open_game(self, game: str) -> tuple[str, list[str]]:
        """Open a game: the host's password for the relay and the addresses of the relay."""
        self.send("GAME_OPEN", game)
        answer = self.next()
        assert answer[0] == "GAME_OPEN", answer
        return sha1(answer[1] + self.secret), read_addresses(answer[2:])

    def round_trip(self) -> float:
        """Seconds a question and its answer take."""
        began = time.monotonic()
        self.send("GAMES")
        assert self.next(skipping=(*NOISE, "CHAT"))[0] == "GAMES"
        return time.monotonic() - began


def entries(packet: Packet, width: int) -> list[Packet]:
    """The rows of a CLIENTS or GAMES packet, whose count must be right."""
    count = int(packet[1])
    fields = packet[2:]
    assert len(fields) == count * width, f"{count} entries announced, {len(fields)} fields"
    return [fields[start : start + width] for start in range(0, len(fields), width)]


def read_addresses(fields: Packet) -> list[str]:
    """The addresses in GAME_OPEN or GAME_CONNECT."""
    assert len(fields) >= 2, fields
    assert fields[1] in ("true", "false"), fields
    if fields[1] == "false":
        return [fields[0]]
    assert len(fields) == 3, fields
    return [fields[0], fields[2]]


HELLO, WELCOME, DISCONNECT, PING, PONG, RTT_REQUEST, RTT_RESPONSE = 1, 2, 3, 4, 5, 6, 7
CONNECT_CLIENT, DISCONNECT_CLIENT, TO_CLIENTS, FROM_CLIENT, TO_HOST, FROM_HOST = 11, 12, 13, 14, 21, 22


def frame(payload: bytes) -> bytes:
    """A game packet: length with itself, then the payload."""
    return struct.pack(">H", len(payload) + 2) + payload


def hello(game: str, password: str, version: int = 1, *, twice: bool = False) -> bytes:
    """The Hello command; twice as build 20's hosts say the password."""
    secret = password.encode() + b"\0"
    return bytes([HELLO, version]) + game.encode() + b"\0" + secret * (2 if twice else 1)


def to_clients(ids: Sequence[int], payload: bytes) -> bytes:
    """The host's packet to some clients."""
    return bytes([TO_CLIENTS, *ids, 0]) + frame(payload)


def to_host(payload: bytes) -> bytes:
    """A client's packet to the host."""
    return bytes([TO_HOST]) + frame(payload)


class RelayClient(Wire):
    """A host's or client's connection to the relay. Answers Ping by itself unless told not to."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        source: str | None = None,
        timeout: float = 5.0,
        window: int | None = None,
    ) -> None:
        super().__init__(host, port, source=source, timeout=timeout, window=window)
        self.answers_pings = True

    def _parse(self) -> tuple[tuple[object, ...], int] | None:
        """The first command in the buffer and its length; None if it is not all here."""
        data = self.buffer
        if not data:
            return None
        code = data[0]
        if code == WELCOME and len(data) > 2 and (end := data.find(b"\0", 2)) > 0:
            return ("Welcome", data[1], data[2:end].decode()), end + 1
        if code == DISCONNECT and (end := data.find(b"\0", 1)) > 0:
            return ("Disconnect", data[1:end].decode()), end + 1
        if code in (PING, CONNECT_CLIENT, DISCONNECT_CLIENT) and len(data) >= 2:
            return ({PING: "Ping", CONNECT_CLIENT: "ConnectClient"}.get(code, "DisconnectClient"), data[1]), 2
        if code == RTT_RESPONSE and len(data) >= 2 and len(data) >= 2 + 3 * data[1]:
            rows = tuple((data[at], data[at + 1], data[at + 2]) for at in range(2, 2 + 3 * data[1], 3))
            return ("RoundTripTimeResponse", rows), 2 + 3 * data[1]
        if code in (FROM_CLIENT, FROM_HOST):
            start = 2 if code == FROM_CLIENT else 1
            if len(data) >= start + 2:
                end = start + int.from_bytes(data[start : start + 2], "big")
                if len(data) >= end:
                    payload = data[start + 2 : end]
                    whole = ("FromClient", data[1], payload) if code == FROM_CLIENT else ("FromHost", payload)
                    return whole, end
        assert code in (
            WELCOME,
            DISCONNECT,
            PING,
            CONNECT_CLIENT,
            DISCONNECT_CLIENT,
            RTT_RESPONSE,
            FROM_CLIENT,
            FROM_HOST,
        ), f"a released client would abort at code {code}"
        return None

    def take(self, timeout: float | None = None) -> tuple[object, ...]:
        """The next command, whatever it is."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while (found := self._parse()) is None:
            self.fill(deadline)
        command, length = found
        self.buffer = self.buffer[length:]
        if command[0] == "Ping" and self.answers_pings:
            self.send_raw(bytes([PONG, int(str(command[1]))]))
        return command

    def next(self, timeout: float | None = None) -> tuple[object, ...]:
        """The next command that is no Ping."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            command = self.take(deadline - time.monotonic())
            if command[0] != "Ping":
                return command

    def during(self, seconds: float) -> list[tuple[object, ...]]:
        """All commands that come within that time, or before the end of the connection."""
        deadline = time.monotonic() + seconds
        commands: list[tuple[object, ...]] = []
        while True:
            try:
                commands.append(self.take(deadline - time.monotonic()))
            except (TimeoutError, Closed):
                return commands

    def last_words(self, timeout: float = 5.0) -> list[tuple[object, ...]]:
        """All commands but Ping up to the end of the connection, which must come in time."""
        deadline = time.monotonic() + timeout
        commands: list[tuple[object, ...]] = []
        while True:
            try:
                command = self.take(deadline - time.monotonic())
            except Closed:
                assert not self.buffer, f"half a command at the end: {self.buffer!r}"
                return commands
            if command[0] != "Ping":
                commands.append(command)

    def join(self, game: str, password: str = "client", version: int = 1, *, twice: bool = False) -> Self:
        """Say Hello and read Welcome, which must come first."""
        self.send_raw(hello(game, password, version, twice=twice))
        welcome = self.take()
        assert welcome == ("Welcome", version, game), welcome
        return self


def wait_for(condition: Callable[[], object], timeout: float = 5.0, what: str = "the condition") -> None:
    """Ask again and again until it holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for {what}"
        time.sleep(0.02)
