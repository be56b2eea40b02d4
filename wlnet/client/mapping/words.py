"""The words of port mapping: what is wished, what a router grants, and why it does not."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Transport


class MappingProtocol(StrEnum):
    """How a router is asked, best first."""

    PCP = "pcp"
    NAT_PMP = "nat-pmp"
    UPNP = "upnp"

    @property
    def label(self) -> str:
        """As people write it."""
        return {"pcp": "PCP", "nat-pmp": "NAT-PMP", "upnp": "UPnP"}[self.value]


class Standing(StrEnum):
    """What is known of a protocol at this router."""

    UNASKED = "unasked"
    SILENT = "silent"
    """No answer: switched off, or the router does not have it."""
    FOUND = "found"
    """It answers; it was not asked for a port yet."""
    MAPPED = "mapped"
    """It granted the last port asked for."""
    REFUSED = "refused"
    """It answers, but does not map: forbidden, or out of ports."""
    PRIVATE = "private"
    """It would map, but its own outer address is private: another NAT is in front of it."""
    DISCONNECTED = "disconnected"
    """It says that it has no outer address."""
    FAULTY = "faulty"
    """What it says cannot be understood."""


class Wish(Struct, frozen=True, kw_only=True):
    """A port asked for.

    :ivar port: the local port.
    :ivar external: the outer port liked best.
    :ivar exact: no other outer port is of use.
    :ivar lifetime: seconds.
    :ivar nonce: 12 random bytes, the same in every request for this mapping (RFC 6887 section 11.1).
    :ivar address: the outer address had before; empty: none.
    """

    transport: Transport
    port: int
    external: int
    exact: bool
    lifetime: int
    nonce: bytes
    address: str = ""


class Found(Struct, frozen=True, kw_only=True):
    """A protocol answers.

    :ivar address: the router's outer address, if it was told.
    """

    address: str = ""


class Granted(Struct, frozen=True, kw_only=True):
    """A port was mapped.

    :ivar lifetime: seconds; 0: until it is removed.
    """

    external: Endpoint
    lifetime: int


class Failure(Struct, frozen=True, kw_only=True):
    """A protocol is of no use now.

    :ivar text: a sentence for the player.
    :ivar address: the router's outer address, if it was told.
    """

    standing: Standing
    text: str
    address: str = ""


class ProtocolReport(Struct, frozen=True, kw_only=True):
    """What became of one protocol.

    :ivar text: a sentence; empty if there is nothing to complain of.
    :ivar address: the outer address the router told.
    """

    protocol: MappingProtocol
    standing: Standing
    text: str = ""
    address: str = ""


class MappedPort(Struct, frozen=True, kw_only=True):
    """Our router sends what comes to *external* on to *internal*, or so it says: have it probed.

    :ivar lifetime: seconds granted; it is renewed in time. 0: until removed.
    """

    protocol: MappingProtocol
    transport: Transport
    family: Family
    internal: Endpoint
    external: Endpoint
    lifetime: int


class NotMapped(Struct, frozen=True, kw_only=True):
    """There is no mapping (any more).

    :ivar text: a sentence for the player.
    :ivar reports: of each protocol tried.
    """

    transport: Transport
    family: Family
    text: str
    reports: tuple[ProtocolReport, ...] = ()
