"""The ways to a peer that the reference punchers try, from the simplest on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tests.natlab.lab import Lab
from tests.natlab.probe import Endpoint
from tests.natlab.site import Site

# A flow's port is predicted this many steps past the last one, at most.
STEPS = {"udp": 16, "tcp": 8}


class Way(Enum):
    """What is needed for a pair; the letter is the one in the table of pairs in README.md."""

    DIRECT = "D"
    ONE_SIDED = "S"
    PUNCH = "P"
    LOCAL_PORT = "G"
    SEQUENCE = "Q"
    LEARN = "A"


@dataclass(frozen=True)
class Tricks:
    """What a two-sided attempt may use beside the endpoint the server saw.

    `local_port`: the external address with the local port. `sequence`: the ports after the last one seen.
    `learn`: answering where a packet came from, expected or not.
    """

    local_port: bool = False
    sequence: bool = False
    learn: bool = False


TRICKS = {
    Way.PUNCH: Tricks(),
    Way.LOCAL_PORT: Tricks(local_port=True),
    Way.SEQUENCE: Tricks(local_port=True, sequence=True),
    Way.LEARN: Tricks(local_port=True, sequence=True, learn=True),
}


@dataclass
class Gathered:
    """What a side knows of itself: its local port, and its endpoint as two addresses of the server saw it."""

    local_port: int
    first: Endpoint
    second: Endpoint

    def candidates(self, tricks: Tricks, steps: int) -> list[Endpoint]:
        """Where the peer sends to, in this order.

        Predicted ports come alone: where both sides predict, each packet is a step for both.
        """
        address, last = self.second
        step = last - self.first[1]
        if tricks.sequence and 1 <= step <= steps:
            return [(address, last + number) for number in range(1, steps + 1)]
        found = [self.first, self.second]
        if tricks.local_port:
            found.append((address, self.local_port))
        return list(dict.fromkeys(found))


def hops_below_core(site: Site) -> int:
    """A time to live with which a packet of this site's host ends in the core, before any other router."""
    return 3 if site.carrier else 2


def is_public(site: Site) -> bool:
    """Whether anybody can reach its host as it is."""
    return (
        not site.router.policy.behaviour.translates and site.router.policy.behaviour.filtering.name == "EIF"
    )


def needed(lab: Lab, one: Site, other: Site, transport: str) -> Way | None:
    """The simplest way that joins these two; None if none does."""
    from tests.natlab import punch_tcp, punch_udp

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
