"""The real server asked over loopback, by sockets of our own and by programs of strangers."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.server_process import ServerProcess
from tests.support.stun import TRANSACTION, change
from tests.support.stun import request as binding
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.wire import Attribute, Change, Endpoint, Message

DEADLINE = 5.0


def udp(host: str) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((host, 0))
    one.settimeout(DEADLINE)
    return one


def ask(one: socket.socket, data: bytes, host: str, port: int) -> tuple[Message, Endpoint]:
    """The answer and where it came from."""
    one.sendto(data, (host, port))
    answer, source = one.recvfrom(4096)
    return wire.decode(answer), Endpoint(*source[:2])


def read_messages(connection: socket.socket, number: int) -> list[Message]:
    data = b""
    messages: list[Message] = []
    while len(messages) < number:
        more = connection.recv(4096)
        assert more, "closed"
        data += more
        while len(data) >= 20 and len(data) >= (length := wire.message_length(data)):
            messages.append(wire.decode(data[:length]))
            data = data[length:]
    return messages


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["stun", "stun2"])
def test_both_families_and_ports_over_udp(two_addresses: ServerProcess, host: str, name: str) -> None:
    port = two_addresses.port(name)
    with closing(udp(host)) as one:
        answer, source = ask(one, binding(), host, port)
        assert answer.mapped() == Endpoint(*one.getsockname()[:2])
        assert answer.transaction == TRANSACTION
        assert source == Endpoint(host, port) == answer.address(Attribute.RESPONSE_ORIGIN)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["stun", "stun2"])
def test_both_families_and_ports_over_tcp(two_addresses: ServerProcess, host: str, name: str) -> None:
    port = two_addresses.port(name)
    with socket.create_connection((host, port), DEADLINE) as one:
        for piece in (binding()[:5], binding()[5:] + binding()[:7], binding()[7:]):
            one.sendall(piece)
            time.sleep(0.01)
        for answer in read_messages(one, 2):
            assert answer.mapped() == Endpoint(*one.getsockname()[:2])
            assert answer.address(Attribute.RESPONSE_ORIGIN) == Endpoint(host, port)


@pytest.mark.parametrize("flags", [Change.PORT, Change.ADDRESS, Change.PORT | Change.ADDRESS])
@pytest.mark.parametrize("fixture", ["two_addresses", "everywhere"])
def test_answers_from_elsewhere(flags: Change, fixture: str, request: pytest.FixtureRequest) -> None:
    server: ServerProcess = request.getfixturevalue(fixture)
    ports = {False: server.port("stun"), True: server.port("stun2")}
    hosts = {False: "127.0.0.1", True: "127.0.0.2"}
    with closing(udp("127.0.0.1")) as one:
        answer, source = ask(one, binding(change(flags)), hosts[False], ports[False])
        expected = Endpoint(hosts[bool(flags & Change.ADDRESS)], ports[bool(flags & Change.PORT)])
        assert source == expected == answer.address(Attribute.RESPONSE_ORIGIN)


def test_an_answer_comes_from_the_address_that_was_asked(everywhere: ServerProcess) -> None:
    for host in ("127.0.0.1", "127.0.0.3", "127.9.8.7"):
        with closing(udp("127.0.0.1")) as one:
            _, source = ask(one, binding(), host, everywhere.port("stun"))
            assert source.host == host


def test_noise_is_survived(two_addresses: ServerProcess) -> None:
    port = two_addresses.port("stun")
    with closing(udp("127.0.0.1")) as one:
        for data in (b"", b"\0", b"\x21" * 50, b"\xff" * 60000, binding()[:19], binding() + b"\0" * 3000):
            one.sendto(data, ("127.0.0.1", port))
        assert ask(one, binding(), "127.0.0.1", port)[0].mapped() is not None


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n", b"\0" * 20, b"\xff", b"\0\1\xff\xfc\x21\x12\xa4\x42" + bytes(12)]
)
def test_what_is_no_stun_is_closed_over_tcp(two_addresses: ServerProcess, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", two_addresses.port("stun2")), DEADLINE) as one:
        one.sendall(said)
        assert one.recv(100) == b""


def test_thousands_of_requests_a_second(two_addresses: ServerProcess) -> None:
    """Far below what it does alone on a core (bench), so that a busy machine does not fail it."""
    port, data, answered = two_addresses.port("stun"), binding(), 0

    def used() -> float:
        fields = Path(f"/proc/{two_addresses.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    with closing(udp("127.0.0.1")) as one:
        one.connect(("127.0.0.1", port))
        before, deadline = used(), time.monotonic() + 30
        while answered < 40_000 and time.monotonic() < deadline:
            for _ in range(32):
                one.send(data)
            for _ in range(32):
                one.recv(2048)
                answered += 1
        assert answered / max(used() - before, 0.01) > 20_000, "requests for a second of one core"


# -- strangers -----------------------------------------------------------------------------------------


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_coturns_stun_client(two_addresses: ServerProcess, host: str) -> None:
    said = run("turnutils_stunclient", "-p", str(two_addresses.port("stun")), host)
    assert re.search(rf"UDP reflexive addr: {re.escape(host)}:\d+", said), said


@pytest.mark.usefixtures("strangers")
def test_coturns_behaviour_discovery(two_addresses: ServerProcess) -> None:
    said = run(
        "turnutils_natdiscovery",
        "-m",
        "-f",
        "-L",
        "127.0.0.1",
        "-p",
        str(two_addresses.port("stun")),
        "127.0.0.1",
    )
    assert "NAT with Endpoint Independent Mapping!" in said or "No NAT detected" in said, said
    assert "NAT with Endpoint Independent Filtering!" in said, said
