"""What can happen to a network while a game is played over it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.natlab.lab import Lab
from tests.natlab.site import Site

# Seconds; the game must not stand still for longer than that beyond what nobody can help.
FALLBACK = 2.0

Happening = Callable[[Lab, Site, Site], None]


@dataclass(frozen=True)
class Event:
    """Something that happens to the host's home (the first site) or the guest's.

    :ivar outage: seconds during which nothing can come through, whatever a program does.
    :ivar best: whether the best path of before is possible again afterwards.
    """

    happen: Happening
    outage: float = 0.0
    best: bool = True


def _guest_restarts(lab: Lab, host: Site, guest: Site) -> None:
    guest.router.reboot()


def _host_restarts(lab: Lab, host: Site, guest: Site) -> None:
    host.router.reboot()


def _new_mapping(lab: Lab, host: Site, guest: Site) -> None:
    guest.router.new_mapping()


def _guest_roams(lab: Lab, host: Site, guest: Site) -> None:
    guest.router.reboot(new_ip=True)


def _host_roams(lab: Lab, host: Site, guest: Site) -> None:
    host.router.reboot(new_ip=True)


def _blocked(lab: Lab, host: Site, guest: Site) -> None:
    """The two do not reach each other any more; both reach the server."""
    one, other = host.public_ipv4, guest.public_ipv4
    rules = [f"ip saddr {a} ip daddr {b} drop" for a, b in ((one, other), (other, one))]
    hook = "type filter hook forward priority -20; policy accept;"
    name = f"apart_{one}_{other}".replace(".", "_")
    lab.core.namespace.nft(
        f"table inet {name} {{\nchain forward {{\n{hook}\n" + "\n".join(rules) + "\n}\n}\n"
    )


def _cut(seconds: float) -> Happening:
    def happen(lab: Lab, host: Site, guest: Site) -> None:
        guest.link.down()
        time.sleep(seconds)
        guest.link.up()

    return happen


def _lossy(lab: Lab, host: Site, guest: Site) -> None:
    guest.link.set_loss(0.1)


EVENTS = {
    "guest's router restarts": Event(_guest_restarts),
    "host's router restarts": Event(_host_restarts),
    "guest's router gives other ports": Event(_new_mapping),
    "guest gets another address": Event(_guest_roams),
    "host gets another address": Event(_host_roams),
    "the two are cut off from each other": Event(_blocked, best=False),
    "guest's line is cut for 5 s": Event(_cut(5.0), outage=5.0),
    "a tenth of the guest's packets is lost": Event(_lossy),
}
