"""What the operator should know or do next, told at each start in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from wlnet.config.schema import Config
from wlnet.link.addresses import OwnAddress
from wlnet.service.listening import Bound

CLIENT_LOBBY_PORT = 7395
CLIENT_RELAY_PORT = 7397
"""Built into released Widelands clients; the relay's cannot be told to them."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One sentence or two."""

    text: str
    warning: bool = False


def start_advice(config: Config, bound: Iterable[Bound], own: OwnAddress) -> list[Advice]:
    """What to tell the operator once everything listens.

    :param bound: all listening sockets of this process.
    :param own: this machine's address of a family (4 or 6) towards the world, or None.
    """
    sockets = list(bound)
    lobby = [one for one in sockets if one.name == "lobby"]
    relay = [one for one in sockets if one.name == "relay"]
    advice: list[Advice] = []
    if lobby:
        advice += _lobby_advice(_reachable(lobby, own), lobby[0].port)
    if relay:
        advice += _relay_advice(config, _reachable(relay, own), relay[0].port)
    if lobby and not relay:
        advice += _link_advice(config, [one for one in sockets if one.name == "link"])
    if relay and not lobby:
        advice.append(
            Advice(f"The lobby is looked for at {config.link.lobby}; games start once it is found.")
        )
    return advice


def _lobby_advice(hosts: list[str], port: int) -> list[Advice]:
    if not hosts:
        return [Advice("The lobby listens, but this machine has no address players could reach it at.", True)]
    other = "" if port == CLIENT_LOBBY_PORT else f" --metaserverport={port}"
    advice = [
        Advice(f"Players reach the lobby at {_either(hosts)}, port {port}."),
        Advice(f"To play, start Widelands with: widelands --metaserver={hosts[0]}{other}"),
    ]
    if all(ip_address(host).is_loopback for host in hosts):
        advice.append(Advice("Only players on this machine reach it; for others change lobby.listen.", True))
    return advice


def _relay_advice(config: Config, hosts: list[str], port: int) -> list[Advice]:
    advice: list[Advice] = []
    told = list(config.relay.public_addresses) or hosts
    if told:
        automatic = "" if config.relay.public_addresses else " (or the address they reach the lobby at)"
        advice.append(Advice(f"Players are told to find the relay at {_both(told)}{automatic}, port {port}."))
    else:
        advice.append(
            Advice(
                "This machine has no address players could reach the relay at; set relay.public_addresses.",
                True,
            )
        )
    if port != CLIENT_RELAY_PORT:
        advice.append(
            Advice(
                f"Released Widelands clients use relay port {CLIENT_RELAY_PORT} whatever the server says, so "
                f"nobody can play through port {port} unless something forwards {CLIENT_RELAY_PORT} to it; "
                "change relay.port.",
                True,
            )
        )
    private = [host for host in told if not _public(host)]
    if private:
        remedy = "" if config.relay.public_addresses else ": set relay.public_addresses for players elsewhere"
        verb = "are no public addresses" if len(private) > 1 else "is no public address"
        advice.append(
            Advice(
                f"{_both(private)} {verb}, so only this network's players reach the relay there{remedy}.",
                True,
            )
        )
    return advice


def _link_advice(config: Config, link: list[Bound]) -> list[Advice]:
    if not link:
        return []
    advice = [
        Advice(
            f"Relays link to this lobby at {link[0].host}, port {link[0].port}; each needs a copy of "
            f"the secret file ({config.link.secret_file})."
        )
    ]
    if ip_address(link[0].host).is_loopback:
        advice.append(Advice("Only relays on this machine can link; for others change link.listen."))
    return advice


def _reachable(sockets: list[Bound], own: OwnAddress) -> list[str]:
    """The addresses *sockets* listen on, wildcards replaced by this machine's own address."""
    found: list[str] = []
    for one in sockets:
        address = ip_address(one.host)
        host = own(address.version) if address.is_unspecified else one.host
        if host is not None and host not in found:
            found.append(host)
    return found


def _public(host: str) -> bool:
    return ip_address(host).is_global


def _either(hosts: list[str]) -> str:
    return " or ".join(hosts)


def _both(hosts: list[str]) -> str:
    return " and ".join(hosts)
