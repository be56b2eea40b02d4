"""What external endpoints tell about a NAT (RFC 5780 section 4, RFC 4787 section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Allocation, Behaviour, Candidate, Family, Mapping, Transport

LARGEST_STEP = 64
_MOST_BETWEEN = 8
"""Mappings of other programs that may come between two of ours before steps are taken for chance."""


class Finding(Struct, frozen=True, kw_only=True):
    """What was found out about one transport and family, from one local socket.

    :ivar behaviour: for :mod:`wlnet.steering`.
    :ivar candidate: the server-reflexive candidate of the first socket; None if nothing came back.
    :ivar rtt: shortest round trip to the server in seconds, if one could be measured.
    :ivar certain_mapping: False if the server's endpoints could not tell the mapping from a stricter one
        (with one address *endpoint-independent* may be *address-dependent*).
    :ivar certain_filtering: False likewise (with one address *address-dependent* may be
        *endpoint-independent*).
    :ivar ports: external ports of new mappings, in the order these were made.
    """

    family: Family
    transport: Transport
    behaviour: Behaviour
    candidate: Candidate | None = None
    rtt: float | None = None
    certain_mapping: bool = False
    certain_filtering: bool = False
    ports: tuple[int, ...] = ()


def family_of(endpoint: Endpoint) -> Family:
    """The family of an endpoint.

    :raises ValueError: its host is no IP literal.
    """
    return Family(parse_address(endpoint.host).version)


def canonical(endpoint: Endpoint) -> Endpoint:
    """*endpoint* with its host written as the system writes those of datagrams.

    :raises ValueError: it is no IP literal.
    """
    _, percent, zone = endpoint.host.partition("%")
    return Endpoint(f"{parse_address(endpoint.host)}{percent}{zone}", endpoint.port)


def mapping_of(
    local: Endpoint | None,
    first: Endpoint | None,
    other_port: Endpoint | None,
    other_address: Endpoint | None,
) -> tuple[Mapping, bool]:
    """The mapping, and whether these endpoints could tell it from all others.

    :param local: the socket's own endpoint.
    :param first: as a server sees it, and from another port and another address of that server; None where no
        answer came.
    """
    if first is None:
        return (Mapping.UNKNOWN, False) if other_port or other_address else (Mapping.BLOCKED, True)
    seen = [one for one in (other_port, other_address) if one is not None]
    if all(one == first for one in seen) and same_endpoint(local, first):
        return Mapping.NONE, True
    if not seen:
        return Mapping.UNKNOWN, False
    if other_port is not None and other_port != first:
        return Mapping.ADDRESS_AND_PORT_DEPENDENT, True
    if other_address is None:
        return Mapping.ENDPOINT_INDEPENDENT, False
    if other_address == first:
        return Mapping.ENDPOINT_INDEPENDENT, other_port is not None
    if other_port is None:
        return Mapping.ADDRESS_AND_PORT_DEPENDENT, False
    return Mapping.ADDRESS_DEPENDENT, True


def allocation_of(samples: Sequence[tuple[int, int]]) -> tuple[Allocation, int]:
    """How external ports are chosen, and the step if that is sequential, else 0.

    :param samples: internal and external port of new mappings, in the order these were made.
    """
    if not samples:
        return Allocation.UNKNOWN, 0
    if 2 * sum(inside == outside for inside, outside in samples) > len(samples):
        return Allocation.PRESERVING, 0
    steps = [later[1] - earlier[1] for earlier, later in pairwise(samples)]
    steps = [step for step in steps if step]
    if len(steps) < 2:
        return Allocation.UNKNOWN, 0
    step, times = min(Counter(steps).items(), key=lambda item: (-item[1], abs(item[0])))
    fitting = sum(other % step == 0 and 1 <= other // step <= _MOST_BETWEEN for other in steps)
    if abs(step) <= LARGEST_STEP and fitting >= 2 and fitting >= len(steps) - 1 and 2 * times >= fitting:
        return Allocation.SEQUENTIAL, step
    return Allocation.RANDOM, 0


def same_endpoint(one: Endpoint | None, other: Endpoint | None) -> bool:
    """Whether both are there and mean the same, however their addresses are written."""
    if one is None or other is None or one.port != other.port:
        return False
    return parse_address(one.host) == parse_address(other.host)


def plausible_other(server: Endpoint, other: Endpoint) -> bool:
    """Whether OTHER-ADDRESS of *server* is a place to send requests to."""
    ours, theirs = parse_address(server.host), parse_address(other.host)
    if other.port == 0 or ours.version != theirs.version or ours == theirs:
        return False
    if theirs.is_multicast or theirs.is_unspecified or theirs.is_reserved:
        return False
    return theirs.is_loopback == ours.is_loopback
