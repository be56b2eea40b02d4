"""What only real sockets can show, on any event loop."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.network_contract import Conversation, NetworkContract, Recorder
from tests.support.tls_server import TlsServer, echo
from wlnet.client.net.network import StreamEnd, TlsOptions
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

IP_RECVTTL = 12
"""Of Linux; the socket module does not have it."""


class RealSockets(NetworkContract):
    """Mixed into a test case."""

    def mistakes(self) -> list[str]:
        """What callbacks raised and was logged since the last call."""
        raise NotImplementedError

    def folder(self) -> Path:
        """An empty one, deleted after the test."""
        raise NotImplementedError

    # Datagrams

    async def test_the_hop_limit_is_in_the_packet_and_in_no_other(self) -> None:
        for family, address, level, ask, kind in (
            (Family.V4, "127.0.0.1", socket.IPPROTO_IP, IP_RECVTTL, socket.IP_TTL),
            (Family.V6, "::1", socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, socket.IPV6_HOPLIMIT),
        ):
            with socket.socket(
                socket.AF_INET6 if family is Family.V6 else socket.AF_INET, socket.SOCK_DGRAM
            ) as there:
                there.bind((address, 0))
                there.settimeout(5)
                there.setsockopt(level, ask, 1)
                one = self.network.open_datagram(family, lambda data, source: None)
                place = Endpoint(address, there.getsockname()[1])
                assert one.send(b"a", place)
                assert one.send(b"b", place, hops=5)
                assert one.send(b"c", place)
                hops = []
                for _ in range(3):
                    _, ancillary, _, _ = there.recvmsg(10, 100)
                    hops += [int.from_bytes(data, "little") for _, what, data in ancillary if what == kind]
                assert hops == [64, 5, 64]
                assert not one.send(b"d", place, hops=1000)
                one.close()

    async def test_names_are_never_looked_up_by_a_socket(self) -> None:
        one = self.network.open_datagram(Family.V4, lambda data, source: None)
        assert not one.send(b"x", Endpoint("localhost", 9))
        assert not one.send(b"x", Endpoint("127.0.0.1", 70000))
        assert not one.send(b"x", Endpoint("\0", 9))
        one.close()
        for host in ("localhost", "fe80::1%nowhere", "1.2.3"):
            with self.raises_any():
                self.network.connect(Endpoint(host, 9), Recorder())

    async def test_a_receiver_that_raises_is_logged_and_goes_on(self) -> None:
        got = []

        def received(data: bytes, source: Endpoint) -> None:
            got.append(data)
            raise ValueError("mistake")

        one = self.network.open_datagram(Family.V4, received, address="127.0.0.1")
        one.send(b"1", one.local)
        one.send(b"2", one.local)
        await self.until(lambda: got == [b"1", b"2"])
        one.close()
        assert self.mistakes() == ["mistake", "mistake"]

    async def test_a_flood_leaves_others_their_turn(self) -> None:
        got = 0
        ticks: list[int] = []

        def received(data: bytes, source: Endpoint) -> None:
            nonlocal got
            got += 1
            one.send(data, one.local)  # it never ends

        one = self.network.open_datagram(Family.V4, received, address="127.0.0.1")
        for _ in range(60):
            one.send(b"x", one.local)
        self.network.call_later(0.05, lambda: ticks.append(got))
        self.network.call_later(0.1, lambda: ticks.append(got))
        await self.until(lambda: len(ticks) == 2)
        assert ticks[1] > ticks[0] > 0
        one.close()

    # Streams

    async def test_a_handler_that_raises_loses_its_stream_only(self) -> None:
        def mistake(*_arguments: object) -> None:
            raise ValueError("mistake")

        bystander = Conversation(self)
        await bystander.made()
        for what in ("received", "ended"):
            talk = Conversation(self, server=Recorder(**{what: mistake}))
            await talk.made()
            talk.client.write(b"x")
            talk.client.end()
            await self.until(lambda talk=talk: talk.client_heard.end)  # type: ignore[misc]
            assert talk.server_heard.log[-2:] == [what, "closed"]
            assert self.mistakes() == ["mistake"]
            talk.stop()
        bystander.client.write(b"still here")
        await self.until(lambda: bystander.server_heard.data == b"still here")
        bystander.stop()

    async def test_who_does_not_know_what_to_do_with_a_stream(self) -> None:
        def mistake(stream: object) -> None:
            raise ValueError("mistake")

        listener = self.network.listen(Family.V4, mistake, address="127.0.0.1")
        for _ in range(2):
            heard = Recorder()
            self.network.connect(listener.local, heard)
            await self.until(lambda heard=heard: heard.end)  # type: ignore[misc]
        listener.close()
        assert self.mistakes() == ["mistake", "mistake"]

    async def test_a_timer_that_raises_is_logged(self) -> None:
        def mistake() -> None:
            raise ValueError("mistake")

        called: list[int] = []
        self.network.call_later(0, mistake)
        self.network.call_later(0.01, lambda: called.append(1))
        await self.until(lambda: called)
        assert self.mistakes() == ["mistake"]

    async def test_one_read_is_bounded(self) -> None:
        sizes: list[int] = []
        talk = Conversation(self, server=Recorder(received=lambda data: sizes.append(len(data))))
        await talk.made()
        talk.client.write(b"x" * 1_000_000)
        await self.until(lambda: sum(sizes) == 1_000_000)
        assert max(sizes) <= 65536
        talk.stop()

    async def test_small_writes_of_one_turn_leave_together(self) -> None:
        reads: list[bytes] = []
        talk = Conversation(self, server=Recorder(received=reads.append))
        await talk.made()
        for _ in range(100):
            talk.client.write(b"ten bytes.")
        await self.until(lambda: sum(map(len, reads)) == 1000)
        assert len(reads) == 1
        talk.stop()

    async def test_who_does_not_read_cannot_keep_a_closed_stream_for_ever(self) -> None:
        talk = Conversation(self)
        await talk.made()
        talk.server.pause()
        talk.client.write(b"x" * 40_000_000)
        talk.client.close()
        await self.until(lambda: talk.client_heard.end)
        assert talk.client_heard.end == StreamEnd(text="not everything was taken")
        talk.stop()

    async def test_no_route(self) -> None:
        heard = Recorder()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            code = probe.connect_ex(("255.255.255.255", 9))
        assert code == errno.EACCES, "connecting to everybody is never allowed"
        self.network.connect(Endpoint("255.255.255.255", 9), heard)
        assert heard.log == []
        await self.until(lambda: heard.end)
        assert heard.end is not None
        assert not heard.end.reset
        assert heard.end.text
        one = self.network.open_datagram(Family.V4, lambda data, source: None)
        assert not one.send(b"x", Endpoint("255.255.255.255", 9))
        one.close()

    # TLS

    def authority(self) -> Authority:
        return Authority(self.folder())

    async def test_tls_both_ways_and_goodbye(self) -> None:
        authority = self.authority()
        server = TlsServer(authority.certificate("lobby.test"), echo)
        heard = Recorder()
        stream = self.network.connect(server.place, heard, tls=TlsOptions("lobby.test", str(authority.file)))
        sent = b"0123456789" * 100_000
        stream.write(sent)
        stream.end()
        await self.until(lambda: heard.end)
        assert heard.data == sent
        assert heard.end == StreamEnd()
        assert heard.log[0] == "connected"
        server.wait()
        assert server.error is None

    async def test_tls_to_an_address(self) -> None:
        authority = self.authority()
        for host in ("127.0.0.1", "::1"):
            server = TlsServer(authority.certificate(host), echo, host)
            heard = Recorder()
            stream = self.network.connect(server.place, heard, tls=TlsOptions(host, str(authority.file)))
            await self.until(lambda heard=heard: heard.log)  # type: ignore[misc]
            assert heard.log == ["connected"]
            stream.write(b"hello")
            await self.until(lambda heard=heard: heard.data == b"hello")  # type: ignore[misc]
            stream.close()
            await self.until(lambda heard=heard: heard.end)  # type: ignore[misc]
            assert heard.end == StreamEnd()
            server.wait()

    async def test_tls_trusts_neither_strangers_nor_other_names_nor_old_certificates(self) -> None:
        authority, stranger = self.authority(), self.authority()
        for certificate, word in (
            (authority.certificate("other.test"), "match"),
            (stranger.certificate("lobby.test"), "issuer"),
            (authority.certificate("lobby.test", expired=True), "expired"),
        ):
            server = TlsServer(certificate, echo)
            heard = Recorder()
            stream = self.network.connect(
                server.place, heard, tls=TlsOptions("lobby.test", str(authority.file))
            )
            stream.write(b"a secret")
            await self.until(lambda heard=heard: heard.end)  # type: ignore[misc]
            assert heard.log == ["closed"]
            assert heard.end is not None
            assert heard.end.untrusted
            assert word in heard.end.text, heard.end.text
            server.wait()
            assert isinstance(server.error, ssl.SSLError), "it learned why"
        server = TlsServer(authority.certificate("lobby.test"), echo)
        heard = Recorder()
        self.network.connect(server.place, heard, tls=TlsOptions("lobby.test"))
        await self.until(lambda: heard.end)
        assert heard.end is not None
        assert heard.end.untrusted, "the system does not know this authority"
        server.wait()

    async def test_tls_cut_off_is_no_proper_end(self) -> None:
        authority = self.authority()

        def cut(one: ssl.SSLSocket) -> None:
            one.sendall(b"half of")
            one.shutdown(socket.SHUT_RDWR)

        server = TlsServer(authority.certificate("lobby.test"), cut)
        heard = Recorder()
        self.network.connect(server.place, heard, tls=TlsOptions("lobby.test", str(authority.file)))
        await self.until(lambda: heard.end)
        assert heard.data == b"half of"
        assert "ended" not in heard.log
        assert heard.end is not None
        assert heard.end.text
        server.wait()

    async def test_tls_with_somebody_who_does_not_speak_it(self) -> None:
        listened: list[object] = []

        def accepted(stream: object) -> Recorder:
            listened.append(stream)
            stream.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)  # type: ignore[attr-defined]
            return Recorder()

        listener = self.network.listen(Family.V4, accepted, address="127.0.0.1")
        heard = Recorder()
        self.network.connect(listener.local, heard, tls=TlsOptions("localhost"))
        await self.until(lambda: heard.end)
        assert heard.log == ["closed"]
        assert heard.end is not None
        assert heard.end.text.startswith("TLS")
        assert not heard.end.untrusted
        listener.close()
        await self.some_time(0.05)
        for one in listened:
            one.abort()  # type: ignore[attr-defined]

    async def test_a_file_of_authorities_that_is_not_there(self) -> None:
        with self.raises(errno.ENOENT):
            self.network.connect(
                Endpoint("127.0.0.1", 9), Recorder(), tls=TlsOptions("localhost", "/nowhere.pem")
            )

    # Names

    async def test_localhost(self) -> None:
        found: list[object] = []
        self.network.resolve("localhost", found.append)
        await self.until(lambda: found)
        assert isinstance(found[0], tuple)
        assert "127.0.0.1" in found[0]

    @staticmethod
    def raises_any() -> RaisesAny:
        return RaisesAny()


class RaisesAny:
    """A block that must raise an OSError."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        assert isinstance(error, OSError), f"raised {error!r}"
        return True
