"""What a player can change, the most useful first."""

from __future__ import annotations

from wlnet.client.doctor.expectations import Expectation
from wlnet.client.doctor.findings import Findings, Reach, Truth
from wlnet.client.doctor.network_words import behind_another_nat
from wlnet.client.mapping.words import Standing
from wlnet.steering.model import Family, Mapping, Technique, Transport

_HARD = (Mapping.ADDRESS_DEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT)


def advice(findings: Findings, expect: tuple[Expectation, ...]) -> tuple[str, ...]:
    """Sentences; none if nothing needs to change."""
    if findings.only_port:
        return (
            (
                "Ask who runs this network to let out UDP, or at least TCP to the server's ports; or play "
                "from another one, a mobile phone's for example."
            ),
        )
    found = _getting_out(findings)
    if not findings.lobby_reached and not any(
        findings.passes(line.transport, line.family) for line in findings.lines
    ):
        return tuple(found)
    if findings.passes(Transport.UDP, Family.V4) or findings.passes(Transport.TCP, Family.V4):
        found += _router(findings)
    if found and Family.V6 not in findings.families and not _reached_from_outside(findings):
        found.append(
            "Ask your provider for IPv6, and switch it on in the router: with it most players reach each "
            "other without any NAT."
        )
    if findings.legs and not any(one.kind for one in expect):
        found.append("Ask who runs the server: its relay should be reachable, over TLS at port 443 too.")
    return tuple(found)


def _getting_out(findings: Findings) -> list[str]:
    found: list[str] = []
    if not findings.lobby_reached:
        web = any(
            leg.technique is Technique.RELAY_TLS and leg.reach is Reach.REACHED for leg in findings.legs
        )
        if web and not findings.lobby.startswith("tls://"):
            host = findings.lobby.partition("://")[2].rpartition(":")[0]
            found.append(f"Port 443 of the server answers: use --lobby tls://{host}:443.")
        else:
            found.append("Check the address of the lobby, and whether you are connected to the Internet.")
    blocked = [family for family in findings.families if not findings.passes(Transport.UDP, family)]
    if blocked and len(blocked) == len(findings.families) and _any_tcp(findings):
        found.append(
            "Allow this program to send and receive UDP, in the firewall of this computer, of a VPN, or of "
            "the network: games are quicker over it, and more players can be reached directly."
        )
    return found


def _any_tcp(findings: Findings) -> bool:
    return any(findings.passes(Transport.TCP, family) for family in findings.families)


def _reached_from_outside(findings: Findings) -> bool:
    return any(
        findings.reachable(transport, Family.V4) or findings.mapped(transport) for transport in Transport
    )


def _router(findings: Findings) -> list[str]:
    line = findings.line(Transport.UDP, Family.V4) or findings.line(Transport.TCP, Family.V4)
    if line is None or not findings.trials or _reached_from_outside(findings):
        return []
    mapping = line.behaviour.mapping
    if mapping is Mapping.NONE:
        return ["Open the firewall for this program, and others reach you without its help."]
    found: list[str] = []
    standings = {trial.standing for trial in findings.trials}
    if behind_another_nat(findings):
        found.append(
            "Your router is itself behind another NAT. If that is a second router of yours (often the "
            "provider's box), switch one of the two to bridge mode. If it is the provider's, ask the "
            "provider for a public IPv4 address."
        )
    elif standings <= {Standing.SILENT, Standing.UNASKED}:
        found.append(
            "Switch on UPnP (or NAT-PMP, or PCP) in your router, and games can ask it to let others in. "
            "Where that cannot be, forward a UDP port to this computer."
        )
    elif any(trial.truth is Truth.NOT_REACHED for trial in findings.trials):
        found.append(
            "Your router opens ports only in words: look for a firewall on this computer or behind the "
            "router's own, or for new firmware."
        )
    elif Standing.MAPPED not in standings:
        found.append("Your router was asked to open a port and refused: allow it for this computer there.")
    if mapping in _HARD:
        found.append(
            "If your router has a setting for the kind of NAT (strict, symmetric, port randomization), "
            "choose the open or moderate one. A VPN or mobile network often is a hard NAT: try without."
        )
    return found
