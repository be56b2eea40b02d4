"""A process that joins pairs of TUN devices in two namespaces, each packet late by the delay of its pair.

The kernel's own means (tc netem) is missing in many small kernels. Commands are lines of JSON on standard
input, each answered by a line; the process and its devices end with standard input.
"""

from __future__ import annotations

import collections
import ctypes
import fcntl
import json
import os
import selectors
import struct
import time
from typing import Any

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN = 1
IFF_NO_PI = 0x1000
# A device whose other end gets no packets away must not eat the memory.
QUEUE = 10_000


def open_tun(namespace: str, device: str) -> int:
    """Make the device in the namespace of this path and return its descriptor."""
    with open(namespace) as entry:  # noqa: PTH123
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(entry.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


class Direction:
    """Packets on their way from one device to the other."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self.delay = 0.0
        self.queue: collections.deque[tuple[float, bytes]] = collections.deque()

    def take(self, now: float) -> None:
        """All that wait at the source."""
        try:
            while len(self.queue) < QUEUE:
                self.queue.append((now + self.delay, os.read(self.source, 65536)))
        except BlockingIOError:
            return
        os.read(self.source, 65536)

    def deliver(self, now: float) -> float | None:
        """All that are due; returns when the next one is."""
        while self.queue and self.queue[0][0] <= now:
            try:
                os.write(self.sink, self.queue.popleft()[1])
            except OSError:
                continue  # the device is down
        return self.queue[0][0] if self.queue else None


def obey(command: dict[str, Any], links: dict[str, list[Direction]], poll: selectors.BaseSelector) -> None:
    """Make a pair, or change its delay (seconds one way)."""
    if "ends" in command:
        one, other = (open_tun(namespace, device) for namespace, device in command["ends"])
        links[command["id"]] = [Direction(one, other), Direction(other, one)]
        for direction in links[command["id"]]:
            poll.register(direction.source, selectors.EVENT_READ, direction)
    for direction in links[command["id"]]:
        direction.delay = command["delay"]


def main() -> None:
    """Until standard input ends."""
    links: dict[str, list[Direction]] = {}
    # Unbuffered: a line read ahead would not be seen by the poll.
    with selectors.DefaultSelector() as poll, open(0, "rb", buffering=0) as commands:
        poll.register(commands, selectors.EVENT_READ)
        timeout: float | None = None
        while True:
            for key, _ in poll.select(timeout):
                if isinstance(key.data, Direction):
                    try:
                        key.data.take(time.monotonic())
                    except OSError:
                        continue  # the device is down
                else:
                    line = commands.readline()
                    if not line:
                        return
                    obey(json.loads(line), links, poll)
                    print("done", flush=True)
            now = time.monotonic()
            due = [direction.deliver(now) for pair in links.values() for direction in pair]
            soonest = min((moment for moment in due if moment is not None), default=None)
            timeout = None if soonest is None else max(0.0, soonest - time.monotonic())


if __name__ == "__main__":
    main()
