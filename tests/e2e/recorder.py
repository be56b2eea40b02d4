"""A passive record of everything between clients and server, taken from the loopback interface."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.e2e.wire import LobbyStream, RelayCommand, RelayStream

LOBBY_PORT, RELAY_PORT = 7395, 7397
ETH_P_ALL = 3
PACKET_OUTGOING = 4
FIN, SYN, RST = 1, 2, 4


class Segment(NamedTuple):
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    flags: int
    data: bytes


class Seen(NamedTuple):
    """A relay command: what the relay was told by, or told, the connection from ``client``."""

    client: tuple[str, int]
    from_relay: bool
    command: RelayCommand


def dissect(packet: bytes) -> Segment | None:
    """The TCP segment in an Ethernet packet, if there is one."""
    protocol = packet[12:14]
    if protocol == b"\x08\x00":
        family, start, end = (
            socket.AF_INET,
            14 + (packet[14] & 15) * 4,
            14 + int.from_bytes(packet[16:18], "big"),
        )
        kind, source, target = packet[23], packet[26:30], packet[30:34]
    elif protocol == b"\x86\xdd":
        family, start, end = socket.AF_INET6, 54, 54 + int.from_bytes(packet[18:20], "big")
        kind, source, target = packet[20], packet[22:38], packet[38:54]
    else:
        return None
    if kind != socket.IPPROTO_TCP:
        return None
    source_port, target_port, sequence = struct.unpack_from(">HHI", packet, start)
    header = (packet[start + 12] >> 4) * 4
    return Segment(
        (socket.inet_ntop(family, source), source_port),
        (socket.inet_ntop(family, target), target_port),
        sequence,
        packet[start + 13],
        packet[start + header : end],
    )


class _Direction:
    """One direction of one connection. Loopback loses nothing, so only repetitions are sorted out."""

    def __init__(self, port: int) -> None:
        self.next: int | None = None
        self.stream: LobbyStream | RelayStream = LobbyStream() if port == LOBBY_PORT else RelayStream()
        self.game_packets = 0

    def fresh(self, segment: Segment) -> bytes:
        if segment.flags & SYN:
            self.next = (segment.sequence + 1) & 0xFFFFFFFF
            return b""
        if self.next is None or not segment.data:
            return b""
        known = (self.next - segment.sequence) & 0xFFFFFFFF
        if known >= len(segment.data):
            return b""
        self.next = (segment.sequence + len(segment.data)) & 0xFFFFFFFF
        return segment.data[known:]


class Recorder:
    """Writes a transcript and remembers the relay's commands. Made inside the namespace."""

    def __init__(self, transcript: Path) -> None:
        self.relay: list[Seen] = []
        self._began = time.monotonic()
        self._directions: dict[tuple[tuple[str, int], tuple[str, int]], _Direction] = {}
        self._file = transcript.open("w")
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.5)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._socket.close()
        self._file.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                packet, address = self._socket.recvfrom(70000)
            except TimeoutError:
                continue
            # Loopback shows every packet twice, on its way out and on its way in.
            segment = dissect(packet) if address[2] == PACKET_OUTGOING else None
            if segment is not None:
                self._note(segment)

    def _note(self, segment: Segment) -> None:
        from_server = segment.source[1] in (LOBBY_PORT, RELAY_PORT)
        client, server = (segment.target, segment.source) if from_server else (segment.source, segment.target)
        if server[1] not in (LOBBY_PORT, RELAY_PORT):
            return
        key = (segment.source, segment.target)
        if segment.flags & SYN:
            self._directions[key] = _Direction(server[1])
        direction = self._directions.setdefault(key, _Direction(server[1]))
        what = "lobby" if server[1] == LOBBY_PORT else "relay"
        label = f"{what} {client[0]}:{client[1]} {'<' if from_server else '>'}"
        for line in self._lines(direction, direction.fresh(segment), client, from_server):
            self._write(label, line)
        for flag, word in ((SYN, "(connect)"), (FIN, "(end)"), (RST, "(reset)")):
            if segment.flags & flag and not (flag == SYN and from_server):
                self._write(label, word)

    def _lines(
        self, direction: _Direction, data: bytes, client: tuple[str, int], from_server: bool
    ) -> Iterator[str]:
        if isinstance(direction.stream, LobbyStream):
            for fields in direction.stream.feed(data):
                yield " ".join(field if field and " " not in field else f'"{field}"' for field in fields)
            return
        for command in direction.stream.feed(data):
            self.relay.append(Seen(client, from_server, command))
            if command.is_game:
                direction.game_packets += 1
                continue
            if direction.game_packets:
                yield f"... {direction.game_packets} game packets"
                direction.game_packets = 0
            yield f"{command.name} {' '.join(str(value) for value in command.values)}"

    def _write(self, label: str, line: str) -> None:
        self._file.write(f"{time.monotonic() - self._began:8.3f} {label} {line}\n")
        self._file.flush()

    def told_host(self) -> list[tuple[str, int]]:
        """The comings and goings the relay told hosts, in order: (command, id of the client)."""
        found = []
        for seen in list(self.relay):
            name = seen.command.name
            if seen.from_relay and name in ("ConnectClient", "DisconnectClient"):
                identity = seen.command.values[0]
                assert isinstance(identity, int)
                found.append((name, identity))
        return found

    def host_dropped(self) -> list[int]:
        """The ids hosts told the relay to drop."""
        return [
            identity
            for seen in list(self.relay)
            if not seen.from_relay and seen.command.name == "DisconnectClient"
            for identity in seen.command.values
            if isinstance(identity, int)
        ]

    def game_packets(self, name: str) -> int:
        """How many game packets of one kind (``FromHost``, ``ToHost`` ...) went by."""
        return sum(seen.command.name == name for seen in list(self.relay))
