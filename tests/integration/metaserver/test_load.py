"""Clients that do not read, and many at once: each costs itself only."""

from __future__ import annotations

import socket

from twisted.internet.task import deferLater

from tests.integration.metaserver.test_shell import ShellCase
from tests.support.lobby import Packet, Rig
from tests.support.metaserver import Server, Wire, reactor, until
from wlnet.metrics import Limit
from wlnet.protocols.metaserver.wire import encode

LINE = "x" * 1000


def _unlimited() -> Rig:
    return Rig({"max_players": 1000}, {"chat_rate": 0, "command_rate": 0})


class SlowReaders(ShellCase):
    def setUp(self) -> None:
        super().setUp()
        self.most_held = 0

    def serve(self, rig: Rig) -> Server:
        self.rig = _unlimited()
        return Server(self.rig, queue=100_000, linger=0.3)

    async def _chatter(self, writer: Wire, lines: int) -> None:
        for _ in range(lines // 10):
            writer.raw(encode("CHAT", LINE, "") * 10)
            await deferLater(reactor, 0)
            self.most_held = max(self.most_held, self.server.budget.held)

    async def test_only_the_one_who_does_not_read_is_dropped_and_memory_stays_bounded(self) -> None:
        alice, bob = await self.player("alice"), await self.player("bob", "::1")
        await self.deaf("deaf")
        lines = 0
        while self.rig.lobby.hall.roster.live("deaf"):
            await self._chatter(alice, 200)
            lines += 200
            assert lines < 50000
        await bob.hears("CHAT", lines)
        await alice.hears("CHAT", lines)
        assert self.rig.limited(Limit.QUEUE) == 1
        assert self.most_held < 2 * 100000 + 65536 + 2000
        await until(lambda: len(self.server.factory.connections) == 2)
        assert self.server.budget.held == 0

    async def test_a_client_that_asks_faster_than_it_reads_waits_and_loses_nothing(self) -> None:
        for number in range(200):
            self.rig.connect().login(f"p{number}")
        self.rig.wait(4)
        sock = await self.deaf("deaf")
        asked = 3000
        requests = encode("CLIENTS") * asked
        while requests:
            try:
                requests = requests[sock.send(requests) :]
            except BlockingIOError:
                break
            await deferLater(reactor, 0)
        for _ in range(50):
            await deferLater(reactor, 0.002)
            self.most_held = max(self.most_held, self.server.budget.held)
        assert self.rig.lobby.hall.roster.live("deaf") is not None
        assert self.most_held < 100000
        read = await _read(sock, lambda packets: len(_lists(packets)) == asked, requests)
        assert {packet[1] for packet in _lists(read)} == {"201"}
        assert self.rig.limited(Limit.QUEUE) == 0


class Budget(ShellCase):
    def serve(self, rig: Rig) -> Server:
        self.rig = _unlimited()
        return Server(self.rig, queue=2**24, budget=500_000)

    async def test_when_all_queues_are_full_the_fullest_goes(self) -> None:
        alice, bob = await self.player("alice"), await self.player("bob")
        await self.deaf("little")
        await self.deaf("much")
        await self._fill(alice, "little", 100_000)
        little = self.server.connection_of("little")
        assert little is not None
        while self.rig.lobby.hall.roster.live("much"):
            alice.raw(encode("CHAT", LINE, "much") * 20)
            await deferLater(reactor, 0)
        assert self.rig.limited(Limit.TOTAL_QUEUES) == 1
        assert self.server.budget.held < 500000
        assert self.rig.lobby.hall.roster.live("little") is not None
        alice.say("CHAT", "still here?", "bob")
        await bob.hears("CHAT")

    async def test_whoever_reads_is_never_dropped_for_what_others_hold(self) -> None:
        self.server.budget.add(10_000_000)  # held by somebody else, the relay for example
        alice, bob = await self.player("alice"), await self.player("bob")
        for number in range(20):
            alice.say("CHAT", str(number), "")
        await bob.hears("CHAT", 20)
        assert self.rig.limited(Limit.TOTAL_QUEUES) == 0
        self.server.budget.add(-10_000_000)

    async def _fill(self, writer: Wire, name: str, size: int) -> None:
        connection = self.server.connection_of(name)
        assert connection is not None
        while connection.held < size:
            writer.raw(encode("CHAT", LINE, name) * 20)
            await deferLater(reactor, 0)


class Burst(ShellCase):
    def serve(self, rig: Rig) -> Server:
        self.rig = Rig()
        return Server(self.rig)

    async def test_200_joins_cost_each_player_a_few_packets(self) -> None:
        clients = [await self.server.connect() for _ in range(200)]
        self.clients += clients

        def as_the_game_does(wire: Wire, packet: Packet) -> None:
            if packet[0] in {"CLIENTS_UPDATE", "GAMES_UPDATE"}:
                wire.say(packet[0].removesuffix("_UPDATE"))

        for number, client in enumerate(clients):
            client.on_packet = lambda packet, client=client: as_the_game_does(client, packet)  # type: ignore[misc]
            client.say("LOGIN", "6", f"p{number}", "1.1", "false", str(number))
        for client in clients:
            await client.hears("TIME")
        for _ in range(6):
            self.rig.wait(1)
            await deferLater(reactor, 0.05)
        await until(lambda: all(_sees(client, 200) for client in clients))
        updates = sum(len(client.said("CLIENTS_UPDATE")) for client in clients)
        assert updates <= 3 * 200
        assert sum(len(client.packets) for client in clients) <= 8 * 200


def _sees(client: Wire, players: int) -> bool:
    lists = client.said("CLIENTS")
    return bool(lists) and lists[-1][1] == str(players)


def _lists(packets: list[Packet]) -> list[Packet]:
    return [packet for packet in packets if packet[0] == "CLIENTS"]


async def _read(sock: socket.socket, enough: object, rest: bytes) -> list[Packet]:
    """Read packets until there are enough, sending *rest* meanwhile."""
    assert callable(enough)
    wire = Wire()
    end = reactor.seconds() + 20
    while not enough(wire.packets):
        assert reactor.seconds() < end
        try:
            wire.dataReceived(sock.recv(1 << 20))
        except BlockingIOError:
            await deferLater(reactor, 0)
        if rest:
            try:
                rest = rest[sock.send(rest) :]
            except BlockingIOError:
                pass
    return wire.packets
