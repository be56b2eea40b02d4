"""A relay without sockets: a clock, recording ends, and a decoder of its own for what they are told."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.widelands_relay import wire
from wlnet.protocols.widelands_relay.session import Session
from wlnet.relay.relay import Relay

PASSWORD = b"5ec2e7"
Frame = tuple[Any, ...]


def decode(data: bytes) -> tuple[list[Frame], bytes]:
    """What a relay said, and the incomplete rest. Written from the document, not from ``wire.py``."""
    frames: list[Frame] = []
    while data:
        code = data[0]
        if code in (2, 3):
            text_at = 2 if code == 2 else 1
            end = data.find(b"\0", text_at)
            if end < 0:
                break
            text = data[text_at:end].decode()
            frames.append(("Welcome", data[1], text) if code == 2 else ("Disconnect", text))
            data = data[end + 1 :]
        elif code in (4, 11, 12):
            if len(data) < 2:
                break
            frames.append(({4: "Ping", 11: "ConnectClient", 12: "DisconnectClient"}[code], data[1]))
            data = data[2:]
        elif code == 7:
            if len(data) < 2 or len(data) < 2 + 3 * data[1]:
                break
            end = 2 + 3 * data[1]
            frames.append(("RoundTripTimes", *[tuple(data[at : at + 3]) for at in range(2, end, 3)]))
            data = data[end:]
        elif code in (14, 22):
            at = 2 if code == 14 else 1
            if len(data) < at + 2:
                break
            end = at + int.from_bytes(data[at : at + 2], "big")
            if end > len(data):
                break
            payload = bytes(data[at + 2 : end])
            frames.append(("FromClient", data[1], payload) if code == 14 else ("FromHost", payload))
            data = data[end:]
        else:
            raise AssertionError(f"a relay never sends {code}: {data[:20]!r}")
    return frames, bytes(data)


class FakeCarrier:
    """A connection that takes *capacity* bytes (None: everything) and remembers what it was told."""

    def __init__(self, sends: list[FakeCarrier]) -> None:
        self._sends = sends
        self.taken = bytearray()
        self.capacity: int | None = None
        self.dead = False
        self.watched = False
        self.finished = False
        self.aborted = False

    def send(self, data: bytes | memoryview, /) -> int:
        assert not self.finished, "sent after the end"
        assert not self.aborted, "sent after the abort"
        if self.dead:
            raise BrokenPipeError
        count = len(data) if self.capacity is None else min(len(data), self.capacity)
        if not count:
            raise BlockingIOError
        if self.capacity is not None:
            self.capacity -= count
        self._sends.append(self)
        self.taken += data[:count]
        return count

    def watch(self, wanted: bool) -> None:
        self.watched = wanted

    def finish(self) -> None:
        assert not self.finished
        self.finished = True

    def abort(self) -> None:
        self.aborted = True


class End:
    """The far end of one connection."""

    def __init__(self, world: World, address: str) -> None:
        self.world = world
        self.carrier = FakeCarrier(world.sends)
        self.session = Session(world.relay, self.carrier, address, f"r{len(world.ends)}")
        self._rest = b""
        self._heard = 0

    def say(self, data: bytes) -> None:
        """One read of the relay."""
        if not self.carrier.aborted:
            self.session.feed(data)
            self.world.relay.outgoing.flush()

    def heard(self) -> list[Frame]:
        """What arrived since the last call."""
        new = bytes(self.carrier.taken[self._heard :])
        self._heard = len(self.carrier.taken)
        frames, self._rest = decode(self._rest + new)
        return frames

    def hang_up(self) -> None:
        """End the connection without a word."""
        self.world.relay.lost(self.session)
        self.world.relay.outgoing.flush()

    def read_on(self, capacity: int | None = None) -> None:
        """The socket has space again."""
        self.carrier.capacity = capacity
        if self.carrier.watched:
            self.world.relay.outgoing.writable(self.session)
            self.world.relay.outgoing.flush()

    @property
    def ended(self) -> bool:
        """The relay has closed its side, in order or not."""
        return self.carrier.finished or self.carrier.aborted


class World:
    """A relay with one room, ``game`` (id ``room``), and a clock that does not move by itself."""

    def __init__(self, limits: schema.Limits | None = None, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1000.0
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()
        self.events: list[tuple[str, str]] = []
        self.limits = limits if limits is not None else schema.Limits()
        self.budget = QueueBudget(self.limits.total_queues)
        self.relay = Relay(
            msgspec.structs.replace(schema.Relay(), **{"farewell_delay": 0.0, **settings}),
            self.limits, self.agenda, self.metrics, self.budget, self,
        )  # fmt: skip
        self.ends: list[End] = []
        self.sends: list[FakeCarrier] = []
        """Who was sent something, in order."""
        assert self.relay.open_room("room", "game", PASSWORD.decode(), "card")

    def room_hosted(self, room_id: str) -> None:
        self.events.append(("hosted", room_id))

    def room_closed(self, room_id: str) -> None:
        self.events.append(("closed", room_id))

    def connect(self, address: str = "192.0.2.1", banned: str | None = None) -> End:
        end = End(self, address)
        self.ends.append(end)
        self.relay.connected(end.session, banned)
        self.relay.outgoing.flush()
        return end

    def host(self, game: bytes = b"game", version: int = 1, address: str = "192.0.2.1") -> End:
        end = self.connect(address)
        end.say(wire.hello(version, game, PASSWORD))
        assert end.heard() == [("Welcome", version, game.decode())]
        return end

    def client(self, game: bytes = b"game", version: int = 1, address: str = "198.51.100.1") -> End:
        end = self.connect(address)
        end.say(wire.hello(version, game, b"client"))
        assert end.heard() == [("Welcome", version, game.decode())]
        return end

    def table(self, clients: int) -> tuple[End, list[End]]:
        """A host that knows of *clients* clients."""
        host = self.host()
        guests = [self.client() for _ in range(clients)]
        assert host.heard() == [("ConnectClient", number) for number in range(2, 2 + clients)]
        return host, guests

    def advance(self, seconds: float) -> None:
        """Let time pass, every appointment kept at its time."""
        until = self.clock.rightNow + seconds
        while (due := self.agenda.next_deadline()) is not None and due <= until:
            self.clock.rightNow = max(due, self.clock.rightNow)
            self.agenda.run_due()
        self.clock.rightNow = until

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.RELAY, limit)
