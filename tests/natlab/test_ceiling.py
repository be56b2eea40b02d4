"""Which pairs of kinds can be joined, and how: the table of pairs in README.md."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.natlab import punch_tcp, punch_udp
from tests.natlab.lab import Lab
from tests.natlab.pairs import Way, needed
from tests.natlab.punch import Tricks
from tests.natlab.reach import reaches
from tests.natlab.site import Site

pytestmark = pytest.mark.natlab

KINDS = (
    "open",
    "full-cone",
    "port-restricted",
    "restricted",
    "pr-collide",
    "sym-seq",
    "sym-random",
    "udp-blocked",
    "tcp443",
)
# Row by row from the diagonal on. "-": nothing but a relay; "B": nothing but a relay or the birthday trick.
UDP = """
D D D D D D D - -
  S S S S S S - -
    P P G Q B - -
      P G Q A - -
        G Q - - -
          Q - - -
            - - -
              - -
                -
"""
TCP = """
D D D D D D D D -
  S S S S S S S -
    P P G Q B P -
      P G Q A P -
        G Q - G -
          Q - Q -
            - B -
              P -
                -
"""


class Town:
    """Two homes of each kind, built when first asked for."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._homes: dict[str, tuple[Site, Site]] = {}

    def pair(self, one: str, other: str) -> tuple[Site, Site]:
        for kind in (one, other):
            if kind not in self._homes:
                self._homes[kind] = (self.lab.site(kind), self.lab.site(kind))
        return self._homes[one][0], self._homes[other][1]


@pytest.fixture(scope="module")
def town(possible: None) -> Iterator[Town]:
    with Lab() as lab:
        yield Town(lab)


def cells(table: str) -> Iterator[tuple[str, str, str]]:
    pairs = itertools.combinations_with_replacement(KINDS, 2)
    for (one, other), letter in zip(pairs, table.split(), strict=True):
        yield one, other, letter


@pytest.mark.parametrize(("transport", "table"), [("udp", UDP), ("tcp", TCP)])
@pytest.mark.parametrize("row", KINDS)
def test_row(town: Town, transport: str, table: str, row: str) -> None:
    expected = {other: letter.replace("B", "-") for one, other, letter in cells(table) if one == row}
    ways = {other: needed(town.lab, *town.pair(row, other), transport) for other in expected}
    assert {other: way.value if way else "-" for other, way in ways.items()} == expected


@pytest.mark.parametrize("kind", ["open-fw", "v6-fw", "pr-reject", "pr-clash", "eim-remap", "cgn"])
@pytest.mark.parametrize("other", ["port-restricted", "itself"])
def test_udp_with_endpoint_independent_mapping(town: Town, kind: str, other: str) -> None:
    one, two = town.pair(kind, kind if other == "itself" else other)
    assert needed(town.lab, one, two, "udp") is Way.PUNCH


@pytest.mark.parametrize("kind", ["open-fw", "v6-fw", "eim-remap", "cgn"])
def test_tcp_with_endpoint_independent_mapping(town: Town, kind: str) -> None:
    assert needed(town.lab, *town.pair(kind, kind), "tcp") is Way.PUNCH


@pytest.mark.parametrize("kind", ["pr-reject", "pr-clash"])
def test_tcp_through_routers_that_refuse(town: Town, kind: str) -> None:
    """The SYNs have to cross on the way: impossible to do for sure without a delay."""
    one, two = (town.lab.site(kind, delay=0.015) for _ in range(2))
    assert punch_tcp.two_sided(town.lab.server, one, two, Tricks(), patience=3)


def test_carrier_with_random_ports(town: Town) -> None:
    one, two = town.pair("cgn-sym", "port-restricted")
    assert needed(town.lab, one, two, "udp") is None
    one, two = town.pair("cgn-sym", "restricted")
    assert needed(town.lab, one, two, "udp") is Way.LEARN


@pytest.mark.parametrize("hard", ["sym-random", "cgn-sym"])
def test_birthday(town: Town, hard: str) -> None:
    """256 sockets and 1024 guesses succeed 98 times in 100: three failures in a row are a defect."""
    easy, random_ports = town.pair("port-restricted", hard)
    assert any(punch_udp.birthday(town.lab.server, easy, random_ports) for _ in range(3))


def test_port_443_of_an_open_host(town: Town) -> None:
    shut_in, host = town.pair("tcp443", "open")
    assert reaches(shut_in.host, host.host, "tcp", 443, (host.public_ipv4, 443))
    assert not reaches(shut_in.host, host.host, "tcp", 5000, (host.public_ipv4, 5000))
