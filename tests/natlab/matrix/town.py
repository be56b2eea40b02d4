"""All homes of the matrix in one laboratory, and who lives in which at the moment."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.natlab import conntrack
from tests.natlab.kinds import V6
from tests.natlab.lab import Lab
from tests.natlab.router import Router
from tests.natlab.site import Site

# Seconds one way between a home and the core: 40 ms from home to home and back.
DELAY = 0.01
ROUND_TRIP = 4 * DELAY

# Homes with IPv6 that no router filters, and what they are otherwise.
_WITH_V6 = {"v6-open": "port-restricted", "cgn-v6-open": "cgn"}


@dataclass(frozen=True)
class Sharing:
    """Two homes, or two computers of one, that share something; the first is the host's."""

    letter: str
    build: Callable[[Lab], tuple[Site, Site]]


def _lan(kind: str, *, isolated: bool = False, hairpin: bool = False) -> Callable[[Lab], tuple[Site, Site]]:
    def build(lab: Lab) -> tuple[Site, Site]:
        home = lab.site(kind, hosts=2, isolated=isolated, hairpin=hairpin, delay=DELAY)
        one, other = (dataclasses.replace(home, hosts=[host]) for host in home.hosts)
        return one, other

    return build


def _carrier(*, hairpin: bool) -> Callable[[Lab], tuple[Site, Site]]:
    def build(lab: Lab) -> tuple[Site, Site]:
        carrier = lab.carrier("cgn", hairpin=hairpin, delay=DELAY)
        one, other = (lab.site("port-restricted", carrier=carrier) for _ in range(2))
        return one, other

    return build


SHARING = {
    "LAN": Sharing("L", _lan("port-restricted")),
    "LAN behind sym-random": Sharing("L", _lan("sym-random")),
    "isolated, router hairpins": Sharing("P", _lan("port-restricted", isolated=True, hairpin=True)),
    "isolated, no hairpin": Sharing("R", _lan("port-restricted", isolated=True)),
    "carrier hairpins": Sharing("P", _carrier(hairpin=True)),
    "carrier, no hairpin": Sharing("R", _carrier(hairpin=False)),
}

# Pairs of homes with IPv6: name of each, and what they reach.
WITH_IPV6 = {
    ("v6-open", "v6-open"): "D",
    ("v6-open", "v6-fw"): "D",
    ("v6-open", "port-restricted"): "P",
    ("v6-open", "sym-random"): "R",
    ("cgn-v6-open", "v6-fw"): "D",
}


class Town:
    """Up to two homes of each kind, made when first needed and used by one pair at a time."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        # One thread makes them all: a router's processes end with the thread that started them.
        self._builder = ThreadPoolExecutor(1)
        self._changed = threading.Condition()
        self._homes: dict[str, list[Site]] = {}
        self._shared: dict[str, tuple[Site, Site]] = {}
        self._taken: set[str] = set()

    def is_free(self, one: str, other: str) -> bool:
        """Whether two homes of these kinds (or the two sharing something: equal names) can be had now."""
        with self._changed:
            return self._free(one, other)

    def _free(self, one: str, other: str) -> bool:
        if one in SHARING:
            return one not in self._taken
        return all(self._slot(kind, used) is not None for kind, used in ((one, 0), (other, one == other)))

    def _slot(self, kind: str, used: int) -> str | None:
        """The name of a free home of that kind, leaving out so many."""
        free = [name for name in (f"{kind}/{number}" for number in range(2)) if name not in self._taken]
        return free[used] if len(free) > used else None

    @contextmanager
    def pair(self, one: str, other: str) -> Iterator[tuple[Site, Site]]:
        """Wait for both homes, give them with nothing remembered by their routers, take them back."""
        with self._changed:
            self._changed.wait_for(lambda: self._free(one, other))
            names = [one] if one in SHARING else [self._take(one), self._take(other)]
            self._taken.update(names)
        try:
            sites = self._builder.submit(self._pair, names).result()
            for router in {id(router): router for site in sites for router in routers(site)}.values():
                conntrack.flush(router.namespace)
            yield sites
        finally:
            with self._changed:
                self._taken.difference_update(names)
                self._changed.notify_all()

    def own(self, one: str, other: str) -> tuple[Site, Site]:
        """Two new homes of these kinds for one use."""
        return self._builder.submit(lambda: (self._build(one), self._build(other))).result()

    def close(self) -> None:
        """No more homes are made."""
        self._builder.shutdown()

    def _build(self, kind: str) -> Site:
        v6 = V6.OPEN if kind in _WITH_V6 else None
        return self.lab.site(_WITH_V6.get(kind, kind), delay=DELAY, v6=v6)

    def _take(self, kind: str) -> str:
        name = self._slot(kind, 0)
        assert name is not None
        self._taken.add(name)
        return name

    def _pair(self, names: list[str]) -> tuple[Site, Site]:
        if len(names) == 2:
            return self._home(names[0]), self._home(names[1])
        (name,) = names
        if name not in self._shared:
            self._shared[name] = SHARING[name].build(self.lab)
        return self._shared[name]

    def _home(self, name: str) -> Site:
        kind, _, number = name.rpartition("/")
        homes = self._homes.setdefault(kind, [])
        while len(homes) <= int(number):
            homes.append(self._build(kind))
        return homes[int(number)]


def routers(site: Site) -> list[Router]:
    """Its own, and its carrier's."""
    return [site.router, site.carrier.router] if site.carrier else [site.router]


def flows(site: Site) -> str:
    """What the routers of a home remember, for people."""
    parts = []
    for router in routers(site):
        name = Path("/proc/thread-self/net/nf_conntrack")
        try:
            text = router.namespace.call(name.read_text)
        except OSError as error:
            text = f"{error}\n"
        parts.append(f"--- {router.namespace.name} at {router.wan}\n{text}")
    return "".join(parts)
