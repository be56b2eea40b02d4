from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent

from wlnet.agenda import Agenda
from wlnet.config.schema import Web
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.gate import ConnectionGate
from wlnet.metrics import Front, Limit, Metrics
from wlnet.web.pages import Answer, Asked, Page, Pages, answers_counter
from wlnet.web.server import MAX_BODY, MAX_HEADER_BYTES, MAX_HEADERS, MAX_LINE, WebChannel, WebFactory

STRANGER = "192.0.2.1"
GET = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"


class Visit:
    """A connection: what is sent to it and what it says."""

    def __init__(self, channel: WebChannel, address: str) -> None:
        self.channel = channel
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", address, 4711))
        channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        if not self.transport.disconnecting:
            self.channel.dataReceived(data)

    @property
    def said(self) -> bytes:
        return bytes(self.transport.value())

    @property
    def code(self) -> int:
        return int(self.said.split(b" ")[1])

    def cut_off(self) -> bool:
        return bool(self.transport.disconnected)

    def leave(self) -> None:
        self.channel.connectionLost()


class Scene:
    def __init__(self, **settings: float) -> None:
        self.clock = Clock()
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()
        self.asked: list[Asked] = []
        self.page: Callable[[Asked], Answer] = lambda _: Answer(200, b"hello", {"Connection": "close"})
        web = Web(**settings)  # type: ignore[arg-type]
        trusted = TrustedNetworks(["10.0.0.0/8"])
        self.gate = ConnectionGate(web.connections, web.connections_per_address, trusted)
        self.factory = WebFactory(
            Pages({"/page": (Page.STATUS, self._answer)}, answers_counter(self.metrics)),
            web, self.gate, trusted, self.agenda, self.metrics, lambda _: True,
        )  # fmt: skip

    def _answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.page(asked)

    def visit(self, address: str = STRANGER) -> Visit | None:
        channel = self.factory.buildProtocol(IPv4Address("TCP", address, 4711))
        return None if channel is None else Visit(channel, address)

    def come(self, address: str = STRANGER) -> Visit:
        visit = self.visit(address)
        assert visit is not None
        return visit

    def ask(self, request: bytes, address: str = STRANGER) -> Visit:
        visit = self.come(address)
        visit.send(request)
        return visit

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.agenda.run_due()

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.WEB, limit)


def test_a_request_is_answered_and_the_connection_closed() -> None:
    scene = Scene()
    visit = scene.ask(
        b"GET /page?query=1 HTTP/1.1\r\nHost: x\r\nAccept: a\r\nAccept: b\r\nIf-None-Match: c\r\n\r\n"
    )
    head, _, body = visit.said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"hello"
    assert b"Content-Length: 5" in head
    assert b"Connection: close" in head
    assert b"server:" not in head.lower()
    assert visit.transport.disconnecting
    assert scene.asked == [Asked("GET", "/page", "a,b", "c")]


def test_head_has_the_same_headers_and_no_body() -> None:
    head = Scene().ask(GET.replace(b"GET", b"HEAD")).said
    assert head == Scene().ask(GET).said.removesuffix(b"hello")


def test_http_1_0_is_spoken_too() -> None:
    assert Scene().ask(b"GET /page HTTP/1.0\r\n\r\n").said.endswith(b"hello")


def test_a_304_has_neither_body_nor_length() -> None:
    scene = Scene()
    scene.page = lambda _: Answer(304, b"", {"ETag": '"a"'})
    said = scene.ask(GET).said
    assert said.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert b"Content-Length" not in said
    assert b"Transfer-Encoding" not in said


def test_what_is_sent_behind_a_request_is_not_answered() -> None:
    scene = Scene()
    visit = scene.ask(GET * 1000)
    assert visit.said.count(b"HTTP/1.1 ") == 1
    assert len(scene.asked) == 1


def test_a_request_may_come_in_pieces() -> None:
    scene = Scene()
    visit = scene.come()
    for byte in GET:
        assert visit.said == b""
        visit.send(bytes([byte]))
    assert visit.code == 200


@pytest.mark.parametrize(
    "request_line",
    [b"GET /page HTTP/2.0", b"GET /page", b"GET  /page HTTP/1.1", b"\x16\x03\x01", b"G@T /page HTTP/1.1"],
)
def test_nonsense_is_a_bad_request(request_line: bytes) -> None:
    scene = Scene()
    visit = scene.ask(request_line + b"\r\n\r\n")
    assert visit.said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert visit.said.count(b"HTTP/1.1 ") == 1
    assert visit.transport.disconnecting
    assert scene.limited(Limit.MALFORMED) == 1
    assert scene.asked == []


