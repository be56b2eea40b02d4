"""Addresses nobody is sent to, however they are written."""

from __future__ import annotations

import pytest

from wlnet.rendezvous.claims import absurdity, is_credible
from wlnet.steering.model import Candidate, CandidateKind, Transport

OWN = ["203.0.113.1", "2001:db8:1::1"]


def _candidate(
    address: str, port: int = 4000, base_port: int = 4000, kind: CandidateKind = CandidateKind.HOST
) -> Candidate:
    return Candidate(kind=kind, transport=Transport.UDP, address=address, port=port, base_port=base_port)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1.2.3",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2001:0:1234:5678:0:ffff:80ff:fffe",  # Teredo of 127.0.0.1
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::ffff:0.0.0.0",
        "224.0.0.1",
        "239.255.255.250",
        "::ffff:224.0.0.1",
        "ff02::1",
        "ff02::1%eth0",
        "255.255.255.255",
        "240.0.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "fe80::1%1",
        "203.0.113.1",
        "::ffff:203.0.113.1",
        "2001:db8:1::1",
        "2001:db8:1:0:0:0:0:1%eth0",
        "2001:0db8:0001::0001",
        "",
        "%eth0",
        "example.org",
        "1.2.3",
        "010.0.0.1",
        "1.2.3.4:80",
        "[2001:db8::1]",
        "\uff11.2.3.4",
    ],
)
def test_nobody_is_sent_there(address: str) -> None:
    assert absurdity(_candidate(address), [], OWN) is not None


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "192.168.1.5", "fd00::5", "100.64.0.9", "198.51.100.9", "2a00::1", "2002:808:808::1"],
)
def test_these_may_be_a_players(address: str) -> None:
    assert absurdity(_candidate(address), [], OWN) is None


def test_where_we_saw_him_he_is() -> None:
    assert absurdity(_candidate("127.0.0.1"), ["127.0.0.1"], ["127.0.0.1"]) is None
    assert absurdity(_candidate("::ffff:10.0.0.1"), ["10.0.0.1"], []) is None


@pytest.mark.parametrize(("port", "base_port"), [(53, 4000), (1023, 0), (4000, 53), (4000, 1)])
def test_ports_of_other_services(port: int, base_port: int) -> None:
    assert absurdity(_candidate("198.51.100.9", port, base_port), [], OWN) is not None


def test_the_port_of_the_web_is_all_that_leaves_some_networks() -> None:
    assert absurdity(_candidate("198.51.100.9", 443, 443), [], OWN) is None


def test_outer_endpoints_are_public() -> None:
    inner = _candidate("192.168.1.1", kind=CandidateKind.SERVER_REFLEXIVE)
    assert absurdity(inner, [], OWN) is not None
    assert absurdity(inner, ["192.168.1.1"], OWN) is None  # this server is in his network
    outer = _candidate("198.51.100.9", kind=CandidateKind.SERVER_REFLEXIVE)
    assert absurdity(outer, [], OWN) is None


@pytest.mark.parametrize(
    ("address", "lobby", "credible"),
    [
        ("198.51.100.9", "198.51.100.7", True),
        ("2001:db8:9::9", "198.51.100.7", True),
        ("10.0.0.5", "198.51.100.7", False),
        ("127.0.0.1", "198.51.100.7", False),
        ("::ffff:127.0.0.1", "198.51.100.7", False),
        ("203.0.113.1", "198.51.100.7", False),
        ("fe80::1%2", "198.51.100.7", False),
        ("224.0.0.1", "10.0.0.7", False),
        ("10.0.0.5", "10.0.0.7", True),
        ("fd00::5", "10.0.0.7", True),
        ("127.0.0.1", "10.0.0.7", False),
        ("203.0.113.1", "10.0.0.7", False),
        ("127.0.0.1", "::1", True),
        ("203.0.113.1", "127.0.0.1", True),
        ("10.0.0.5", "/run/lobby.sock", True),
    ],
)
def test_where_a_datagram_of_a_player_can_come_from(address: str, lobby: str, credible: bool) -> None:
    assert is_credible(address, lobby, OWN) is credible
