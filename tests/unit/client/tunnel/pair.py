"""Two tunnels, and between them a path that loses, reorders, duplicates, moves and falls silent."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import defaultdict
from functools import lru_cache

from wlnet.client.tunnel.events import (
    Closed,
    DatagramReceived,
    Event,
    StreamData,
    StreamEnded,
    StreamOpened,
)
from wlnet.client.tunnel.identity import Identity
from wlnet.client.tunnel.limits import TunnelLimits
from wlnet.client.tunnel.shell_identity import make_identity
from wlnet.client.tunnel.tunnel import Tunnel
from wlnet.steering.model import Side

SECRET = b"s" * 32


@lru_cache
def identity(who: str) -> Identity:
    """One identity for each name: making keys takes time."""
    return make_identity()


class End:
    """One tunnel and what its owner saw."""

    def __init__(self, tunnel: Tunnel) -> None:
        self.tunnel = tunnel
        self.events: list[Event] = []
        self.opened: list[int] = []
        self.received: dict[int, bytearray] = defaultdict(bytearray)
        self.ended: set[int] = set()
        self.datagrams: list[bytes] = []
        self.closed: Closed | None = None
        self.consumes = True

    def take(self) -> None:
        for event in self.tunnel.events():
            self.events.append(event)
            assert self.closed is None, "nothing comes after Closed"
            match event:
                case StreamOpened(stream=stream):
                    self.opened.append(stream)
                case StreamData(stream=stream, data=data):
                    assert stream not in self.ended
                    self.received[stream] += data
                    if self.consumes:
                        self.tunnel.consumed(stream, len(data))
                case StreamEnded(stream=stream):
                    self.ended.add(stream)
                case DatagramReceived(data=data):
                    self.datagrams.append(data)
                case Closed():
                    self.closed = event

    def saw(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Pair:
    """A guest and a host over a simulated path, with a clock turned by hand."""

    def __init__(
        self,
        *,
        seed: int = 1,
        delay: float = 0.02,
        jitter: float = 0.0,
        loss: float = 0.0,
        duplicates: float = 0.0,
        limits: TunnelLimits | None = None,
        guest: Tunnel | None = None,
        host: Tunnel | None = None,
    ) -> None:
        self.now = 100.0
        self.random = random.Random(seed)
        self.delay, self.jitter, self.loss, self.duplicates = delay, jitter, loss, duplicates
        self.up = True
        guest_identity, host_identity = identity("guest"), identity("host")
        self.guest = End(
            guest or Tunnel(Side.GUEST, guest_identity, host_identity.fingerprint, SECRET, self.now, limits)
        )
        self.host = End(
            host or Tunnel(Side.HOST, host_identity, guest_identity.fingerprint, SECRET, self.now, limits)
        )
        self.flying: list[tuple[float, int, End, bytes]] = []
        self.count = itertools.count()
        self.sent = self.lost = self.largest = 0
        self.pump()

    @property
    def ends(self) -> tuple[End, End]:
        return self.guest, self.host

    def pump(self) -> None:
        """Send what the ends have to send, and let their owners see what happened."""
        for here, there in ((self.guest, self.host), (self.host, self.guest)):
            here.take()
            for packet in here.tunnel.transmits(self.now):
                self.put(there, packet)
            here.take()

    def put(self, to: End, packet: bytes) -> None:
        self.sent += 1
        self.largest = max(self.largest, len(packet))
        assert packet[0] >= 0x40
        copies = 2 if self.random.random() < self.duplicates else 1
        for _ in range(copies):
            if not self.up or self.random.random() < self.loss:
                self.lost += 1
                continue
            at = self.now + self.delay + self.random.random() * self.jitter
            heapq.heappush(self.flying, (at, next(self.count), to, packet))

    def run(self, seconds: float) -> None:
        """Turn the clock from event to event."""
        until = self.now + seconds
        turns = 0
        while True:
            deadlines = [end.tunnel.next_deadline() for end in self.ends]
            times = [at for at in deadlines if at is not None]
            if self.flying:
                times.append(self.flying[0][0])
            at = min(times, default=until)
            if at > until:
                break
            turns += 1
            assert turns < 200000, "the clock does not get on"
            self.now = max(self.now, at)
            while self.flying and self.flying[0][0] <= self.now:
                _, _, to, packet = heapq.heappop(self.flying)
                to.tunnel.receive(packet, self.now)
                to.take()
            for end in self.ends:
                deadline = end.tunnel.next_deadline()
                if deadline is not None and deadline <= self.now:
                    end.tunnel.tick(self.now)
            self.pump()
            if not times:
                break
        self.now = until

    def settle(self) -> Pair:
        """Until both are ready."""
        self.run(2.0)
        assert self.guest.tunnel.ready
        assert self.host.tunnel.ready
        return self

    def move(self, *, drop: bool, delay: float | None = None, resend: bool = True) -> None:
        """Another path: with *drop* all that was under way is lost."""
        if drop:
            self.flying.clear()
        if delay is not None:
            self.delay = delay
        for end in self.ends:
            end.tunnel.path_changed(self.now, resend=resend)
        self.pump()
