"""Two parties in one reactor, a real server, real sockets: a game that survives forced moves."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from twisted.internet import defer, reactor, task
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from tests.support.server_process import ServerProcess
from wlnet.client.gather.words import GatherOptions
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.lobby.session import Login
from wlnet.client.net.shell_twisted import TwistedNetwork
from wlnet.client.peer.options import PartyOptions
from wlnet.client.peer.party import Party, PartyUser
from wlnet.client.peer.peer import Peer
from wlnet.client.peer.streams import PeerStream, StreamUser
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.rendezvous.events import ListedGame
from wlnet.steering.model import Technique

SIZE = 5_000_000
DATAGRAMS = 300


class Transfer(StreamUser):
    """Sends *data* and keeps what comes."""

    def __init__(self, data: bytes) -> None:
        self.stream: PeerStream | None = None
        self.got = bytearray()
        self.over = False
        self._data = memoryview(data)

    def writable(self) -> None:
        assert self.stream is not None
        while self._data:
            taken = self.stream.write(bytes(self._data[:65536]))
            if not taken:
                return
            self._data = self._data[taken:]
        self.stream.end()

    def received(self, data: bytes) -> None:
        assert self.stream is not None
        self.got += data
        self.stream.consumed(len(data))

    def ended(self) -> None:
        self.over = True

    def closed(self, text: str) -> None:
        raise AssertionError(text)


class User(PartyUser):
    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.published = False
        self.problems: list[str] = []
        self.peer: Peer | None = None
        self.paths: list[PathNews | PathGone] = []
        self.datagrams: list[bytes] = []
        self.transfers: list[Transfer] = []
        self.ended: list[str] = []

    def party_ready(self, name: str) -> None:
        pass

    def party_lost(self, text: str, again: float) -> None:
        self.problems.append(text)

    def party_line(self, text: str) -> None:
        self.problems.append(text)

    def party_published(self, game: str) -> None:
        self.published = True

    def party_unpublished(self, game: str) -> None:
        pass

    def party_refused(self, of: str, text: str) -> None:
        self.problems.append(text)

    def party_games(self, games: tuple[ListedGame, ...]) -> None:
        pass

    def party_gone(self, text: str) -> None:
        self.problems.append(text)

    def peer_ready(self, peer: Peer) -> None:
        self.peer = peer

    def peer_path(self, peer: Peer, news: PathNews | PathGone) -> None:
        self.paths.append(news)

    def peer_stream(self, peer: Peer, stream: PeerStream) -> StreamUser:
        transfer = Transfer(self.answer)
        transfer.stream = stream
        self.transfers.append(transfer)
        transfer.writable()
        return transfer

    def peer_datagram(self, peer: Peer, data: bytes) -> None:
        self.datagrams.append(data)

    def peer_closed(self, peer: Peer, text: str) -> None:
        self.ended.append(text)


class PartyTests(TestCase):
    """Loopback; the machine's own addresses, if it has any, are the LAN."""

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.server = ServerProcess(
            Path(self.folder.name),
            {"pairs.rate": 8_000_000, "pairs.burst": 1_000_000, "pairs.total_rate": 100_000_000},
        )
        self.network = TwistedNetwork(reactor)
        self.parties: list[Party] = []

    def tearDown(self) -> defer.Deferred[None]:  # type: ignore[override]
        return defer.Deferred.fromCoroutine(self.clean_up())

    async def clean_up(self) -> None:
        done: list[Party] = []
        for party in self.parties:
            party.close(lambda party=party: done.append(party))  # type: ignore[misc]
        begun = time.monotonic()
        await self.until(lambda: len(done) == len(self.parties), 4)
        assert time.monotonic() - begun < 2.5
        await task.deferLater(IReactorTime(reactor), 0.1)
        self.server.stop()
        self.server.check_log()
        self.folder.cleanup()
        # Closed connections linger until the other side has closed them too; the deadline is trial's own.
        await self.until(lambda: not self.pending(), 7)

    def pending(self) -> list[object]:
        calls = IReactorTime(reactor).getDelayedCalls()
        return [call for call in calls if "_linger" in repr(call)]

    async def until(self, so: Callable[[], object], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < deadline, "not so in time"
            await task.deferLater(IReactorTime(reactor), 0.01)

    def party(self, name: str, user: User, gather: GatherOptions) -> Party:
        party = Party(
            self.network,
            LobbyAddress("127.0.0.1", self.server.port("lobby")),
            Login(name=name, secret=f"a secret of {name} 1234567890", build="test"),
            user,
            PartyOptions(gather=gather),
        )
        self.parties.append(party)
        return party

    async def pair(self, gather: GatherOptions, there: bytes = b"", back: bytes = b"") -> tuple[User, User]:
        host, guest = User(back), User(there)
        self.party("ann", host, gather).host("duel")
        await self.until(lambda: host.published, 5)
        begun = time.monotonic()
        self.party("bob", guest, gather).join("duel")
        await self.until(lambda: host.peer and guest.peer, 5)
        assert time.monotonic() - begun < 2.0
        return host, guest

    def test_played_over_the_relay_within_a_second(self) -> defer.Deferred[None]:
        async def run() -> None:
            host, guest = await self.pair(GatherOptions(relay_only=True), b"there", b"back")
            assert guest.peer is not None
            transfer = Transfer(b"there")
            transfer.stream = guest.peer.open_stream(7, transfer)
            transfer.writable()
            await self.until(lambda: transfer.over and host.transfers[0].over, 2)
            assert (bytes(transfer.got), bytes(host.transfers[0].got)) == (b"back", b"there")
            path = guest.peer.path
            assert path is not None
            assert path.technique is Technique.RELAY_UDP
            assert 0 < path.setup < 1.0
            assert "relay" in path.reason
            assert not host.problems + guest.problems

        return defer.Deferred.fromCoroutine(run())

    def test_megabytes_and_datagrams_over_paths_that_are_torn_away(self) -> defer.Deferred[None]:
        async def run() -> None:
            there, back = Random(1).randbytes(SIZE), Random(2).randbytes(SIZE)
            host, guest = await self.pair(GatherOptions(mappings=False), there, back)
            assert guest.peer is not None
            transfer = Transfer(there)
            transfer.stream = guest.peer.open_stream(7, transfer)
            transfer.writable()
            for number in range(DATAGRAMS):
                guest.peer.send_datagram(number.to_bytes(4, "big"))
                if number % 60 == 30:
                    self.tear(guest.peer)
                await task.deferLater(IReactorTime(reactor), 0.01)
            await self.until(lambda: transfer.over and host.transfers and host.transfers[0].over, 60)
            assert bytes(transfer.got) == back
            assert bytes(host.transfers[0].got) == there
            await self.until(lambda: len(host.datagrams) >= DATAGRAMS, 5)
            assert sorted(host.datagrams) == [number.to_bytes(4, "big") for number in range(DATAGRAMS)]
            assert len(guest.paths) >= 5
            assert not guest.ended + host.ended

        return defer.Deferred.fromCoroutine(run())

    def tear(self, peer: Peer) -> None:
        """The socket of the path in use is gone, as if the system had taken it."""
        attempt = peer._routes.carrier
        current = attempt.paths.current
        if current is None:
            return
        relay = attempt.paths._relay
        number = current.way.socket or next(iter(relay._by_socket), 0)
        sockets = attempt.sockets
        sockets._close(number)
        attempt.paths.closed(number, self.network.now())
        peer.touched()
