"""Which cells there are: all of them, and the few that stand for all techniques."""

from __future__ import annotations

from itertools import combinations_with_replacement

from tests.natlab.matrix.ceiling import KINDS, by_transport
from tests.natlab.matrix.cells import Cell
from tests.natlab.matrix.town import SHARING, WITH_IPV6

TRAFFICS = ("udp", "tcp")


def everything() -> list[Cell]:
    """Each pair of kinds with each traffic; the row hosts the datagrams, the column the streams.

    Pairs that can be joined by many random ports are tried with and without the players' consent.
    """
    cells = []
    for one, other in [*combinations_with_replacement(KINDS, 2), *WITH_IPV6]:
        for traffic in TRAFFICS:
            swapped = traffic == "tcp" and (one, other) not in WITH_IPV6
            host, guest = (other, one) if swapped else (one, other)
            cells.append(Cell(host, guest, traffic))
    cells += [Cell(name, name, traffic) for name in SHARING for traffic in TRAFFICS]
    return cells + birthdays() + mishaps()


def birthdays() -> list[Cell]:
    """The pairs that need many random ports, with UDP allowed by both networks."""
    pairs = combinations_with_replacement(KINDS, 2)
    found = [pair for pair in pairs if by_transport(*pair)[0] == "B"]
    return [Cell(one, other, TRAFFICS[place % 2], birthday=True) for place, (one, other) in enumerate(found)]


def mishaps() -> list[Cell]:
    """What can happen while playing, on paths of different making."""
    games = [
        ("port-restricted", "port-restricted", "guest's router restarts"),
        ("restricted", "sym-random", "guest's router restarts"),
        ("upnp", "port-restricted", "host's router restarts"),
        ("port-restricted", "eim-remap", "guest's router gives other ports"),
        ("port-restricted", "port-restricted", "guest gets another address"),
        ("open", "port-restricted", "host gets another address"),
        ("port-restricted", "restricted", "the two are cut off from each other"),
        ("udp-blocked", "port-restricted", "the two are cut off from each other"),
        ("port-restricted", "full-cone", "guest's line is cut for 5 s"),
        ("port-restricted", "port-restricted", "a tenth of the guest's packets is lost"),
    ]
    return [Cell(host, guest, traffic, event=event) for host, guest, event in games for traffic in TRAFFICS]


def sample() -> list[Cell]:
    """Every technique, every way to the relay, each traffic, a few pitfalls."""
    pairs = [
        ("open", "sym-random", "tcp"),
        ("port-restricted", "open", "udp"),
        ("open", "udp-blocked", "udp"),
        ("open", "tcp443", "tcp"),
        ("upnp", "cgn-sym", "udp"),
        ("sym-random", "upnp-sym", "tcp"),
        ("upnp-cgn", "port-restricted", "tcp"),
        ("full-cone", "sym-random", "tcp"),
        ("full-cone", "sym-seq", "udp"),
        ("port-restricted", "port-restricted", "udp"),
        ("pr-clash", "pr-reject", "udp"),
        ("pr-clash", "pr-clash", "tcp"),
        ("eim-remap", "cgn", "tcp"),
        ("open-fw", "restricted", "udp"),
        ("pr-collide", "port-restricted", "udp"),
        ("pr-collide", "pr-collide", "tcp"),
        ("sym-seq", "port-restricted", "tcp"),
        ("sym-seq", "sym-seq", "udp"),
        ("restricted", "sym-random", "udp"),
        ("udp-blocked", "port-restricted", "udp"),
        ("udp-blocked", "udp-blocked", "tcp"),
        ("sym-random", "sym-random", "udp"),
        ("tcp443", "sym-random", "tcp"),
        ("tcp443", "tcp443", "udp"),
        ("v6-fw", "v6-fw", "udp"),
        ("v6-open", "v6-fw", "tcp"),
        ("LAN", "LAN", "tcp"),
        ("carrier, no hairpin", "carrier, no hairpin", "udp"),
    ]
    return [Cell(*pair) for pair in pairs]
