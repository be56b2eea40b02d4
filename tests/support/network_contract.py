"""What :class:`wlnet.client.net.network.Network` promises, as tests for every implementation of it."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from wlnet.client.net.network import Network, Stream, StreamEnd, StreamHandler
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

PLENTY = 3_000_000


class Recorder:
    """Writes down what it hears of its stream; every callback may also do something."""

    def __init__(self, **acts: Callable[..., object]) -> None:
        self.log: list[str] = []
        self.data = bytearray()
        self.end: StreamEnd | None = None
        self.acts = acts

    def _heard(self, what: str, *arguments: Any) -> None:
        if not (what == "received" and self.log[-1:] == ["received"]):
            self.log.append(what)
        if what in self.acts:
            self.acts[what](*arguments)

    def connected(self, local: Endpoint) -> None:
        self._heard("connected", local)

    def received(self, data: bytes) -> None:
        assert data
        self.data += data
        self._heard("received", data)

    def ended(self) -> None:
        self._heard("ended")

    def drained(self) -> None:
        self._heard("drained")

    def closed(self, end: StreamEnd) -> None:
        assert self.end is None
        self.end = end
        self._heard("closed", end)


class Conversation:
    """Both ends of a connection over loopback."""

    def __init__(
        self, contract: NetworkContract, client: Recorder | None = None, server: Recorder | None = None
    ) -> None:
        self.client_heard = client or Recorder()
        self.server_heard = server or Recorder()
        self.accepted: list[Stream] = []
        self.contract = contract
        self.listener = contract.network.listen(Family.V4, self._accept, address="127.0.0.1")
        self.client = contract.network.connect(self.listener.local, self.client_heard)

    def _accept(self, stream: Stream) -> StreamHandler:
        self.accepted.append(stream)
        return self.server_heard

    @property
    def server(self) -> Stream:
        return self.accepted[0]

    async def made(self) -> None:
        await self.contract.until(lambda: self.accepted and self.client_heard.log)
        assert self.client_heard.log == ["connected"]
        assert self.client.local == self.server.remote
        assert self.server.local == self.client.remote == self.listener.local

    def stop(self) -> None:
        self.listener.close()
        self.client.abort()
        for one in self.accepted:
            one.abort()


class NetworkContract(ABC):
    """Mixed into a test case."""

    network: Network

    @abstractmethod
    async def until(self, predicate: Callable[[], object]) -> None:
        """Let the network run until it is true; fails if that takes too long."""

    @abstractmethod
    async def some_time(self, seconds: float) -> None:
        """Let the network run."""

    # Datagrams

    async def test_datagrams_arrive_with_their_source(self) -> None:
        for family, address in ((Family.V4, "127.0.0.1"), (Family.V6, "::1")):
            await self.datagrams_arrive(family, address)

    async def datagrams_arrive(self, family: Family, address: str) -> None:
        got: list[tuple[bytes, Endpoint]] = []
        one = self.network.open_datagram(family, lambda data, source: None, address=address)
        other = self.network.open_datagram(family, lambda data, source: got.append((data, source)))
        assert other.send(b"", one.local)
        assert one.send(b"hello", Endpoint(address, other.local.port))
        assert one.send(b"again", Endpoint(address, other.local.port), hops=3)
        await self.until(lambda: len(got) == 2)
        assert got == [(b"hello", one.local), (b"again", one.local)]
        one.close()
        other.close()

    async def test_a_datagram_that_cannot_be_sent_is_dropped_and_said_so(self) -> None:
        one = self.network.open_datagram(Family.V4, lambda data, source: None, address="127.0.0.1")
        assert not one.send(b"x" * 70_000, one.local)
        assert not one.send(b"x", Endpoint("::1", one.local.port))
        assert one.send(b"x", one.local)
        one.close()
        assert not one.send(b"x", one.local)

    async def test_nobody_at_the_other_end_harms_no_socket(self) -> None:
        got: list[bytes] = []
        gone = self.network.open_datagram(Family.V4, lambda data, source: None, address="127.0.0.1")
        one = self.network.open_datagram(
            Family.V4, lambda data, source: got.append(data), address="127.0.0.1"
        )
        gone.close()
        for _ in range(3):
            one.send(b"x", gone.local)
            await self.some_time(0.02)
        assert one.send(b"to myself", one.local)
        await self.until(lambda: got == [b"to myself"])
        one.close()

    async def test_a_closed_socket_hears_nothing(self) -> None:
        got: list[bytes] = []

        def received(data: bytes, source: Endpoint) -> None:
            got.append(data)
            other.close()

        one = self.network.open_datagram(Family.V4, lambda data, source: None, address="127.0.0.1")
        other = self.network.open_datagram(Family.V4, received, address="127.0.0.1")
        for number in range(5):
            one.send(b"%d" % number, other.local)
        await self.until(lambda: got)
        await self.some_time(0.05)
        assert got == [b"0"]
        one.close()

    async def test_a_port_is_taken_but_by_those_who_agree_to_share_it(self) -> None:
        nothing = lambda data, source: None  # noqa: E731
        one = self.network.open_datagram(Family.V4, nothing)
        with self.raises(errno.EADDRINUSE):
            self.network.open_datagram(Family.V4, nothing, port=one.local.port)
        one.close()
        first = self.network.open_datagram(Family.V4, nothing, reuse=True)
        second = self.network.open_datagram(Family.V4, nothing, port=first.local.port, reuse=True)
        assert second.local.port == first.local.port
        first.close()
        second.close()
        with self.raises(errno.EADDRNOTAVAIL):
            self.network.open_datagram(Family.V4, nothing, address="192.0.2.77")

    async def test_ipv6_sockets_leave_ipv4_alone(self) -> None:
        six = self.network.open_datagram(Family.V6, lambda data, source: None)
        four = self.network.open_datagram(Family.V4, lambda data, source: None, port=six.local.port)
        assert four.local.port == six.local.port
        four.close()
        six.close()

    # Streams

    async def test_a_stream_carries_everything_in_order(self) -> None:
        talk = Conversation(self)
        await self.until(lambda: talk.accepted)
        sent = bytes(range(256)) * (PLENTY // 256)
        talk.client.write(b"first ")
        talk.client.write(sent)
        assert talk.client.waiting == len(sent) + 6
        await self.until(lambda: len(talk.server_heard.data) == len(sent) + 6)
        assert talk.server_heard.data == b"first " + sent
        await self.until(lambda: "drained" in talk.client_heard.log)
        assert talk.client.waiting == 0
        talk.server.write(b"back")
        await self.until(lambda: talk.client_heard.data == b"back")
        talk.stop()

    async def test_nothing_is_called_within_a_call(self) -> None:
        calling = [False]
        within: list[object] = []

        def heard(*_arguments: object) -> None:
            if calling[0]:
                within.append(_arguments)

        talk = Conversation(self, Recorder(connected=heard, drained=heard, received=heard, closed=heard))
        await talk.made()
        calling[0] = True
        talk.client.write(b"x")
        talk.client.pause()
        talk.client.resume()
        self.network.call_later(0, heard)
        talk.client.close()
        refused = self.network.connect(Endpoint("127.0.0.1", 1), Recorder(closed=heard))
        self.network.resolve("127.0.0.1", heard)
        calling[0] = False
        assert within == []
        await self.until(lambda: talk.server_heard.data == b"x")
        refused.abort()
        talk.stop()

    async def test_half_closed_both_ways(self) -> None:
        talk = Conversation(self)
        await talk.made()
        talk.client.write(b"question")
        talk.client.end()
        talk.client.write(b"ignored")
        await self.until(lambda: "ended" in talk.server_heard.log)
        assert talk.server_heard.data == b"question"
        talk.server.write(b"answer")
        await self.until(lambda: talk.client_heard.data == b"answer")
        assert "closed" not in talk.client_heard.log
        talk.server.end()
        await self.until(lambda: talk.client_heard.end and talk.server_heard.end)
        assert talk.client_heard.end == talk.server_heard.end == StreamEnd()
        assert talk.client_heard.log[-2:] == ["ended", "closed"]
        talk.stop()

    async def test_close_sends_what_waits_and_answers_nothing(self) -> None:
        talk = Conversation(self)
        await talk.made()
        talk.server.write(b"unread")
        talk.client.write(b"y" * PLENTY)
        talk.client.close()
        await self.until(lambda: "ended" in talk.server_heard.log)
        assert len(talk.server_heard.data) == PLENTY
        talk.server.close()
        await self.until(lambda: talk.client_heard.end and talk.server_heard.end)
        assert talk.client_heard.log == ["connected", "closed"]
        assert talk.client_heard.end == talk.server_heard.end == StreamEnd()
        talk.stop()

    async def test_abort_resets_and_is_silent(self) -> None:
        talk = Conversation(self)
        await talk.made()
        talk.client.write(b"lost")
        talk.client.abort()
        await self.until(lambda: talk.server_heard.end)
        assert talk.server_heard.end is not None
        assert talk.server_heard.end.reset
        assert talk.server_heard.data == b""
        talk.client.write(b"nothing")
        talk.client.close()
        await self.some_time(0.05)
        assert talk.client_heard.log == ["connected"]
        talk.stop()

    async def test_refused(self) -> None:
        listener = self.network.listen(Family.V4, lambda stream: None, address="127.0.0.1")
        listener.close()
        heard = Recorder()
        stream = self.network.connect(listener.local, heard)
        assert stream.local.port != 0
        await self.until(lambda: heard.end)
        assert heard.end is not None
        assert (heard.end.reset, heard.log) == (True, ["closed"])
        assert heard.end.text

    async def test_who_is_not_wanted_is_reset(self) -> None:
        listener = self.network.listen(Family.V4, lambda stream: None, address="127.0.0.1")
        heard = Recorder()
        self.network.connect(listener.local, heard)
        await self.until(lambda: heard.end)
        assert heard.end is not None
        assert heard.end.reset
        listener.close()

    async def test_written_before_it_is_connected(self) -> None:
        talk = Conversation(self)
        talk.client.write(b"early")
        talk.client.end()
        await self.until(lambda: "ended" in talk.server_heard.log)
        assert talk.server_heard.data == b"early"
        talk.stop()

    async def test_the_accepting_side_may_speak_first(self) -> None:
        heard = Recorder()

        def accepted(stream: Stream) -> Recorder:
            stream.write(b"welcome")
            stream.close()
            return Recorder()

        listener = self.network.listen(Family.V6, accepted, address="::1")
        stream = self.network.connect(listener.local, heard)
        await self.until(lambda: "ended" in heard.log)
        assert heard.data == b"welcome"
        stream.close()
        await self.until(lambda: heard.end)
        assert heard.end == StreamEnd()
        listener.close()
        await self.some_time(0.05)

    async def test_a_paused_stream_holds_the_other_side_back(self) -> None:
        talk = Conversation(self)
        await talk.made()
        talk.server.pause()
        talk.client.write(b"z" * 40_000_000)
        await self.some_time(0.3)
        assert talk.server_heard.data == b""
        assert talk.client.waiting > 10_000_000
        assert "drained" not in talk.client_heard.log
        talk.client.end()
        talk.server.resume()
        await self.until(lambda: "ended" in talk.server_heard.log)
        assert len(talk.server_heard.data) == 40_000_000
        talk.stop()

    async def test_a_handler_may_pause_and_abort_within_its_callbacks(self) -> None:
        talk = Conversation(self)
        talk.server_heard.acts["received"] = lambda data: talk.server.pause()
        await talk.made()
        talk.client.write(b"first")
        await self.until(lambda: talk.server_heard.data)
        talk.client.write(b"second")
        await self.some_time(0.05)
        assert talk.server_heard.data == b"first"
        talk.server_heard.acts["received"] = lambda data: talk.server.abort()
        talk.server.resume()
        await self.until(lambda: talk.client_heard.end)
        assert talk.server_heard.log == ["received"]
        talk.stop()

    async def test_listening_again_where_connections_were_just_closed(self) -> None:
        """The side that closes first keeps the connection in TIME_WAIT."""
        accepted: list[Stream] = []
        ours, theirs = Recorder(), Recorder()

        def take(stream: Stream) -> Recorder:
            accepted.append(stream)
            return ours

        listener = self.network.listen(Family.V4, take, address="127.0.0.1")
        stream = self.network.connect(listener.local, theirs)
        await self.until(lambda: theirs.log == ["connected"] and accepted)
        with self.raises(errno.EADDRINUSE):
            self.network.listen(Family.V4, take, address="127.0.0.1", port=listener.local.port)
        listener.close()
        accepted[0].close()
        await self.until(lambda: "ended" in theirs.log)
        stream.close()
        await self.until(lambda: theirs.end is not None and ours.end is not None)
        self.network.listen(Family.V4, take, address="127.0.0.1", port=listener.local.port).close()

    async def test_connecting_from_a_port_that_also_listens(self) -> None:
        accepted: list[Stream] = []
        heard = Recorder()

        def take(stream: Stream) -> Recorder:
            accepted.append(stream)
            return Recorder()

        target = self.network.listen(Family.V4, take, address="127.0.0.1")
        own = self.network.listen(Family.V4, take, reuse=True)
        stream = self.network.connect(target.local, heard, port=own.local.port, reuse=True)
        assert stream.local.port == own.local.port
        await self.until(lambda: heard.log == ["connected"] and accepted)
        assert accepted[0].remote.port == own.local.port
        with self.raises(errno.EADDRINUSE):
            self.network.connect(target.local, heard, port=target.local.port)
        for one in (stream, *accepted):
            one.abort()
        target.close()
        own.close()

    # Clock, names, threads

    async def test_timers(self) -> None:
        called: list[str] = []
        start, wall = self.network.now(), self.network.wall()
        self.network.call_later(0.06, lambda: called.append("later"))
        self.network.call_later(0.01, lambda: called.append("soon"))
        self.network.call_later(0.02, lambda: called.append("never")).cancel()
        timer = self.network.call_later(0, lambda: called.append("now"))
        assert called == []
        await self.until(lambda: len(called) == 3)
        assert called == ["now", "soon", "later"]
        timer.cancel()
        assert 0.059 <= self.network.now() - start < 5
        assert 0.05 <= self.network.wall() - wall < 5

    async def test_literals_resolve_to_themselves(self) -> None:
        found: list[object] = []
        self.network.resolve("192.0.2.1", found.append)
        self.network.resolve("2001:db8::1", found.append)
        assert found == []
        await self.until(lambda: len(found) == 2)
        assert found == [("192.0.2.1",), ("2001:db8::1",)]

    async def test_names_that_cannot_be(self) -> None:
        found: list[object] = []
        for name in ("", "a" * 300, "..", "nobody.invalid"):
            self.network.resolve(name, found.append)
        await self.until(lambda: len(found) == 4)
        assert all(isinstance(one, OSError) for one in found), found

    async def test_what_blocks_is_done_elsewhere(self) -> None:
        done: list[object] = []
        self.network.in_thread(lambda: 6 * 7, done.append)
        await self.until(lambda: done)
        self.network.in_thread(lambda: 1 // 0, done.append)
        assert done == [42]
        await self.until(lambda: len(done) == 2)
        assert isinstance(done[1], ZeroDivisionError)

    async def test_own_addresses(self) -> None:
        assert self.network.source_for(Endpoint("127.0.0.1", 9)) == "127.0.0.1"
        assert self.network.source_for(Endpoint("::1", 9)) == "::1"
        for one in self.network.interfaces():
            assert not one.startswith(("127.", "fe80:")), one
            assert one != "::1"
            socket = self.network.open_datagram(
                Family.V6 if ":" in one else Family.V4, lambda data, source: None, address=one
            )
            socket.close()

    async def test_random_bytes(self) -> None:
        assert len(self.network.random_bytes(32)) == 32
        assert self.network.random_bytes(32) != self.network.random_bytes(32)

    @staticmethod
    def raises(code: int) -> Raises:
        return Raises(code)


class Raises:
    """A block that must raise that OSError."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        assert isinstance(error, OSError), f"raised {error!r}"
        assert error.errno == self.code
        return True
