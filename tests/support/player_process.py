"""`wlnet host` and `wlnet join` as processes, and the games they carry."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.support.server_process import PROGRAMS

Event = dict[str, Any]


class PlayerProcess:
    """A `wlnet` command whose standard output is read line by line.

    :param words: after ``wlnet``; ``--json`` is added unless *json* is False.
    """

    def __init__(
        self, *words: str, json: bool = True, environment: dict[str, str] | None = None, stdin: str = ""
    ) -> None:
        self.lines: list[str] = []
        self._json = json
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [str(PROGRAMS / "wlnet"), *words, *(["--json"] if json else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(stdin)
        self.process.stdin.close()
        self.errors = ""
        self._readers = [
            threading.Thread(target=one, daemon=True) for one in (self._read_lines, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        assert kind is not None or "Traceback" not in self.errors, self.errors

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line

    @property
    def events(self) -> list[Event]:
        """So far."""
        return [json.loads(line) for line in list(self.lines)]

    def said(self, name: str) -> list[Event]:
        """Events of that name so far."""
        return [event for event in self.events if event["event"] == name]

    def until(self, what: Callable[[], object], limit: float = 20.0) -> None:
        """Wait until it is true."""
        with self._changed:
            self._changed.wait_for(lambda: what() or not self._readers[0].is_alive(), limit)
        assert what(), (self.lines, self.errors)

    def event(self, name: str, limit: float = 20.0) -> Event:
        """The first event of that name, which must come."""
        self.until(lambda: self.said(name), limit)
        return self.said(name)[0]

    def stop(self, how: signal.Signals = signal.SIGINT, limit: float = 5.0) -> tuple[int, float]:
        """Ask it to end: its exit status, and the seconds that took."""
        began = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(limit)
        return code, time.monotonic() - began

    def wait(self, limit: float = 20.0) -> int:
        """Its exit status when it ends by itself."""
        code = self.process.wait(limit)
        for reader in self._readers:
            reader.join(2)
        return code

    def kill(self) -> None:
        """End it without warning."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(2)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class EchoGame:
    """A game on 127.0.0.1 that sends everything back, and ends when its guest does."""

    def __init__(self, traffic: str) -> None:
        self._kind = socket.SOCK_STREAM if traffic == "tcp" else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_INET, self._kind)
        self._socket.bind(("127.0.0.1", 0))
        self.connections = 0
        self.sources: set[tuple[str, int]] = set()
        self._over = threading.Event()
        if traffic == "tcp":
            self._socket.listen(128)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def place(self) -> str:
        """As the command line takes it."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            if not select.select([self._socket], [], [], 0.1)[0]:
                continue
            if self._kind == socket.SOCK_DGRAM:
                data, source = self._socket.recvfrom(65536)
                self.sources.add(source)
                self._socket.sendto(data, source)
            else:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        connection.settimeout(30)
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def exchange(port: int, data: bytes, limit: float = 30.0) -> bytes:
    """Connect to the port, send all, end, and read to the end."""
    with socket.create_connection(("127.0.0.1", port), limit) as connection:
        connection.settimeout(limit)
        sender = threading.Thread(target=_send, args=(connection, data), daemon=True)
        sender.start()
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        sender.join(limit)
        return b"".join(parts)


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
