"""Findings as examinations make them behind the laboratory's kinds of NAT."""

from __future__ import annotations

from msgspec.structs import replace

from tests.unit.steering.kinds import peer
from wlnet.client.doctor.findings import Findings, LineFinding, MappingTrial, Reach, RelayLeg, Truth
from wlnet.client.mapping.words import MappingProtocol, Standing
from wlnet.steering.model import Behaviour, Family, Filtering, Mapping, Technique, Transport

PORTS = {Technique.RELAY_UDP: 3479, Technique.RELAY_TCP: 3479, Technique.RELAY_TLS: 443}
V4 = Family.V4


def legs(**reaches: Reach) -> tuple[RelayLeg, ...]:
    """All reached but those named ``udp=``, ``tcp=``, ``tls=``."""
    return tuple(
        RelayLeg(
            technique=technique,
            family=V4,
            address="192.0.2.10",
            port=port,
            reach=(reach := reaches.get(technique.value.removeprefix("relay-"), Reach.REACHED)),
            rtt=0.012 if reach is Reach.REACHED else None,
        )
        for technique, port in PORTS.items()
    )


def trials(
    standing: Standing, text: str = "", address: str = "", truth: Truth = Truth.UNTESTED
) -> tuple[MappingTrial, ...]:
    """All three protocols alike."""
    port = 40000 if standing is Standing.MAPPED else 0
    return tuple(
        MappingTrial(protocol=one, standing=standing, text=text, address=address, port=port, truth=truth)
        for one in MappingProtocol
    )


SILENT = trials(Standing.SILENT, "The router does not answer.")


def home(kind: str) -> Findings:
    """Behind that kind, with a server that has everything."""
    view = peer(kind)
    outer = view.seen[0]
    lines = [
        LineFinding(
            transport=one.transport,
            family=one.family,
            behaviour=one.behaviour,
            certain_mapping=True,
            certain_filtering=True,
            address="" if one.behaviour.mapping is Mapping.BLOCKED else outer,
            rtt=0.012,
        )
        for one in view.measured
    ]
    findings = Findings(
        lobby="tcp://lobby.example.org:7395",
        lobby_reached=True,
        addresses=("192.168.1.10",),
        families=(V4,),
        lines=tuple(lines),
        seen=view.seen,
        only_port=view.only_port,
        gateway="192.168.1.1",
        trials=SILENT,
        candidates=view.candidates,
        tested=True,
        legs=legs(),
    )
    if kind in ("upnp", "upnp-sym"):
        return replace(findings, trials=trials(Standing.MAPPED, address=outer, truth=Truth.REACHED))
    if kind == "upnp-cgn":
        text = "The router says its outer address is private (100.64.0.7): it is behind another NAT."
        return replace(findings, trials=trials(Standing.PRIVATE, text, "100.64.0.7"))
    if kind == "udp-blocked":
        return replace(findings, legs=legs(udp=Reach.SILENT))
    if kind == "tcp443":
        blocked = tuple(
            replace(one, behaviour=Behaviour(mapping=Mapping.BLOCKED), address="") for one in lines
        )
        return replace(findings, lines=blocked, legs=legs(udp=Reach.SILENT, tcp=Reach.SILENT))
    return findings


def with_ipv6(findings: Findings, filtering: Filtering) -> Findings:
    """There is IPv6 too, with that firewall."""
    behaviour = Behaviour(mapping=Mapping.NONE, filtering=filtering)
    more = tuple(
        LineFinding(transport=one, family=Family.V6, behaviour=behaviour, address="2001:db8:1::10")
        for one in Transport
    )
    return replace(
        findings,
        families=(*findings.families, Family.V6),
        lines=(*findings.lines, *more),
        seen=(*findings.seen, "2001:db8:1::10"),
    )
