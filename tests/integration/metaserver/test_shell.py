"""The metaserver's shell on real sockets: last words, resets, pieces, both families, the gate."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support.lobby import Rig
from tests.support.metaserver import Server, Wire, reactor, reset, until
from wlnet.metrics import Limit
from wlnet.protocols.metaserver.session import Session
from wlnet.protocols.metaserver.wire import encode


class ShellCase(TestCase):
    """Makes servers that are stopped at the end."""

    timeout = 60

    def setUp(self) -> None:
        self.rig = Rig()
        self.server = self.serve(self.rig)
        self.clients: list[Wire | socket.socket] = []

    def serve(self, rig: Rig) -> Server:
        return Server(rig)

    def tearDown(self) -> Deferred[None]:  # type: ignore[override]
        return Deferred.fromCoroutine(self._down())

    async def _down(self) -> None:
        await self.server.stop(*self.clients)
        assert self.server.budget.held == 0
        assert len(self.server.gate) == 0

    async def player(self, name: str, host: str = "127.0.0.1") -> Wire:
        wire = await self.server.player(name, host)
        self.clients.append(wire)
        return wire

    async def deaf(self, name: str) -> socket.socket:
        sock = await self.server.deaf(name)
        self.clients.append(sock)
        return sock

    def plain(self) -> socket.socket:
        sock = socket.create_connection(self.server.address(), timeout=5)
        sock.setblocking(False)
        self.clients.append(sock)
        return sock


class Conversations(ShellCase):
    async def test_players_talk_over_both_families(self) -> None:
        alice, bob = await self.player("alice"), await self.player("bob", "::1")
        alice.say("CHAT", "hi", "")
        assert await bob.hears("CHAT") == ("CHAT", "alice", "hi", "public")
        bob.say("GAME_OPEN", "six")
        assert (await bob.hears("GAME_OPEN"))[2:] == ("::1", "true", "127.0.0.1")
        alice.say("GAME_OPEN", "four")
        assert (await alice.hears("GAME_OPEN"))[2:] == ("127.0.0.1", "true", "::1")

    async def test_packets_byte_by_byte(self) -> None:
        sock = self.plain()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in encode("LOGIN", "6", "alice", "1.1", "false", "n"):
            sock.send(bytes([byte]))
            await deferLater(reactor, 0.001)
        await until(lambda: self.rig.lobby.hall.roster.live("alice"))

    async def test_an_orderly_leave(self) -> None:
        alice = await self.player("alice")
        alice.say("DISCONNECT", "CONNECTION_CLOSED")
        (await alice.end()).trap(ConnectionDone)
        assert self.rig.lobby.hall.roster.get("alice") is None


class LastWords(ShellCase):
    def serve(self, rig: Rig) -> Server:
        return Server(rig, linger=0.3)

    async def test_an_error_arrives_although_more_was_sent_than_read(self) -> None:
        for _ in range(10):
            wire = await self.server.connect()
            wire.raw(encode("NONSENSE") + encode("CHAT", "x" * 1000, "") * 1000)
            await wire.hears("ERROR")
            assert wire.packets == [("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")]
            (await wire.end()).trap(ConnectionDone)

    async def test_a_removed_player_is_told_why(self) -> None:
        alice = await self.player("alice")
        self.rig.lobby.discipline.remove("alice", "op", "spam", 60, "KICKED")
        await alice.end()
        assert alice.packets[-2:] == [
            ("CHAT", "", "You have been kicked: spam", "system"),
            ("DISCONNECT", "KICKED"),
        ]

    async def test_a_timed_out_player_is_told(self) -> None:
        alice = await self.player("alice")
        self.rig.wait(31)
        (await alice.end()).trap(ConnectionDone)
        assert alice.packets[-1] == ("DISCONNECT", "CLIENT_TIMEOUT")

    async def test_whoever_does_not_close_is_closed(self) -> None:
        sock = self.plain()
        sock.send(encode("NONSENSE"))
        await until(lambda: self.server.factory.connections)
        await until(lambda: not self.server.factory.connections, 5)

    async def test_whoever_goes_on_sending_is_closed_too(self) -> None:
        wire = await self.server.connect()
        wire.raw(encode("NONSENSE"))
        while wire.ended is None:
            wire.raw(b"x" * 10000)
            await deferLater(reactor, 0.01)
        wire.ended.trap(ConnectionDone, ConnectionLost)


class Accidents(ShellCase):
    async def test_resets_in_any_state_leave_lost_seats_and_no_connections(self) -> None:
        bob = await self.player("bob")
        for number in range(20):
            sock = socket.create_connection(self.server.address(), timeout=5)
            login = encode("LOGIN", "6", f"p{number}", "1.1", "false", str(number))
            sock.send((login + encode("CLIENTS") * 5)[: 5 * number])
            if number % 2:
                await deferLater(reactor, 0.01)
            reset(sock)
        await until(lambda: len(self.server.factory.connections) == 1)
        bob.say("CLIENTS")
        assert (await bob.hears("CLIENTS"))[1] == "1"
        assert self.rig.lobby.hall.live_players == 1

    async def test_a_lost_connection_is_a_lost_seat(self) -> None:
        alice = await self.player("alice")
        alice.transport.abortConnection()  # type: ignore[union-attr]
        await until(lambda: not self.rig.lobby.hall.roster.live("alice"))
        assert self.rig.lobby.hall.roster.get("alice") is not None

    async def test_a_defect_costs_its_own_connection_only(self) -> None:
        alice, bob = await self.player("alice"), await self.player("bob")

        def fails(data: bytes) -> None:
            raise RuntimeError("a defect")

        connection = self.server.connection_of("alice")
        assert connection is not None
        assert isinstance(connection._session, Session)
        self.patch(connection._session, "receive", fails)
        alice.say("CLIENTS")
        await alice.end()
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        bob.say("GAMES")
        await bob.hears("GAMES")

    async def test_a_defect_met_while_sending_does_not_keep_others_from_their_packets(self) -> None:
        alice, bob = await self.player("alice"), await self.player("bob")

        def fails() -> None:
            raise RuntimeError("a defect")

        connection = self.server.connection_of("alice")
        assert connection is not None
        assert connection._session is not None
        self.patch(connection._session, "drained", fails)
        self.rig.lobby.chat.announce("to all")
        await bob.hears("CHAT")
        await alice.end()
        assert len(self.flushLoggedErrors(RuntimeError)) == 1


class Gate(ShellCase):
    def serve(self, rig: Rig) -> Server:
        return Server(rig, connections=2)

    async def test_one_too_many_is_closed_at_once_and_let_in_later(self) -> None:
        alice, bob = await self.player("alice"), await self.player("bob")
        carl = await self.server.connect()
        await carl.end()
        assert carl.packets == []
        assert self.rig.limited(Limit.CONNECTIONS) == 1
        bob.say("DISCONNECT", "x")
        await bob.end()
        await until(lambda: len(self.server.gate) == 1)
        await self.player("dora")
        assert alice.ended is None


class Stopping(ShellCase):
    def serve(self, rig: Rig) -> Server:
        return Server(rig, linger=0.3)

    async def test_everybody_gets_what_was_said_and_is_closed_and_nobody_is_let_in(self) -> None:
        alice, sleeper = await self.player("alice"), self.plain()
        await until(lambda: len(self.server.factory.connections) == 2)
        self.rig.lobby.chat.announce("bye")
        done = self.server.factory.close_all()
        late = await self.server.connect()
        await late.end()
        await done
        assert not self.server.factory.connections
        (await alice.end()).trap(ConnectionDone)
        assert alice.packets[-1] == ("CHAT", "", "bye", "system")
        assert sleeper.recv(10) == b""

    async def test_without_anybody_it_is_done_at_once(self) -> None:
        done = self.server.factory.close_all()
        assert done.called
        await done