@pytest.mark.parametrize("header", [b"no colon", b"a b: c", b"Content-Length: x", b"A: b\x00c"])
def test_a_broken_header_is_a_bad_request(header: bytes) -> None:
    scene = Scene()
    visit = scene.ask(b"GET /page HTTP/1.1\r\n" + header + b"\r\nHost: x\r\n\r\n")
    assert visit.code == 400
    assert scene.limited(Limit.MALFORMED) == 1
    assert scene.asked == []


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"GET /" + b"a" * MAX_LINE, 431),
        (b"GET /" + b"a" * MAX_LINE + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /page HTTP/1.1\r\nA: " + b"a" * MAX_LINE, 431),
        (b"GET /page HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_HEADERS + 2) + b"\r\n", 431),
        (b"GET /page HTTP/1.1\r\n" + (b"A: " + b"a" * 1000 + b"\r\n") * (MAX_HEADER_BYTES // 1000 + 1), 431),
        (b"GET /page HTTP/1.1\r\nA: a\r\n" + (b" " + b"a" * 1000 + b"\r\n") * 9, 431),
        (b"POST /page HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
        (b"POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
    ],
)
def test_too_much_is_refused_before_it_is_read(request_bytes: bytes, code: int) -> None:
    scene = Scene()
    visit = scene.ask(request_bytes)
    assert visit.code == code
    assert visit.said.count(b"HTTP/1.1 ") == 1
    assert visit.transport.disconnecting
    assert scene.limited(Limit.PACKET_SIZE) == 1
    assert scene.asked == []


def test_just_not_too_much_is_answered() -> None:
    scene = Scene()
    line = b"GET /page?" + b"a" * (MAX_LINE - len(b"GET /page? HTTP/1.1")) + b" HTTP/1.1\r\n"
    assert scene.ask(line + b"\r\n").code == 200
    assert scene.ask(b"GET /page HTTP/1.1\r\n" + b"A: b\r\n" * MAX_HEADERS + b"\r\n").code == 200
    body = b"x" * MAX_BODY
    visit = scene.ask(b"POST /page HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % MAX_BODY + body[:-1])
    assert visit.said == b""
    visit.send(b"x")
    assert visit.code == 405


def test_a_request_that_trickles_is_refused_at_the_deadline() -> None:
    scene = Scene(timeout=10.0)
    visit = scene.come()
    for byte in GET[:9]:
        visit.send(bytes([byte]))
        scene.pass_time(1.0)
    assert visit.said == b""
    scene.pass_time(1.0)
    assert visit.code == 408
    assert visit.transport.disconnecting
    assert scene.limited(Limit.HANDSHAKE_TIME) == 1
    visit.leave()
    assert scene.agenda.next_deadline() is None


def test_an_answer_nobody_takes_is_cut_off() -> None:
    scene = Scene(timeout=10.0)
    visit = scene.ask(GET)
    scene.pass_time(9.9)
    assert not visit.cut_off()
    scene.pass_time(0.1)
    assert visit.cut_off()
    assert scene.limited(Limit.QUEUE) == 1
    visit.leave()
    assert len(scene.gate) == 0


def test_only_so_many_connections() -> None:
    scene = Scene(connections=3, connections_per_address=2)
    first, second = scene.come(), scene.come()
    assert scene.visit() is None
    assert scene.limited(Limit.CONNECTIONS_PER_ADDRESS) == 1
    third = scene.come("192.0.2.2")
    assert scene.visit("192.0.2.3") is None
    assert scene.limited(Limit.CONNECTIONS) == 1
    for visit in (first, second, third):
        visit.leave()
    assert len(scene.gate) == 0
    assert scene.ask(GET).code == 200


def test_only_so_many_requests_of_one_address() -> None:
    scene = Scene(request_rate=1.0, request_burst=3)

    def code(address: str = STRANGER) -> int:
        visit = scene.ask(GET, address)
        visit.leave()
        return visit.code

    assert [code() for _ in range(5)] == [200, 200, 200, 429, 429]
    assert scene.limited(Limit.REQUEST_RATE) == 2
    assert code("192.0.2.2") == 200
    assert [code("10.1.2.3") for _ in range(5)] == [200] * 5
    assert [code("127.0.0.1") for _ in range(5)] == [200] * 5
    scene.pass_time(1.0)
    assert code() == 200


def test_a_page_that_fails_is_a_500_without_details(logged_failures: list[LogEvent]) -> None:
    scene = Scene()

    def fail(_: Asked) -> Answer:
        raise RuntimeError("the secret reason")

    scene.page = fail
    visit = scene.ask(GET)
    assert visit.said.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"secret" not in visit.said
    assert visit.transport.disconnecting
    assert "the secret reason" in logged_failures.pop()["log_failure"].getErrorMessage()


@given(
    st.lists(
        st.sampled_from(
            [b"GET ", b"POST ", b"/page", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n", b"\x00", b": ", b" ",
             b"Content-Length", b"Transfer-Encoding", b"chunked", b"3", b"-1", b"Expect: 100-continue"]
        )
        | st.binary(max_size=40),
        max_size=40,
    )
)  # fmt: skip
def test_whatever_is_sent_is_answered_once_at_most(pieces: list[bytes]) -> None:
    scene = Scene()
    visit = scene.come()
    for piece in pieces:
        visit.send(piece)
    finals = [
        line for line in visit.said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ") and b" 100 " not in line
    ]
    assert len(finals) == int(bool(visit.transport.disconnecting))
    scene.pass_time(10.0)
    assert visit.transport.disconnecting
    visit.leave()
    assert len(scene.gate) == 0
    assert scene.agenda.next_deadline() is None
