"""The ways of UPnP routers."""

from __future__ import annotations

import pytest

from tests.support.simnet import SimHost, SimNet
from tests.unit.client.mapping.routers import GATEWAYS, PLAYER, PUBLIC, ROUTER, UpnpServer, home
from tests.unit.client.mapping.test_codecs import BOMB
from wlnet.client.mapping.http import LARGEST_BODY
from wlnet.client.mapping.mapper import MAX_LEASES, PortMapper
from wlnet.client.mapping.protocol import Gateway
from wlnet.client.mapping.router_upnp import MAX_WAITING, UpnpRouter
from wlnet.client.mapping.searching import MAX_LOCATIONS
from wlnet.client.mapping.words import (
    Failure,
    Found,
    Granted,
    MappedPort,
    MappingProtocol,
    NotMapped,
    Wish,
)
from wlnet.client.net.network import Stream, StreamEnd
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Transport

Told = list[MappedPort | NotMapped]


def run(
    net: SimNet, player: SimHost, *, exact: bool = False, limit: float = 3.0
) -> tuple[PortMapper, MappedPort | NotMapped]:
    mapper = PortMapper(player, protocols=(MappingProtocol.UPNP,), gateways=lambda: GATEWAYS)
    told: Told = []
    mapper.lease(Transport.TCP, Family.V4, 4000, told.append, exact=exact)
    net.run_until(lambda: told, limit=limit)
    return mapper, told[-1]


def text(result: MappedPort | NotMapped) -> str:
    assert isinstance(result, NotMapped), result
    return result.text


def external(result: MappedPort | NotMapped) -> Endpoint:
    assert isinstance(result, MappedPort), result
    return result.external


def test_version_2_chooses_the_port() -> None:
    net, player, router = home()
    server = UpnpServer(router, "WANIPConnection:2")
    _, result = run(net, player)
    assert external(result) == Endpoint(PUBLIC, 4001)
    assert server.held == {("TCP", 4001): (PLAYER, 4000, 600)}


def test_version_2_without_the_new_call() -> None:
    net, player, router = home()
    server = UpnpServer(router, "WANIPConnection:2")
    server.always["AddAnyPortMapping"] = 401
    _, result = run(net, player)
    assert external(result) == Endpoint(PUBLIC, 4000)


def test_only_permanent_leases() -> None:
    """Error 725: taken for ever, asked for again now and then, removed at the end."""
    net, player, router = home()
    server = UpnpServer(router)
    server.errors["AddPortMapping"] = [725]
    mapper, result = run(net, player)
    assert isinstance(result, MappedPort)
    assert result.lifetime == 0
    assert server.held == {("TCP", 4000): (PLAYER, 4000, 0)}
    calls = len(server.calls)
    net.advance(301)
    assert len(server.calls) > calls
    mapper.close()
    net.advance(1)
    assert not server.held


def test_a_port_somebody_else_has() -> None:
    net, player, router = home()
    server = UpnpServer(router)
    server.errors["AddPortMapping"] = [718, 718]
    _, result = run(net, player)
    assert external(result).port >= 49152
    assert len(server.held) == 1


def test_all_ports_taken_ends() -> None:
    net, player, router = home()
    server = UpnpServer(router)
    server.always["AddPortMapping"] = 718
    _, result = run(net, player)
    assert text(result) == "The router cannot give that port by UPnP: somebody else has it."
    assert server.calls.count("AddPortMapping") <= 6


def test_exactly_this_port_or_none() -> None:
    net, player, router = home()
    server = UpnpServer(router)
    server.errors["AddPortMapping"] = [718]
    _, result = run(net, player, exact=True)
    assert "somebody else" in text(result)
    assert server.calls.count("AddPortMapping") == 1


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("AddPortMapping", 606, "it is not allowed there"),
        ("AddPortMapping", 501, "error 501: no"),
        ("GetExternalIPAddress", 501, 'no outer address ("no")'),
    ],
)
def test_refusals_are_sentences(call: str, code: int, words: str) -> None:
    net, player, router = home()
    UpnpServer(router).always[call] = code
    _, result = run(net, player)
    assert words in text(result)
    assert text(result).endswith(".")


@pytest.mark.parametrize("address", ["", "0.0.0.0", "nonsense", "::"])
def test_not_connected(address: str) -> None:
    net, player, router = home()
    UpnpServer(router).address = address
    _, result = run(net, player)
    assert "has no outer address" in text(result)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (b"", "no XML"),
        (BOMB, "a document type"),
        (b"<root/>", "no WAN connection"),
        (b"x" * (LARGEST_BODY + 1), "too long"),
    ],
)
def test_descriptions_that_are_none(description: bytes, words: str) -> None:
    net, player, router = home()
    UpnpServer(router).description = description
    _, result = run(net, player)
    assert words in text(result)
    assert player.open == 0


