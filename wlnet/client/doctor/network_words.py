"""What a network can do, in plain words."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wlnet.client.doctor.findings import Findings, LineFinding, MappingTrial, Reach, RelayLeg, Truth
from wlnet.client.mapping.words import Standing
from wlnet.steering.model import Allocation, Family, Filtering, Mapping, Technique, Transport
from wlnet.steering.view import is_public, lets_all_in


class Level(StrEnum):
    """How a remark is meant."""

    GOOD = "good"
    PLAIN = "plain"
    BAD = "bad"


class Remark(Struct, frozen=True):
    """A sentence about the network."""

    level: Level
    text: str


_LEGS = {
    Technique.RELAY_UDP: "UDP",
    Technique.RELAY_TCP: "TCP",
    Technique.RELAY_TLS: "TLS",
}


def remarks(findings: Findings) -> tuple[Remark, ...]:
    """From the lobby to the router."""
    found = [_lobby(findings)]
    if findings.only_port:
        found.append(
            Remark(Level.BAD, f"Only connections to TCP port {findings.only_port} get out of this network.")
        )
    else:
        for family in Family:
            found += _family(findings, family)
    found += _router(findings)
    found += _relay(findings)
    return tuple(found)


def _lobby(findings: Findings) -> Remark:
    if findings.lobby_reached:
        return Remark(Level.GOOD, f"The lobby {findings.lobby} answers.")
    return Remark(Level.BAD, findings.lobby_text or f"The lobby {findings.lobby} does not answer.")


# -- families -------------------------------------------------------------------------------------------


def _family(findings: Findings, family: Family) -> list[Remark]:
    name = f"IPv{family.value}"
    udp, tcp = findings.line(Transport.UDP, family), findings.line(Transport.TCP, family)
    if udp is None and tcp is None:
        return [Remark(Level.PLAIN, f"There is no {name} between you and the server.")]
    has_udp = findings.passes(Transport.UDP, family)
    has_tcp = findings.passes(Transport.TCP, family)
    if not has_udp and not has_tcp:
        return [Remark(Level.BAD, f"Over {name} nothing comes back from the server, neither UDP nor TCP.")]
    found: list[Remark] = []
    if udp is not None and has_udp:
        found += _nat(findings, udp)
    else:
        found.append(Remark(Level.BAD, f"UDP does not get out over {name}: games go over TCP there."))
        if tcp is not None:
            found += _nat(findings, tcp)
    if not has_tcp:
        found.append(Remark(Level.BAD, f"TCP to the server's other ports does not get out over {name}."))
    elif udp is not None and tcp is not None and has_udp and _harder(tcp, udp):
        found.append(Remark(Level.PLAIN, f"For TCP over {name} the NAT is harder than for UDP."))
    return found


def _nat(findings: Findings, line: LineFinding) -> list[Remark]:
    """Mapping, filtering, allocation, hairpin of the line that matters."""
    behaviour = line.behaviour
    name = f"IPv{line.family.value}"
    where = f" ({line.address})" if line.address else ""
    if behaviour.mapping is Mapping.NONE:
        found = [_public(findings, line, f"You have a public {name} address{where}")]
    elif behaviour.mapping is Mapping.UNKNOWN:
        found = [Remark(Level.PLAIN, f"What your {name} router does{where} could not be found out.")]
    elif behaviour.mapping is Mapping.ENDPOINT_INDEPENDENT:
        sure = "" if line.certain_mapping else ", as far as this server can tell"
        found = [
            Remark(
                Level.GOOD,
                f"Your {name} router{where} is an easy NAT{sure}: it uses one outer port for everybody.",
            ),
            _filter(line),
        ]
    else:
        found = [
            Remark(
                Level.BAD,
                f"Your {name} router{where} is a hard NAT: it uses another outer port for each player.",
            ),
            _filter(line),
        ]
    if behaviour.mapping not in (Mapping.NONE, Mapping.UNKNOWN):
        found += _allocation(line)
        if behaviour.hairpin is not None:
            found.append(_hairpin(hairpin=behaviour.hairpin))
    return found


def _public(findings: Findings, line: LineFinding, beginning: str) -> Remark:
    if findings.reachable(line.transport, line.family) or lets_all_in(line.behaviour):
        return Remark(Level.GOOD, f"{beginning}, and others reach you there.")
    if line.behaviour.filtering in (Filtering.ADDRESS_DEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT):
        return Remark(Level.GOOD, f"{beginning} behind a firewall that lets in only answers.")
    return Remark(Level.GOOD, f"{beginning}.")


def _filter(line: LineFinding) -> Remark:
    match line.behaviour.filtering:
        case Filtering.ENDPOINT_INDEPENDENT:
            return Remark(Level.GOOD, "Through a port that is open it lets everybody in.")
        case Filtering.ADDRESS_DEPENDENT:
            text = "It lets in whom you have sent something to, from any of his ports."
            if not line.certain_filtering:
                text = "It lets in those you have sent something to, perhaps everybody."
            return Remark(Level.GOOD, text)
        case Filtering.ADDRESS_AND_PORT_DEPENDENT:
            return Remark(Level.PLAIN, "It lets in only answers; both players have to send at the same time.")
        case _:
            return Remark(Level.PLAIN, "Whom it lets in could not be found out.")


def _allocation(line: LineFinding) -> list[Remark]:
    hard = line.behaviour.mapping in (Mapping.ADDRESS_DEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT)
    match line.behaviour.allocation:
        case Allocation.PRESERVING:
            return [Remark(Level.GOOD if hard else Level.PLAIN, "It mostly keeps the port of the program.")]
        case Allocation.SEQUENTIAL:
            step = line.behaviour.step
            return [
                Remark(Level.PLAIN, f"It counts its outer ports (by {step}): the next ones can be guessed.")
            ]
        case Allocation.RANDOM:
            if hard:
                return [Remark(Level.BAD, "Its outer ports are random: nobody can guess them.")]
            return [Remark(Level.PLAIN, "Its outer ports are not those of the program.")]
        case _:
            return []


def _hairpin(*, hairpin: bool) -> Remark:
    if hairpin:
        return Remark(Level.PLAIN, "Two players behind it reach each other by its outer address (hairpin).")
    return Remark(
        Level.PLAIN, "Two players behind it do not reach each other by its outer address (no hairpin)."
    )


def _harder(one: LineFinding, other: LineFinding) -> bool:
    hard = (Mapping.ADDRESS_DEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT)
    return one.behaviour.mapping in hard and other.behaviour.mapping not in hard


# -- the router -----------------------------------------------------------------------------------------


def _router(findings: Findings) -> list[Remark]:
    if not findings.trials:
        return []
    if not findings.gateway:
        return [Remark(Level.PLAIN, findings.trials[0].text)]
    silent = [trial for trial in findings.trials if trial.standing is Standing.SILENT]
    if len(silent) == len(findings.trials):
        names = ", ".join(trial.protocol.label for trial in silent[:-1])
        return [
            Remark(
                Level.PLAIN,
                f"Your router ({findings.gateway}) answers neither {names} nor "
                f"{silent[-1].protocol.label}: programs cannot ask it to open a port.",
            )
        ]
    found = [_trial(trial) for trial in findings.trials if trial.standing is not Standing.SILENT]
    if silent:
        names = " and ".join(trial.protocol.label for trial in silent)
        found.append(Remark(Level.PLAIN, f"It does not answer {names}."))
    return found


def _trial(trial: MappingTrial) -> Remark:
    name = trial.protocol.label
    if trial.standing is not Standing.MAPPED:
        return Remark(Level.BAD, trial.text)
    match trial.truth:
        case Truth.REACHED:
            return Remark(Level.GOOD, f"Your router opens ports by {name}, and the server got through one.")
        case Truth.OTHER_ADDRESS:
            return Remark(
                Level.BAD,
                f"Your router says by {name} that it opened a port at {trial.address}, but that is not where "
                "the server sees you: another NAT is in front of it, and nobody gets through.",
            )
        case Truth.NOT_REACHED:
            return Remark(
                Level.BAD,
                f"Your router says by {name} that it opened port {trial.port}, but nothing comes through.",
            )
        case _:
            return Remark(
                Level.PLAIN, f"Your router opens ports by {name}; nobody tested whether that is true."
            )


# -- the relay ------------------------------------------------------------------------------------------


def _relay(findings: Findings) -> list[Remark]:
    if not findings.legs:
        return []
    reached: list[str] = []
    found: list[Remark] = []
    for technique, name in _LEGS.items():
        legs = [leg for leg in findings.legs if leg.technique is technique]
        good = [leg for leg in legs if leg.reach is Reach.REACHED]
        if good:
            best = min(good, key=lambda leg: leg.rtt if leg.rtt is not None else 9.0)
            reached.append(f"{name} port {best.port}{_milliseconds(best)}")
        elif any(leg.reach is Reach.UNTRUSTED for leg in legs):
            found.append(
                Remark(Level.BAD, f"The relay's certificate at port {legs[0].port} cannot be trusted.")
            )
    if reached:
        found.insert(0, Remark(Level.GOOD, f"The relay answers over {', '.join(reached)}."))
    elif not found:
        found.append(Remark(Level.BAD, "The relay cannot be reached, neither over UDP nor TCP nor TLS."))
    return found


def _milliseconds(leg: RelayLeg) -> str:
    return f" ({leg.rtt * 1000:.0f} ms)" if leg.rtt is not None else ""


def behind_another_nat(findings: Findings) -> bool:
    """The router's own outer address is not the one we are seen at."""
    return any(
        trial.standing is Standing.PRIVATE
        or trial.truth is Truth.OTHER_ADDRESS
        or (trial.address and not is_public(trial.address))
        or "another NAT" in trial.text
        for trial in findings.trials
    )
