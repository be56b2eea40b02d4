"""What both reference punchers know: the endpoints a side has, and which of them its peer tries."""

from __future__ import annotations

from dataclasses import dataclass

from tests.natlab.probe import Endpoint
from tests.natlab.site import Site

# A flow's port is predicted this many steps past the last one, at most.
STEPS = {"udp": 16, "tcp": 8}


@dataclass(frozen=True)
class Tricks:
    """What a two-sided attempt may use beside the endpoint the server saw.

    `local_port`: the external address with the local port. `sequence`: the ports after the last one seen.
    `learn`: answering where a packet came from, expected or not.
    """

    local_port: bool = False
    sequence: bool = False
    learn: bool = False


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
