"""What an examination found out. Nothing here is concluded yet."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wlnet.client.mapping.words import MappingProtocol, Standing
from wlnet.steering.model import Behaviour, Candidate, CandidateKind, Family, Mapping, Technique, Transport
from wlnet.steering.rules import RelayPlace
from wlnet.steering.view import Measured, PeerView, family_of


class LineFinding(Struct, frozen=True, kw_only=True):
    """One transport over one family, as far as the server.

    :ivar certain_mapping: False: a server with one address could not tell it from a stricter one.
    :ivar certain_filtering: False: likewise, the other way round.
    :ivar address: where the server saw us; empty: nowhere.
    :ivar rtt: shortest round trip to the server, seconds.
    :ivar ports: outer ports of new sockets, in their order.
    """

    transport: Transport
    family: Family
    behaviour: Behaviour
    certain_mapping: bool = False
    certain_filtering: bool = False
    address: str = ""
    rtt: float | None = None
    ports: tuple[int, ...] = ()


class Truth(StrEnum):
    """Whether a mapping the router granted is one."""

    UNTESTED = "untested"
    REACHED = "reached"
    """The server got through."""
    OTHER_ADDRESS = "other-address"
    """It is for an address the server does not see us at: another NAT is in front of the router."""
    NOT_REACHED = "not-reached"
    """The address is right, but nothing comes through."""


class MappingTrial(Struct, frozen=True, kw_only=True):
    """A UDP port asked for by one protocol.

    :ivar text: a sentence if there is something to complain of.
    :ivar address: the outer address the router told; empty: none. *port*: 0: none was mapped.
    """

    protocol: MappingProtocol
    standing: Standing
    text: str = ""
    address: str = ""
    port: int = 0
    truth: Truth = Truth.UNTESTED


class Reach(StrEnum):
    """What came of a way to the relay."""

    REACHED = "reached"
    REFUSED = "refused"
    """Somebody answered, but no relay."""
    SILENT = "silent"
    UNTRUSTED = "untrusted"
    """TLS: a certificate that cannot be trusted."""


class RelayLeg(Struct, frozen=True, kw_only=True):
    """One way to the relay.

    :ivar rtt: seconds of one question and its answer; over TCP and TLS on a connection that is up.
    """

    technique: Technique
    family: Family
    address: str
    port: int
    reach: Reach
    rtt: float | None = None


class Findings(Struct, frozen=True, kw_only=True):
    """Everything.

    :ivar lobby: as the player wrote it.
    :ivar lobby_reached: we logged in, and the server steers players.
    :ivar lobby_text: why not.
    :ivar addresses: our own.
    :ivar families: those with a route to the server.
    :ivar seen: where servers saw us.
    :ivar only_port: the only TCP port that gets out (443); 0: any.
    :ivar gateway: the router's inner address; empty: none is known.
    :ivar trials: of each protocol; empty: the router was not asked.
    :ivar candidates: what we would offer others, the reached ones marked as verified.
    :ivar tested: the server tried to reach them.
    """

    lobby: str
    lobby_reached: bool = False
    lobby_text: str = ""
    addresses: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    lines: tuple[LineFinding, ...] = ()
    seen: tuple[str, ...] = ()
    only_port: int = 0
    gateway: str = ""
    trials: tuple[MappingTrial, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    tested: bool = False
    legs: tuple[RelayLeg, ...] = ()

    def line(self, transport: Transport, family: Family) -> LineFinding | None:
        """What was found out about that line; None: nothing."""
        for line in self.lines:
            if line.transport is transport and line.family is family:
                return line
        return None

    def passes(self, transport: Transport, family: Family) -> bool:
        """Something came back on that line."""
        line = self.line(transport, family)
        return line is not None and line.behaviour.mapping is not Mapping.BLOCKED

    def reachable(self, transport: Transport, family: Family) -> bool:
        """The server reached us without having been asked, at an address we did not have mapped."""
        return any(
            one.verified
            and one.kind is CandidateKind.HOST
            and one.transport is transport
            and family_of(one.address) is family
            for one in self.candidates
        )

    def mapped(self, transport: Transport) -> bool:
        """The server reached us through a port the router mapped."""
        return any(
            one.verified and one.kind is CandidateKind.MAPPED and one.transport is transport
            for one in self.candidates
        )

    def view(self) -> PeerView:
        """Us as the steering policy sees us.

        Where only one TCP port gets out, what was measured at others says nothing about it.
        """
        rtts = [line.rtt for line in self.lines if line.rtt is not None]
        return PeerView(
            candidates=self.candidates,
            measured=tuple(
                Measured(transport=line.transport, family=line.family, behaviour=line.behaviour)
                for line in self.lines
                if not (self.only_port and line.transport is Transport.TCP)
            ),
            seen=self.seen,
            only_port=self.only_port,
            round_trip=min(rtts, default=0.1),
        )

    def relay(self) -> RelayPlace | None:
        """The relay as others may reach it.

        A port nobody answers at is left out where that cannot be because of our own network.
        """
        ports = dict.fromkeys((Technique.RELAY_UDP, Technique.RELAY_TCP, Technique.RELAY_TLS), 0)
        addresses: dict[str, None] = {}
        for leg in self.legs:
            transport = Transport.UDP if leg.technique is Technique.RELAY_UDP else Transport.TCP
            own_fault = leg.reach is Reach.SILENT and not self.passes(transport, leg.family)
            if leg.reach is Reach.REACHED or (own_fault and leg.technique is not Technique.RELAY_TLS):
                ports[leg.technique] = leg.port
                addresses[leg.address] = None
        if not addresses or not any(leg.reach is Reach.REACHED for leg in self.legs):
            return None
        return RelayPlace(
            addresses=tuple(addresses),
            udp_port=ports[Technique.RELAY_UDP],
            tcp_port=ports[Technique.RELAY_TCP],
            tls_port=ports[Technique.RELAY_TLS],
        )
