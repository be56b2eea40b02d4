"""A scripted lobby on a simulated machine, and an agent's machine that uses it."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.simnet import SimHost, SimNet
from tests.unit.agent.hamlet import LobbyLine
from wlnet.agent.agent import Agent
from wlnet.agent.news import News
from wlnet.agent.options import AgentOptions
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.net.network import Stream, StreamEnd, StreamHandler
from wlnet.protocols.exchange.messages import Hello
from wlnet.protocols.exchange.messages import encode as message
from wlnet.protocols.metaserver.wire import encode
from wlnet.steering.model import Family

ADDRESS = "203.0.113.1"
PORT = 7395
GREETING = encode(
    "WLNET",
    "1",
    message(Hello(version=1, address="198.51.100.1", observe=(), message_size=500, candidates=8)),
)


class Caller(StreamHandler):
    """One connection at the lobby."""

    def __init__(self, lobby: Lobby, stream: Stream) -> None:
        self.lobby = lobby
        self.stream = stream
        self.got = b""
        self.is_over = False

    def say(self, *fields: str) -> None:
        self.stream.write(encode(*fields))

    def connected(self, local: object) -> None:
        pass

    def received(self, data: bytes) -> None:
        self.got += data
        self.lobby.script(self, data)

    def ended(self) -> None:
        self.is_over = True
        self.stream.close()

    def drained(self) -> None:
        pass

    def closed(self, end: StreamEnd) -> None:
        self.is_over = True


class Lobby:
    """Answers by its script.

    :ivar questions: how often somebody asked before login for the exchange.
    """

    def __init__(self, net: SimNet) -> None:
        self.host = net.host("lobby", [ADDRESS])
        self.callers: list[Caller] = []
        self.questions = 0
        self.script: Callable[[Caller, bytes], None] = self.usual
        self.up()

    def up(self) -> None:
        self.listener = self.host.listen(Family.V4, self._accepted, port=PORT)

    def down(self) -> None:
        self.listener.close()
        for caller in self.callers:
            if not caller.is_over:
                caller.is_over = True
                caller.stream.abort()

    def _accepted(self, stream: Stream) -> Caller:
        self.callers.append(Caller(self, stream))
        return self.callers[-1]

    def usual(self, caller: Caller, data: bytes) -> None:
        """With the exchange."""
        if caller.got == encode("WLNET", "1"):
            self.questions += 1
            caller.say("WLNET")
        elif b"LOGIN\0" in data:
            caller.say("LOGIN", data.split(b"\0")[3].decode(), "UNREGISTERED")
        elif data == encode("WLNET", "1"):
            caller.stream.write(GREETING)

    def old(self, caller: Caller, data: bytes) -> None:
        """Ends connections at commands it does not know."""
        if b"WLNET" in data:
            self.questions += 1
            caller.say("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD")
            caller.stream.close()
        elif b"LOGIN\0" in data:
            caller.say("LOGIN", data.split(b"\0")[3].decode(), "UNREGISTERED")

    def silent(self, caller: Caller, data: bytes) -> None:
        """Says nothing at all."""


class Place:
    """The lobby, and a machine with an agent."""

    def __init__(self, **options: float) -> None:
        self.net = SimNet(1, 0.01)
        self.net.names["lobby.example.org"] = (ADDRESS,)
        self.lobby = Lobby(self.net)
        self.host: SimHost = self.net.host("ann", ["198.51.100.1"])
        self.news: list[News] = []
        self.options = AgentOptions(lobby=LobbyAddress("lobby.example.org", PORT), **options)  # type: ignore[arg-type]
        self.agent = Agent(self.host, self.options, self.news.append)
        self.closed = False

    def start(self) -> None:
        self.agent.start()
        self.net.advance(4)

    def game(self, name: str = "ann", *, waits: bool = True) -> LobbyLine:
        """A game that logs in."""
        line = LobbyLine(self.host, PORT)
        line.say("LOGIN", "6", name, "1.1", "false", "secret")
        if waits:
            self.net.run_until(lambda: line.packets)
            self.net.advance(1)
        return line

    def close(self) -> None:
        def done() -> None:
            assert not self.closed
            self.closed = True

        self.agent.close(done)
        self.agent.close(done)
        self.net.run_until(lambda: self.closed, 6)
        self.net.advance(20)
        assert self.host.open == 0
