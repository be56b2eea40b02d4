"""The connect-back check against hosts that echo, are silent, lie, hang up or are not there."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port
from twisted.trial.unittest import TestCase

from tests.support.metaserver import reactor, until
from wlnet.protocols.metaserver.shell_prober import CALL, Prober


class Host(Protocol):
    """What a game's port may do."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def connectionMade(self) -> None:
        self._ports.open.add(self)
        if self._ports.says is None:
            self.tell(b"", close=True)

    def dataReceived(self, data: bytes) -> None:
        self._ports.heard += data
        if self._ports.says:
            for byte in self._ports.says:
                self.tell(bytes([byte]))

    def connectionLost(self, reason: object = None) -> None:
        self._ports.open.discard(self)

    def tell(self, data: bytes, close: bool = False) -> None:
        transport = self.transport
        assert transport is not None
        transport.write(data)
        if close:
            transport.loseConnection()


class Ports(Factory):
    """``says``: what is answered; b"" nothing, None hangs up."""

    noisy = False

    def __init__(self, says: bytes | None) -> None:
        self.says = says
        self.heard = b""
        self.open: set[Protocol] = set()

    def buildProtocol(self, addr: object) -> Host:
        return Host(self)


class ProberTests(TestCase):
    timeout = 30

    async def _probe(self, host: Ports | None, address: str = "127.0.0.1", limit: float = 5.0) -> bool:
        listening: Port = reactor.listenTCP(0, host or Ports(b""), interface=address)
        number = listening.getHost().port
        if host is None:
            await listening.stopListening()
        answers: list[bool] = []
        answered: Deferred[None] = Deferred()

        def answer(reachable: bool) -> None:
            answers.append(reachable)
            if not answered.called:
                answered.callback(None)

        Prober(reactor, number).probe(address, limit, answer)
        await answered
        if host is not None:
            await until(lambda: not host.open)
            await listening.stopListening()
        await deferLater(reactor, 0.02)
        assert len(answers) == 1
        return answers[0]

    async def test_a_game_that_echoes_is_reachable(self) -> None:
        for address in ("127.0.0.1", "::1"):
            host = Ports(CALL)
            assert await self._probe(host, address)
            assert host.heard == b"\x00\x03@"

    async def test_a_wrong_echo_is_none(self) -> None:
        assert not await self._probe(Ports(b"\x00\x03A"))

    async def test_silence_ends_after_the_time_limit_and_the_connection_is_closed(self) -> None:
        start = reactor.seconds()
        assert not await self._probe(Ports(b""), limit=0.2)
        assert reactor.seconds() - start < 2

    async def test_half_an_echo_is_silence(self) -> None:
        assert not await self._probe(Ports(b"\x00\x03"), limit=0.2)

    async def test_hanging_up_is_no_echo(self) -> None:
        assert not await self._probe(Ports(None))

    async def test_nobody_there(self) -> None:
        assert not await self._probe(None)

    async def test_no_time_at_all_leaves_nothing_behind(self) -> None:
        assert not await self._probe(Ports(b""), limit=0.0)

    async def test_an_address_that_is_none(self) -> None:
        answers: list[bool] = []
        Prober(reactor, 7396).probe("", 0.5, answers.append)
        await until(lambda: answers)
        assert answers == [False]
