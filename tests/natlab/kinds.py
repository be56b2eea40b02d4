"""The kinds of home routers and carriers, in the words of RFC 4787."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mapping(Enum):
    """Which external port a flow from inside gets."""

    PUBLIC = "no translation: the host has the public address"
    KEEP = "the internal port (endpoint-independent)"
    HASH = "one that depends on the internal address and port only (endpoint-independent)"
    LOST_TO_SERVER = "a random one towards the server, else the internal one"
    SEQUENTIAL = "the next one for every flow"
    RANDOM = "a random one for every flow"


class Filtering(Enum):
    """Which packets from outside reach a mapped endpoint inside."""

    EIF = "all"
    ADF = "from an address it sent to"
    APDF = "from an address and port it sent to"


class Unsolicited(Enum):
    """What the router does with other packets to its own address."""

    SILENT = "drop"
    REJECT = "RST or ICMP port unreachable by the packet filter, which leaves no conntrack entry"
    ANSWER = "RST or ICMP port unreachable by the router itself, which leaves a conntrack entry"


class Passes(Enum):
    """What may leave at all."""

    ALL = "everything"
    NO_UDP = "everything but UDP"
    TCP_443 = "TCP to port 443 only"


class V6(Enum):
    """The IPv6 of a home."""

    NONE = "none"
    OPEN = "public addresses"
    FIREWALL = "public addresses, only answers come in"


@dataclass(frozen=True)
class Behaviour:
    """What one router does to IPv4."""

    mapping: Mapping = Mapping.KEEP
    filtering: Filtering = Filtering.APDF
    unsolicited: Unsolicited = Unsolicited.SILENT
    passes: Passes = Passes.ALL

    @property
    def translates(self) -> bool:
        return self.mapping is not Mapping.PUBLIC


@dataclass(frozen=True)
class Kind:
    """What a home's guest has between itself and the core: its router, and a carrier's if `carrier`."""

    router: Behaviour = Behaviour()
    carrier: Behaviour | None = None
    igd: bool = False
    v6: V6 = V6.NONE


CARRIERS = {
    "cgn": Behaviour(Mapping.HASH),
    "cgn-sym": Behaviour(Mapping.RANDOM),
}

KINDS = {
    "open": Kind(Behaviour(Mapping.PUBLIC, Filtering.EIF)),
    "open-fw": Kind(Behaviour(Mapping.PUBLIC)),
    "v6-fw": Kind(v6=V6.FIREWALL),
    "full-cone": Kind(Behaviour(filtering=Filtering.EIF)),
    "restricted": Kind(Behaviour(filtering=Filtering.ADF)),
    "port-restricted": Kind(),
    "pr-reject": Kind(Behaviour(unsolicited=Unsolicited.REJECT)),
    "pr-clash": Kind(Behaviour(unsolicited=Unsolicited.ANSWER)),
    "eim-remap": Kind(Behaviour(Mapping.HASH)),
    "pr-collide": Kind(Behaviour(Mapping.LOST_TO_SERVER)),
    "sym-seq": Kind(Behaviour(Mapping.SEQUENTIAL)),
    "sym-random": Kind(Behaviour(Mapping.RANDOM)),
    "cgn": Kind(carrier=CARRIERS["cgn"]),
    "cgn-sym": Kind(carrier=CARRIERS["cgn-sym"]),
    "upnp": Kind(igd=True),
    "upnp-sym": Kind(Behaviour(Mapping.RANDOM), igd=True),
    "upnp-cgn": Kind(carrier=CARRIERS["cgn"], igd=True),
    "udp-blocked": Kind(Behaviour(passes=Passes.NO_UDP)),
    "tcp443": Kind(Behaviour(passes=Passes.TCP_443)),
}
