"""The simplest way that joins a pair of homes, found by trying all, from the simplest on."""

from __future__ import annotations

from enum import Enum

from tests.natlab import punch_tcp, punch_udp
from tests.natlab.kinds import KINDS
from tests.natlab.lab import Lab
from tests.natlab.punch import Tricks
from tests.natlab.site import Site


class Way(Enum):
    """What is needed for a pair; the letter is the one in the table of pairs in README.md."""

    DIRECT = "D"
    ONE_SIDED = "S"
    PUNCH = "P"
    LOCAL_PORT = "G"
    SEQUENCE = "Q"
    LEARN = "A"


TRICKS = {
    Way.PUNCH: Tricks(),
    Way.LOCAL_PORT: Tricks(local_port=True),
    Way.SEQUENCE: Tricks(local_port=True, sequence=True),
    Way.LEARN: Tricks(local_port=True, sequence=True, learn=True),
}


def is_public(site: Site) -> bool:
    """Whether anybody can reach its host as it is."""
    return site.kind.router == KINDS["open"].router


def needed(lab: Lab, one: Site, other: Site, transport: str) -> Way | None:
    """The simplest way that joins these two; None if none does."""
    module = punch_udp if transport == "udp" else punch_tcp
    for target, source in ((one, other), (other, one)):
        if is_public(target) and module.one_sided(lab.server, target, source, direct=True):
            return Way.DIRECT
    if not all(module.asks(lab.server, site) for site in (one, other)):
        return None
    for target, source in ((one, other), (other, one)):
        if module.one_sided(lab.server, target, source):
            return Way.ONE_SIDED
    for way, tricks in TRICKS.items():
        if module.two_sided(lab.server, one, other, tricks):
            return way
    return None
