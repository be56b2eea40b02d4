"""What goes through the middle of the laboratory's internet, counted by its packet filter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import NamedTuple

from tests.natlab.lab import Lab
from tests.natlab.site import Site

RELAY_PORT, PAIRS_PORT = 7397, 3479
# A relayed datagram of two peers: UDP's header, one byte of type 0x2b, a handle of eight; what follows is
# theirs, QUIC from 0x40 on (docs/protocols/pairs.md, paths.md).
_RELAYED_GAME = "@th,64,8 0x2b @th,136,8 >= 0x40"


class Amount(NamedTuple):
    packets: int
    bytes: int

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.packets - other.packets, self.bytes - other.bytes)


class Figures(NamedTuple):
    """Of one home.

    :ivar direct: between it and other homes.
    :ivar public_relay: between it and the relay of released games.
    :ivar pairs: between it and the relay of datagrams, over UDP, games that are played only.
    :ivar pairs_tcp: between it and that relay over TCP, all there is.
    """

    direct: Amount
    public_relay: Amount
    pairs: Amount
    pairs_tcp: Amount

    def since(self, before: Figures) -> Figures:
        return Figures(*(one - other for one, other in zip(self, before, strict=True)))


class Traffic:
    """Counters for some homes from now on, under whichever of their addresses."""

    def __init__(self, lab: Lab, sites: Iterable[Site]) -> None:
        self._lab = lab
        self._names = {id(site): f"home{number}" for number, site in enumerate(sites)}
        server = f"{{ {lab.server.ipv4}, {lab.server.second_ipv4} }}"
        rules, counters = [], []
        for site in sites:
            home = self._names[id(site)]
            device = site.carrier.router.link if site.carrier else site.link
            wire = device.device
            kinds = {
                "direct": (f"ip daddr != {server}", f"ip saddr != {server}"),
                "public_relay": (f"tcp dport {RELAY_PORT}", f"tcp sport {RELAY_PORT}"),
                "pairs": (
                    f"udp dport {PAIRS_PORT} {_RELAYED_GAME}",
                    f"udp sport {PAIRS_PORT} {_RELAYED_GAME}",
                ),
                "pairs_tcp": (f"tcp dport {PAIRS_PORT}", f"tcp sport {PAIRS_PORT}"),
            }
            for kind, (there, back) in kinds.items():
                counters.append(f"counter {home}_{kind} {{}}")
                rules.append(f'iifname "{wire}" {there} counter name {home}_{kind}')
                rules.append(f'oifname "{wire}" {back} counter name {home}_{kind}')
        hook = "type filter hook forward priority -30; policy accept;"
        lab.core.namespace.nft(
            "table inet traffic {\n" + "\n".join([*counters, "chain forward {", hook, *rules, "}"]) + "\n}\n"
        )

    def of(self, site: Site) -> Figures:
        """Until now."""
        done = self._lab.core.namespace.call(
            lambda: subprocess.run(
                ["nft", "-j", "list", "counters"], check=True, capture_output=True, text=True, timeout=20
            )
        )
        found = {}
        for entry in json.loads(done.stdout)["nftables"]:
            counter = entry.get("counter")
            if counter and counter["table"] == "traffic":
                found[counter["name"]] = Amount(counter["packets"], counter["bytes"])
        home = self._names[id(site)]
        return Figures(*(found[f"{home}_{kind}"] for kind in Figures._fields))
