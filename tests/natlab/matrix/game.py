"""The smallest game: a host that answers, and a guest who counts. It checks what a player would notice.

Every message has a number. The guest sends one every `PAUSE` seconds; the host answers each with the same
number. Both run in threads of this process, on sockets that belong to the two computers.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from tests.natlab.site import Host

PAUSE = 0.02
_MESSAGE = struct.Struct("!4sQ52x")
_MAGIC = b"play"
# Messages under way and not answered yet, at most: a window as real games have one.
_AHEAD = 4096


@dataclass
class Ledger:
    """What arrived at one side: what is missing or wrong, and the longest silence.

    `early` are the numbers before the first one that came: datagrams sent while there was no path.
    """

    first: float | None = None
    early: int = 0
    last: float | None = None
    next: int = 0
    count: int = 0
    lost: set[int] = field(default_factory=set)
    reordered: int = 0
    repeated: int = 0
    longest_silence: float = 0.0
    longest_since: float = 0.0

    def arrived(self, number: int, now: float) -> None:
        """Message `number` came."""
        if self.first is None:
            self.first = now
            self.early = self.next = number
        elif self.last is not None and now - self.last > self.longest_silence:
            self.longest_silence, self.longest_since = now - self.last, self.last
        self.last = now
        if number >= self.next:
            self.lost.update(range(self.next, number))
            self.next = number + 1
            self.count += 1
        elif number in self.lost:  # late
            self.lost.discard(number)
            self.reordered += 1
            self.count += 1
        else:
            self.repeated += 1

    def forget_silence(self) -> None:
        """Measure the longest silence from now on."""
        self.longest_silence = 0.0

    def silence_until(self, now: float) -> tuple[float, float]:
        """The longest silence, also if it has not ended, and when it began."""
        last = now if self.last is None else self.last
        return max((self.longest_silence, self.longest_since), (now - last, last))


class Player(Protocol):
    """One side of the game."""

    ledger: Ledger

    def close(self) -> None: ...


class _Threaded:
    """Runs `_run` in a thread until closed; what it raised is kept in `error`."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.error: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._guarded, daemon=True)

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.error = error

    def _run(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._over.set()
        self._thread.join()


class Hosted(_Threaded):
    """The game itself, on 127.0.0.1 of the host's computer; answers every guest."""

    def __init__(self, place: Host, traffic: str) -> None:
        super().__init__()
        self._udp = traffic == "udp"
        self._socket = place.socket(kind=socket.SOCK_DGRAM if self._udp else socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        if not self._udp:
            self._socket.listen()
        self._thread.start()

    def _run(self) -> None:
        with self._socket:
            if self._udp:
                self._datagrams()
            else:
                self._streams()

    def _datagrams(self) -> None:
        while not self._over.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                data, source = self._socket.recvfrom(2048)
                self.ledger.arrived(_number(data), time.monotonic())
                self._socket.sendto(data, source)

    def _streams(self) -> None:
        guests: dict[socket.socket, bytearray] = {}
        try:
            while not self._over.is_set():
                for ready in select.select([self._socket, *guests], [], [], 0.1)[0]:
                    if ready is self._socket:
                        guests[ready.accept()[0]] = bytearray()
                    elif not self._answer(ready, guests[ready]):
                        del guests[ready]
                        ready.close()
        finally:
            for guest in guests:
                guest.close()

    def _answer(self, guest: socket.socket, waiting: bytearray) -> bool:
        try:
            data = guest.recv(65536)
        except ConnectionError:
            return False
        waiting += data
        for message in _whole(waiting):
            self.ledger.arrived(_number(message), time.monotonic())
            guest.sendall(message)
        return bool(data)


class Guest(_Threaded):
    """Plays from now on with what listens on 127.0.0.1:port of the guest's computer.

    :ivar ended: a TCP game ended before it was closed here.
    """

    def __init__(self, place: Host, traffic: str, port: int) -> None:
        super().__init__()
        self._udp = traffic == "udp"
        self._socket = place.socket(kind=socket.SOCK_DGRAM if self._udp else socket.SOCK_STREAM)
        self._to = ("127.0.0.1", port)
        self.ended = False
        self.sent = 0
        self.started = time.monotonic()
        self._quiet = threading.Event()
        self._thread.start()

    def stop_sending(self) -> None:
        """Send nothing more; answers are still counted."""
        self._quiet.set()

    @property
    def unanswered(self) -> int:
        """Messages without an answer by now, not counting those before the first answer."""
        return self.sent - self.ledger.early - self.ledger.count

    def _run(self) -> None:
        with self._socket:
            self._socket.settimeout(10)
            self._socket.connect(self._to)
            self._socket.setblocking(False)
            waiting = bytearray()
            due = time.monotonic()
            while not self._over.is_set():
                now = time.monotonic()
                if now >= due and not self._quiet.is_set() and self.unanswered < _AHEAD:
                    due = max(due + PAUSE, now)
                    self._send()
                pause = max(0.0, min(due - now, 0.1)) if due > now else 0.005
                if select.select([self._socket], [], [], pause)[0] and not self._take(waiting):
                    self.ended = not self._over.is_set()
                    return

    def _send(self) -> None:
        # Refused: nobody listens for datagrams at this moment. A full stream: the message is sent later.
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            sent = self._socket.send(_MESSAGE.pack(_MAGIC, self.sent))
            assert sent == _MESSAGE.size
            self.sent += 1

    def _take(self, waiting: bytearray) -> bool:
        try:
            data = self._socket.recv(65536)
        except ConnectionRefusedError:
            return self._udp
        except ConnectionError:
            return False
        if self._udp:
            self.ledger.arrived(_number(data), time.monotonic())
            return True
        waiting += data
        for message in _whole(waiting):
            self.ledger.arrived(_number(message), time.monotonic())
        return bool(data)


def _whole(waiting: bytearray) -> list[bytes]:
    messages = []
    while len(waiting) >= _MESSAGE.size:
        messages.append(bytes(waiting[: _MESSAGE.size]))
        del waiting[: _MESSAGE.size]
    return messages


def _number(message: bytes) -> int:
    magic, number = _MESSAGE.unpack(message)
    if magic != _MAGIC:
        raise ValueError(f"damaged: {message!r}")
    return int(number)
