"""The laboratory: a server, a core, and homes with the routers one wants."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from types import TracebackType

from tests.natlab import names
from tests.natlab.igd import Igd
from tests.natlab.kinds import CARRIERS, KINDS, V6
from tests.natlab.links import Wires
from tests.natlab.namespace import FORWARDING, QUIET, LabError, Namespace, batch
from tests.natlab.router import Router
from tests.natlab.rules import Policy
from tests.natlab.site import FIRST_HOST, GATEWAY, INSIDE, LAN, MOST_HOSTS, Carrier, Host, Server, Site
from tests.natlab.upstream import (
    ABOVE_V6,
    BELOW_V6,
    CARRIER,
    CORE,
    SERVERS,
    SERVERS_V6,
    Access,
    Parent,
    Upstream,
)

PROGRAMS = ("ip", "nft", "setpriv")


def why_not() -> str:
    """Why there can be no laboratory here; "" if there can."""
    if os.geteuid() != 0:
        return "not root"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (see tests/natlab/packages.txt)"
    name = f"{names.stem()}-try"
    namespace = Namespace(name)
    try:
        batch([f"netns add {name}"])
        namespace.nft("table inet try {\nchain try { type nat hook postrouting priority 100; }\n}\n")
    except LabError as error:
        return str(error).strip().partition("\n")[0]
    finally:
        names.remove([name])
    return ""


class Lab:
    """A context manager; everything it made is gone at its end."""

    def __init__(self) -> None:
        self._stem = names.stem()
        self._namespaces: list[Namespace] = []
        self._igds: list[Igd] = []
        self._wires = Wires()
        self._sites = 0
        self._v6_prefixes = 0

    def __enter__(self) -> Lab:
        names.sweep()
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, delete all namespaces."""
        for igd in self._igds:
            igd.close()
        for namespace in self._namespaces:
            namespace.end_processes()
        self._wires.close()
        names.remove([namespace.name for namespace in self._namespaces])
        self._namespaces.clear()
        self._igds.clear()

    def _new(self, roles: Sequence[str], *, forwards: bool) -> list[Namespace]:
        made = [Namespace(f"{self._stem}-{role}") for role in roles]
        self._namespaces += made
        batch([f"netns add {namespace.name}" for namespace in made])
        for namespace in made:
            namespace.sysctl(QUIET | FORWARDING if forwards else QUIET)
        return made

    def _build(self) -> None:
        (core,) = self._new(["core"], forwards=True)
        (server,) = self._new(["server"], forwards=False)
        batch([f"link add eth0 netns {server.name} type veth peer name server netns {core.name}"])
        core.ip(
            [
                "link set lo up",
                "link set server up",
                f"address add {CORE}/24 dev server",
                f"address add {ABOVE_V6}/64 dev server nodad",
                *(f"route add {address} via {BELOW_V6} dev server" for address in SERVERS_V6),
            ]
        )
        server.ip(
            [
                "link set lo up",
                "link set eth0 up",
                f"address add {BELOW_V6}/64 dev eth0 nodad",
                *(f"address add {address}/24 dev eth0" for address in SERVERS),
                *(f"address add {address}/128 dev eth0 nodad" for address in SERVERS_V6),
                f"route add default via {CORE}",
                f"route add default via {ABOVE_V6} dev eth0 src {SERVERS_V6[0]}",
            ]
        )
        self.server = Server(server, SERVERS[0], SERVERS_V6[0], SERVERS[1], SERVERS_V6[1])
        self.core = Upstream(core, CORE, self._wires)

    def carrier(
        self,
        kind: str = "cgn",
        *,
        hairpin: bool = False,
        squats: bool = False,
        delay: float | None = None,
        udp_timeout: int | None = None,
    ) -> Carrier:
        """A carrier of the CARRIERS; see `site` for the rest.

        If it `squats`, its homes have addresses that look public. So an IGD there maps ports, to no avail.
        """
        self._sites += 1
        (namespace,) = self._new([f"{self._sites}-carrier"], forwards=True)
        access = self.core.access()
        link = self.core.attach(namespace, access, delay)
        namespace.ip([f"address add {access.addresses[0]}/32 dev wan", f"address add {CARRIER}/32 dev lo"])
        policy = Policy(
            CARRIERS[kind],
            access.addresses[0],
            SERVERS,
            random.getrandbits(31),
            hairpin=hairpin,
            carrier=True,
            v6=V6.OPEN,
            udp_timeout=udp_timeout,
        )

        def move(old: str, new: str) -> None:
            _readdress(namespace, "wan", old, new)
            self.core.move(access, old, new)

        router = Router(namespace, policy, link, access.addresses, move)
        router.load()
        inside = Upstream(namespace, CARRIER, self._wires, Parent(self.core, access), squats=squats)
        return Carrier(router, inside)

    def site(
        self,
        kind: str,
        *,
        carrier: Carrier | None = None,
        hosts: int = 1,
        hairpin: bool = False,
        isolated: bool = False,
        v6: V6 | None = None,
        delay: float | None = None,
        udp_timeout: int | None = None,
    ) -> Site:
        """A home of one of the KINDS.

        `carrier` is what it is behind; a kind with a carrier gets one of its own if none is given.
        `hosts` are in one LAN, which cannot reach each other there if `isolated`; `hairpin` lets them reach
        each other's external endpoints. `delay` is in seconds one way; None is none, and cannot be
        changed later. `udp_timeout` is in seconds, for the home's router and the carrier it brought.

        Raises ValueError for wishes that do not go together, LabError if a command fails.
        """
        wanted = KINDS[kind]
        translates = wanted.router.translates
        if not 1 <= hosts <= (MOST_HOSTS if translates else 1):
            raise ValueError(f"{hosts} hosts at a home that is {kind}")
        if carrier is not None and not translates:
            raise ValueError(f"{kind} behind a carrier")
        if carrier is None and wanted.carrier is not None:
            name = next(name for name, behaviour in CARRIERS.items() if behaviour == wanted.carrier)
            carrier = self.carrier(name, udp_timeout=udp_timeout)
        self._sites += 1
        name = f"{self._sites}-{kind}"
        (router_namespace,) = self._new([f"{name}-router"], forwards=True)
        host_namespaces = self._new([f"{name}-host{number}" for number in range(hosts)], forwards=False)
        above = carrier.inside if carrier else self.core
        access = above.access(igd=wanted.igd)
        link = above.attach(router_namespace, access, delay)
        v6 = wanted.v6 if v6 is None else v6
        policy = Policy(
            wanted.router,
            access.addresses[0],
            SERVERS,
            random.getrandbits(31),
            hairpin=hairpin,
            igd=wanted.igd,
            v6=v6,
            udp_timeout=udp_timeout,
        )

        def move(old: str, new: str) -> None:
            if translates:
                _readdress(router_namespace, "wan", old, new)
            else:
                _readdress(host_namespaces[0], "eth0", old, new)
                # Deleting its old address may have taken the routes of the device.
                host_namespaces[0].ip(_host_routes())
                router_namespace.ip([f"route add {new} dev lan", f"route del {old} dev lan"])
                made[0].ipv4 = new
            above.move(access, old, new)

        router = Router(router_namespace, policy, link, access.addresses, move)
        made = self._furnish(router, access, host_namespaces, isolated=isolated)
        if v6 is not V6.NONE:
            self._give_v6(above, access, router_namespace, made)
        router.load()
        if wanted.igd:
            router.igd = Igd(router_namespace, self._stem, INSIDE)
            self._igds.append(router.igd)
            router.igd.start()
        return Site(name, wanted, router, made, carrier)

    def _furnish(
        self, router: Router, access: Access, namespaces: list[Namespace], *, isolated: bool
    ) -> list[Host]:
        """LAN and hosts."""
        inside = router.namespace
        translates = router.policy.behaviour.translates
        batch(
            f"link add eth0 netns {namespace.name} type veth peer name lan{number} netns {inside.name}"
            for number, namespace in enumerate(namespaces)
        )
        lines = ["link add name lan type bridge mcast_snooping 0", "link set lan up"]
        for number in range(len(namespaces)):
            lines += [f"link set lan{number} master lan up"]
            if isolated:
                lines += [f"link set lan{number} type bridge_slave isolated on"]
        lines += [f"address add {GATEWAY}/24 dev lan"]
        public = access.addresses[0]
        lines += [f"address add {public}/32 dev wan"] if translates else [f"route add {public} dev lan"]
        inside.ip(lines)
        hosts = []
        for number, namespace in enumerate(namespaces):
            address = f"{LAN}.{FIRST_HOST + number}" if translates else public
            length = 24 if translates else 32
            namespace.ip(
                [
                    "link set lo up",
                    "link set eth0 up",
                    f"address add {address}/{length} dev eth0",
                    *_host_routes(),
                ]
            )
            hosts.append(Host(namespace, address, ""))
        return hosts

    def _give_v6(self, above: Upstream, access: Access, router: Namespace, hosts: list[Host]) -> None:
        self._v6_prefixes += 1
        prefix = f"2001:db8:{self._v6_prefixes:x}:"
        # Routers ask for neighbours from a link-local address only.
        router.ip([f"address add {prefix}:1/64 dev lan nodad", f"address add {ABOVE_V6}/64 dev lan nodad"])
        for number, host in enumerate(hosts):
            host.ipv6 = f"{prefix}:{FIRST_HOST + number}"
            host.namespace.ip(
                [f"address add {host.ipv6}/64 dev eth0 nodad", f"route add default via {prefix}:1 dev eth0"]
            )
        above.route_v6(f"{prefix}:/64", access)


def _host_routes() -> list[str]:
    return [f"route replace {GATEWAY} dev eth0 scope link", f"route replace default via {GATEWAY} dev eth0"]


def _readdress(namespace: Namespace, device: str, old: str, new: str) -> None:
    namespace.ip([f"address add {new}/32 dev {device}", f"address del {old}/32 dev {device}"])
