#!/usr/bin/env python3
"""Load for a Widelands lobby: many clients, each of which fetches the list of clients when told it changed.

Brings the number of logged-in clients to --clients, measures the memory of the server for each, then has
further clients join: --joins of them one at a time, and --burst of them within a second. For each it tells
the CPU time of the server until everybody has the new list. Prints one JSON object; every wait is bounded.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

_QUIET = 4.5
"""Seconds without any news after which nothing more is expected: newcomers are announced after three."""
_STEP = 20
"""Logins under way at a time while the lobby is filled."""
_PATIENCE = 30.0


def packet(*fields: str) -> bytes:
    body = b"".join(field.encode() + b"\0" for field in fields)
    return (len(body) + 2).to_bytes(2, "big") + body


_FETCH = packet("CLIENTS")
_PONG = packet("PONG")


class Client:
    __slots__ = ("logged_in", "rest", "socket")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.rest = b""
        self.logged_in = False


class Crowd:
    """All clients and what they got."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._number = 0
        self.received = 0
        self.lists = 0
        self.news = 0
        self.lost = 0
        self.refused = 0
        self.last_event = time.monotonic()
        self.answering = False

    def __len__(self) -> int:
        return len(self._clients)

    def join(self) -> Client:
        self._number += 1
        name = f"crowd{self._number}"
        connected = socket.create_connection(self._where, _PATIENCE)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.sendall(packet("LOGIN", "6", name, "bench", "false", f"nonce of {name}"))
        connected.setblocking(False)
        client = self._clients[connected.fileno()] = Client(connected)
        self._epoll.register(connected.fileno(), select.EPOLLIN)
        return client

    def serve(self, wait: float) -> None:
        for number, _ in self._epoll.poll(wait, 512):
            client = self._clients[number]
            try:
                data = client.socket.recv(262144)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                self.received += len(data)
                self._take(client, client.rest + data)
            else:
                self.lost += 1
                self._epoll.unregister(number)
                client.socket.close()
                del self._clients[number]

    def until(self, condition: Callable[[], bool], limit: float = _PATIENCE) -> None:
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(json.dumps({"error": "waited in vain"}))
            self.serve(0.05)

    def until_logged_in(self, clients: list[Client]) -> None:
        self.until(lambda: self.lost > 0 or all(client.logged_in for client in clients))

    def settle(self) -> None:
        """Serve until there is no news any more."""
        self.last_event = time.monotonic()
        self.until(lambda: time.monotonic() - self.last_event > _QUIET, 90)

    def _take(self, client: Client, data: bytes) -> None:
        at, size, fetch = 0, len(data), 0
        while size - at >= 2:
            length = data[at] << 8 | data[at + 1]
            if size - at < length or length < 3:
                break
            word = data[at + 2 : data.index(0, at + 2)]
            at += length
            if word == b"CLIENTS":
                self.lists += 1
                self.last_event = time.monotonic()
            elif word == b"CLIENTS_UPDATE":
                self.news += 1
                self.last_event = time.monotonic()
                fetch += 1
            elif word == b"PING":
                client.socket.send(_PONG)
            elif word == b"LOGIN":
                client.logged_in = True
            elif word == b"ERROR":
                self.refused += 1
        client.rest = data[at:]
        if fetch and self.answering:
            client.socket.send(_FETCH * fetch)


def usage(pid: int) -> tuple[float, float]:
    """Seconds of CPU, and seconds ready to run without a core, of all threads of a process."""
    ran = waited = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "schedstat").read_text().split()
        ran += int(fields[0])
        waited += int(fields[1])
    return ran / 1e9, waited / 1e9


def memory(pid: int) -> int:
    """Anonymous resident bytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lobby", required=True, metavar="HOST:PORT")
    parser.add_argument("--pid", type=int, required=True, help="the server's")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--joins", type=int, default=3)
    parser.add_argument("--burst", type=int, default=20)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, _, port = options.lobby.rpartition(":")
    crowd = Crowd(host, int(port))
    own = int(Path("/proc/self").resolve().name)

    memory_empty, cpu_empty = memory(options.pid), usage(options.pid)[0]
    while len(crowd) < options.clients and not crowd.lost:
        step = [crowd.join() for _ in range(min(_STEP, options.clients - len(crowd)))]
        crowd.until_logged_in(step)
    crowd.settle()
    result: dict[str, object] = {
        "clients": len(crowd),
        "bytes_per_client": round((memory(options.pid) - memory_empty) / options.clients),
        "fill_cpu_ms": round((usage(options.pid)[0] - cpu_empty) * 1000, 2),
    }
    crowd.answering = True
    # What the server does without any news (its PINGs and the PONGs) is no cost of a join.
    started, before = time.monotonic(), usage(options.pid)
    crowd.until(lambda: time.monotonic() - started > 2 * _QUIET, 60)
    idle = (usage(options.pid)[0] - before[0]) / (time.monotonic() - started)
    result["idle_cores"] = round(idle, 5)

    measured, waited, own_waited = time.monotonic(), usage(options.pid)[1], usage(own)[1]
    for name, times, at_once in (("single", options.joins, 1), ("burst", 1, options.burst)):
        costs, sizes, lists, spread = [], [], [], []
        for _ in range(times):
            begun, cpu = time.monotonic(), usage(options.pid)[0]
            size, count = crowd.received, crowd.lists
            for number in range(at_once):
                crowd.join()
                next_one = begun + (number + 1) / at_once
                while at_once > 1 and time.monotonic() < next_one:
                    crowd.serve(max(0.0, next_one - time.monotonic()))
            crowd.settle()
            costs.append(usage(options.pid)[0] - cpu - idle * (time.monotonic() - begun))
            sizes.append(crowd.received - size)
            lists.append(crowd.lists - count)
            spread.append(crowd.last_event - begun)
        result[f"{name}_cpu_ms"] = round(sum(costs) / times * 1000, 3)
        result[f"{name}_mb"] = round(sum(sizes) / times / 1e6, 3)
        result[f"{name}_lists"] = round(sum(lists) / times, 1)
        result[f"{name}_lists_per_client"] = round(sum(lists) / times / len(crowd), 3)
        result[f"{name}_spread_s"] = round(sum(spread) / times, 3)
    took = time.monotonic() - measured
    result.update(
        burst_joins=options.burst,
        server_waited=round((usage(options.pid)[1] - waited) / took, 4),
        generator_waited=round((usage(own)[1] - own_waited) / took, 4),
        errors=crowd.lost + crowd.refused,
        first_error=f"{crowd.lost} lost, {crowd.refused} refused" if crowd.lost + crowd.refused else "",
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
