"""The words of steering: addresses peers may be reached at, what their NATs do, what can be tried.

Terms are those of RFC 8445 (candidates), RFC 4787 (mapping, filtering) and ``docs/architecture.md``.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated

from msgspec import Meta, Struct


class Family(IntEnum):
    """An IP family."""

    V4 = 4
    V6 = 6


class Transport(StrEnum):
    """What carries datagrams between peers."""

    UDP = "udp"
    TCP = "tcp"


class CandidateKind(StrEnum):
    """Where a candidate comes from (RFC 8445 section 4; *mapped* and *predicted* are ours)."""

    HOST = "host"
    SERVER_REFLEXIVE = "server-reflexive"
    MAPPED = "mapped"
    PREDICTED = "predicted"


class Candidate(Struct, frozen=True, kw_only=True):
    """A transport address a peer may be reached at.

    :ivar base_port: the local port behind it (equal to ``port`` for host candidates).
    :ivar verified: a server of ours reached it from outside.
    """

    kind: CandidateKind
    transport: Transport
    address: Annotated[str, Meta(max_length=45)]
    port: Annotated[int, Meta(ge=1, le=65535)]
    base_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    verified: bool = False


class Mapping(StrEnum):
    """How a NAT chooses external endpoints (RFC 4787 section 4.1)."""

    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    """Nothing came back on this transport and family."""
    NONE = "none"
    """No translation."""
    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Filtering(StrEnum):
    """What a NAT or firewall lets in (RFC 4787 section 5)."""

    UNKNOWN = "unknown"
    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Allocation(StrEnum):
    """Which external port a NAT picks for a new mapping."""

    UNKNOWN = "unknown"
    PRESERVING = "preserving"
    SEQUENTIAL = "sequential"
    RANDOM = "random"


class Behaviour(Struct, frozen=True, kw_only=True):
    """What was measured for one transport and family; a hint for this moment, not a property.

    :ivar step: difference of two consecutive external ports, for sequential allocation.
    :ivar hairpin: two sockets behind the NAT reach each other by their external endpoints.
    """

    mapping: Mapping = Mapping.UNKNOWN
    filtering: Filtering = Filtering.UNKNOWN
    allocation: Allocation = Allocation.UNKNOWN
    step: Annotated[int, Meta(ge=-64, le=64)] = 0
    hairpin: bool | None = None


class PathKind(StrEnum):
    """What finally carries the packets, best first."""

    DIRECT = "direct"
    MAPPED = "mapped"
    PUNCHED = "punched"
    RELAYED = "relayed"


class Technique(StrEnum):
    """One way to get a path."""

    LAN = "lan"
    PUBLIC = "public"
    REVERSAL = "reversal"
    MAPPED = "mapped"
    REFLEXIVE = "reflexive"
    PUNCH = "punch"
    LEARNED_PORT = "learned-port"
    """The side that lets in by address alone learns the other's unknown port from its packet."""
    LOCAL_PORT = "local-port"
    PREDICTION = "prediction"
    BIRTHDAY = "birthday"
    TCP_PUNCH = "tcp-punch"
    RELAY_UDP = "relay-udp"
    RELAY_TCP = "relay-tcp"
    RELAY_TLS = "relay-tls"


class Side(StrEnum):
    """A peer's part in an attempt."""

    HOST = "host"
    GUEST = "guest"
