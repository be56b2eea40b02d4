"""Just enough of the two wire formats to watch them; on purpose not the server's own code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# What follows a relay command's code: b = one byte, s = text up to NUL, i = ids up to 0, p = game packet.
RELAY_COMMANDS = {
    1: ("Hello", "bss"),
    2: ("Welcome", "bs"),
    3: ("Disconnect", "s"),
    4: ("Ping", "b"),
    5: ("Pong", "b"),
    6: ("RoundTripTimeRequest", ""),
    11: ("ConnectClient", "b"),
    12: ("DisconnectClient", "b"),
    13: ("ToClients", "ip"),
    14: ("FromClient", "bp"),
    21: ("ToHost", "p"),
    22: ("FromHost", "p"),
}

Value = int | str | bytes | tuple[int, ...]


def frame(*fields: str) -> bytes:
    """A metaserver packet."""
    body = b"".join(field.encode() + b"\0" for field in fields)
    return (len(body) + 2).to_bytes(2, "big") + body


class LobbyStream:
    """Takes bytes of one direction, gives the packets in them as lists of fields."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[list[str]]:
        self._buffer += data
        while len(self._buffer) >= 2:
            size = int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < size or size < 3:
                return
            body = bytes(self._buffer[2:size])
            del self._buffer[:size]
            yield [field.decode(errors="replace") for field in body.split(b"\0")[:-1]]


class RelayCommand(NamedTuple):
    name: str
    values: tuple[Value, ...]

    @property
    def is_game(self) -> bool:
        return self.name in ("ToClients", "FromClient", "ToHost", "FromHost")


class RelayStream:
    """The same for the relay's commands."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[RelayCommand]:
        self._buffer += data
        while self._buffer:
            try:
                command, used = self._take()
            except (IndexError, ValueError):  # not all of it is here yet
                return
            del self._buffer[:used]
            yield command

    def _take(self) -> tuple[RelayCommand, int]:
        name, layout = RELAY_COMMANDS[self._buffer[0]]
        values: list[Value] = []
        at = 1
        for kind in layout:
            value, at = self._value(kind, at)
            values.append(value)
        return RelayCommand(name, tuple(values)), at

    def _value(self, kind: str, at: int) -> tuple[Value, int]:
        if kind == "b":
            return self._buffer[at], at + 1
        if kind == "p":
            size = self._buffer[at] * 256 + self._buffer[at + 1]
            if len(self._buffer) < at + size:
                raise IndexError
            return bytes(self._buffer[at : at + size]), at + size
        end = self._buffer.index(0, at)
        raw = bytes(self._buffer[at:end])
        return (tuple(raw) if kind == "i" else raw.decode(errors="replace")), end + 1