@pytest.mark.parametrize(
    "elsewhere", ["http://192.168.1.66:5000/x", "http://127.0.0.1:22/", "http://evil.example/"]
)
def test_adverts_and_controls_that_lead_elsewhere(elsewhere: str) -> None:
    for what in ("location", "control"):
        net, player, router = home()
        other = net.host("other", ["192.168.1.66"], nat=player.nat)
        connected: list[Stream] = []
        other.listen(Family.V4, connected.append, port=5000)
        server = UpnpServer(router)
        setattr(server, what, elsewhere)
        _, result = run(net, player)
        assert isinstance(result, NotMapped)
        assert not connected
        assert not server.calls


def test_an_answer_of_a_stranger_is_ignored() -> None:
    """A computer in the LAN says it is the gateway and names the gateway's own address."""
    net, player, router = home()
    stranger = net.host("stranger", ["192.168.1.66"], nat=player.nat)
    liar = stranger.open_datagram(Family.V4, lambda data, source: None, port=1900)

    def tap(sender: str, source: Endpoint, destination: Endpoint, data: bytes) -> None:
        if sender == "player" and destination.port == 1900:
            answer = f"HTTP/1.1 200 OK\r\nST: rootdevice\r\nLOCATION: http://{ROUTER}:5000/x\r\n\r\n"
            liar.send(answer.encode(), source)

    net.taps.append(tap)
    connected: list[Stream] = []
    router.listen(Family.V4, connected.append, port=5000)
    _, result = run(net, player)
    assert "does not answer UPnP" in text(result)
    assert not connected


class Odd:
    """A web server that says *data* and then does nothing, or ends."""

    def __init__(self, router: SimHost, data: bytes, ends: bool) -> None:
        self.data = data
        self.ends = ends
        server = UpnpServer(router)
        server.listener.close()
        router.listen(Family.V4, self.accepted, port=5000)

    def accepted(self, stream: Stream) -> Odd:
        stream.write(self.data) if self.data else None
        if self.ends:
            stream.close()
        return self

    def connected(self, local: Endpoint) -> None: ...

    def received(self, data: bytes) -> None: ...

    def ended(self) -> None: ...

    def drained(self) -> None: ...

    def closed(self, end: StreamEnd) -> None: ...


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 1000,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_odd_web_servers_end_in_time(data: bytes, ends: bool) -> None:
    net, player, router = home()
    Odd(router, data, ends)
    _, result = run(net, player, limit=3)
    assert "UPnP" in text(result)
    net.advance(5)
    assert player.open == 0


def test_an_answer_without_a_length() -> None:
    """HTTP/1.0: it ends with the connection."""
    net, player, router = home()
    body = b"<root><device/></root>"
    Odd(router, b"HTTP/1.0 200 OK\r\n\r\n" + body, True)
    _, result = run(net, player)
    assert "no WAN connection" in text(result)


def test_nobody_listens_there() -> None:
    net, player, router = home()
    server = UpnpServer(router)
    server.listener.close()
    _, result = run(net, player)
    assert "cannot be understood" in text(result) or "does not answer" in text(result)


def test_many_ports_are_asked_for_one_after_the_other() -> None:
    net, player, router = home()
    server = UpnpServer(router)
    open_at_once: set[int] = set()

    def all_told() -> bool:
        open_at_once.add(len(player.streams))
        return len(told) == MAX_LEASES

    mapper = PortMapper(player, protocols=(MappingProtocol.UPNP,), gateways=lambda: GATEWAYS)
    told: Told = []
    for port in range(MAX_LEASES):
        mapper.lease(Transport.TCP, Family.V4, 4000 + port, told.append)
    net.run_until(all_told, limit=30)
    assert len(server.held) == MAX_LEASES
    assert open_at_once == {0, 1}


def test_calls_that_wait_are_limited() -> None:
    net, player, router = home()
    UpnpServer(router)
    upnp = UpnpRouter(player, Gateway(ROUTER, PLAYER))
    found: list[Found | Failure] = []
    upnp.find(found.append)
    net.run_until(lambda: found)
    results: list[Granted | Failure] = []
    for port in range(MAX_WAITING + 20):
        wish = Wish(
            transport=Transport.UDP, port=4000 + port, external=4000 + port, exact=False, lifetime=60,
            nonce=bytes(12),
        )  # fmt: skip
        upnp.map(wish, results.append)
    assert results == []
    net.run_until(lambda: len(results) == MAX_WAITING + 20, limit=60)
    refused = [one for one in results if isinstance(one, Failure)]
    assert len(refused) >= 19
    assert {one.text for one in refused} == {"The router's UPnP does not answer: too many calls wait."}


def test_descriptions_read_are_limited() -> None:
    """A gateway that names ever new places."""
    net, player, router = home()
    server = UpnpServer(router)
    gets: list[str] = []
    plain = server.answer

    def answer(head: str, body: str) -> bytes:
        gets.append(head.split()[1])
        return plain(head, body)

    server.answer = answer  # type: ignore[method-assign]
    server.description = b"<root/>"
    numbers = iter(range(1000))
    searched = server.searched

    def more(data: bytes, source: Endpoint) -> None:
        for _ in range(20):
            server.location = f"http://{ROUTER}:5000/{next(numbers)}.xml"
            searched(data, source)

    server.socket.received = more
    _, result = run(net, player)
    assert isinstance(result, NotMapped)
    assert len(gets) == MAX_LOCATIONS
