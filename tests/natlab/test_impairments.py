"""What can happen to a line or a router."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from tests.natlab import probe
from tests.natlab.lab import Lab
from tests.natlab.namespace import LabError
from tests.natlab.reach import reaches

pytestmark = pytest.mark.natlab


def round_trip(lab: Lab, source: socket.socket) -> float:
    with probe.bound(lab.server, (lab.server.ipv4, 0)) as echo:
        for one in (source, echo):
            one.settimeout(2)
        start = time.monotonic()
        source.sendto(b"there", echo.getsockname())
        _, sender = echo.recvfrom(100)
        echo.sendto(b"back", sender)
        source.recv(100)
        return time.monotonic() - start


def test_delay(lab: Lab) -> None:
    site = lab.site("port-restricted", delay=0.02)
    with probe.bound(site.host) as source:
        assert 0.04 <= min(round_trip(lab, source) for _ in range(5)) < 0.06
        site.link.set_delay(0.05)
        assert 0.1 <= min(round_trip(lab, source) for _ in range(5)) < 0.13
        site.link.set_delay(0)
        assert min(round_trip(lab, source) for _ in range(5)) < 0.02
    with pytest.raises(LabError, match="no delay"):
        lab.site("open").link.set_delay(0.1)


@pytest.mark.parametrize("delay", [None, 0.005])
def test_large_transfer(lab: Lab, delay: float | None) -> None:
    """More than any buffer on the way, by TCP, without damage."""
    site = lab.site("port-restricted", delay=delay)
    data = bytes(range(256)) * 8192
    with (
        probe.bound(lab.server, (lab.server.ipv4, 0), socket.SOCK_STREAM) as listener,
        probe.bound(site.host, kind=socket.SOCK_STREAM) as client,
    ):
        listener.listen()
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            received, sent = bytearray(), 0
            client.setblocking(False)
            accepted.settimeout(2)
            while len(received) < len(data):
                with contextlib.suppress(BlockingIOError):
                    sent += client.send(data[sent : sent + 65536])
                received += accepted.recv(65536)
    assert received == data


def test_loss(lab: Lab) -> None:
    site = lab.site("port-restricted")
    site.link.set_loss(0.1)
    with probe.bound(site.host) as source, probe.bound(lab.server, (lab.server.ipv4, 0)) as server:
        server.settimeout(0.05)
        arrived = 0
        for batch in range(8):  # more at once would be lost in the socket
            for number in range(50):
                source.sendto(bytes([batch, number]), server.getsockname())
            with contextlib.suppress(TimeoutError):
                while True:
                    server.recv(100)
                    arrived += 1
    # 360 are expected; the standard deviation is 6.
    assert 320 <= arrived <= 395
    site.link.set_loss(0)
    with probe.bound(site.host) as source:
        for _ in range(50):
            round_trip(lab, source)


def test_a_cut_line(lab: Lab) -> None:
    site = lab.site("open")
    endpoint = (site.public_ipv4, 5000)
    site.link.down()
    assert not reaches(lab.server, site.host, "udp", 5000, endpoint)
    site.link.up()
    assert reaches(lab.server, site.host, "udp", 5000, endpoint)


@pytest.mark.parametrize(
    ("kind", "stays"),
    [
        ("port-restricted", True),
        ("eim-remap", True),
        ("cgn", True),
        ("sym-random", False),
        ("sym-seq", False),
    ],
)
def test_reboot(lab: Lab, kind: str, stays: bool) -> None:
    """What keeps or computes ports gives the same again; nothing comes in before something went out."""
    site = lab.site(kind)
    with probe.udp_servers(lab.server) as servers, probe.bound(site.host) as source:
        before = probe.seen(source, servers[0])
        assert before is not None
        site.router.reboot()
        servers[0].sendto(b"late", before)
        with pytest.raises(TimeoutError):
            source.recv(100)
        assert (probe.seen(source, servers[0]) == before) is stays


@pytest.mark.parametrize("kind", ["port-restricted", "full-cone", "open", "upnp"])
def test_new_address(lab: Lab, kind: str) -> None:
    site = lab.site(kind)
    old = site.public_ipv4
    site.router.reboot(new_ip=True)
    assert site.public_ipv4 != old
    with probe.udp_servers(lab.server) as servers, probe.bound(site.host) as source:
        endpoint = probe.seen(source, servers[0])
        assert endpoint is not None
        assert endpoint[0] == site.public_ipv4
        servers[0].sendto(b"answer", endpoint)
        assert source.recv(100) == b"answer"
    site.router.reboot(new_ip=True)
    assert site.public_ipv4 == old


def test_new_address_of_a_carrier(lab: Lab) -> None:
    site = lab.site("cgn")
    assert site.carrier is not None
    old = site.public_ipv4
    site.carrier.router.reboot(new_ip=True)
    with probe.udp_servers(lab.server) as servers, probe.bound(site.host) as source:
        endpoint = probe.seen(source, servers[0])
    assert endpoint is not None
    assert old != endpoint[0] == site.public_ipv4


@pytest.mark.parametrize("kind", ["port-restricted", "full-cone", "eim-remap", "sym-seq", "sym-random"])
def test_new_mapping(lab: Lab, kind: str) -> None:
    """Same address, other ports, still the same kind of mapping."""
    site = lab.site(kind)
    with probe.udp_servers(lab.server) as servers, probe.bound(site.host) as source:
        before = probe.seen(source, servers[0])
        site.router.new_mapping()
        after = [probe.seen(source, server) for server in servers]
    assert before is not None
    assert before not in after
    assert {endpoint[0] for endpoint in after if endpoint} == {before[0]}
    assert (len(set(after)) == 1) is not kind.startswith("sym")


@pytest.mark.parametrize("kind", ["port-restricted", "full-cone"])
def test_short_udp_timeout(lab: Lab, kind: str) -> None:
    """A mapping is alive after half its time, and gone after it."""
    site = lab.site(kind, udp_timeout=1)
    with probe.udp_servers(lab.server) as servers, probe.bound(site.host) as source:
        endpoint = probe.seen(source, servers[0])
        assert endpoint is not None
        time.sleep(0.4)
        servers[0].sendto(b"early", endpoint)
        assert source.recv(100) == b"early"
        time.sleep(2.2)
        servers[0].sendto(b"late", endpoint)
        with pytest.raises(TimeoutError):
            source.recv(100)
        site.router.set_udp_timeout(60)
        assert probe.seen(source, servers[0]) == endpoint
        time.sleep(1.3)
        servers[0].sendto(b"in time", endpoint)
        assert source.recv(100) == b"in time"
