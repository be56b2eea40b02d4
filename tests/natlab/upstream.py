"""What a router's outer side is attached to: the core of the laboratory, or a carrier."""

from __future__ import annotations

from dataclasses import dataclass

from tests.natlab.links import Link, Wires
from tests.natlab.namespace import Namespace, batch

# RFC 5737 and RFC 3849 documentation prefixes: the server's, and two for public addresses of sites.
SERVERS = ("192.0.2.10", "192.0.2.11")
SERVERS_V6 = ("2001:db8::10", "2001:db8::11")
CORE = "192.0.2.1"
PUBLIC = ("198.51.100", "203.0.113")
# miniupnpd maps nothing if its address is in a documentation prefix. These two are not on its list, and no
# packet of the laboratory can leave it.
PUBLIC_WITH_IGD = ("192.0.1", "192.0.3")
# RFC 6598, between carrier and home.
SHARED = ("100.64.0", "100.64.1")
# What a carrier uses inside that took addresses which are not its own; a router takes them for public ones.
SQUATTED = ("192.0.5", "192.0.6")
CARRIER = "100.64.0.1"
ABOVE_V6 = "fe80::1"
BELOW_V6 = "fe80::2"
MOST = 250


@dataclass(frozen=True)
class Access:
    """One place to attach a router to: the device above, the addresses it may have."""

    device: str
    addresses: tuple[str, str]


class Upstream:
    """The core, or the inner side of a carrier."""

    def __init__(
        self,
        namespace: Namespace,
        gateway: str,
        wires: Wires,
        parent: Parent | None = None,
        *,
        squats: bool = False,
    ) -> None:
        self.namespace = namespace
        self.gateway = gateway
        self._wires = wires
        self._parent = parent
        self._squats = squats
        self._used = 1

    def access(self, *, igd: bool = False) -> Access:
        """The next free place.

        Raises ValueError if all are in use.
        """
        self._used += 1
        if self._used > MOST:
            raise ValueError(f"no more than {MOST - 1} sites")
        inner = SQUATTED if self._squats else SHARED
        prefixes = inner if self._parent else PUBLIC_WITH_IGD if igd else PUBLIC
        one, other = (f"{prefix}.{self._used}" for prefix in prefixes)
        return Access(f"s{self._used}", (one, other))

    def attach(self, router: Namespace, access: Access, delay: float | None) -> Link:
        """Make the line from here to `wan` of the router. A delay (seconds one way; None: none, for good)."""
        wire = None
        if delay is None:
            here = f"{access.device} netns {self.namespace.name}"
            batch([f"link add wan netns {router.name} type veth peer name {here}"])
        else:
            wire = self._wires.add((self.namespace, access.device), (router, "wan"), delay)
        self.namespace.ip(
            [
                f"link set {access.device} up",
                f"address add {ABOVE_V6}/64 dev {access.device} nodad",
                f"route add {access.addresses[0]} via inet6 {BELOW_V6} dev {access.device}",
            ]
        )
        router.ip(
            [
                "link set lo up",
                "link set wan up",
                f"address add {BELOW_V6}/64 dev wan nodad",
                f"route add {self.gateway} dev wan scope link",
                f"route add default via {self.gateway} dev wan",
                f"route add default via {ABOVE_V6} dev wan",
            ]
        )
        return Link(self.namespace, access.device, self._wires, wire)

    def route_v6(self, prefix: str, access: Access) -> None:
        """Send what is for this IPv6 prefix to that place."""
        self.namespace.ip([f"route add {prefix} via {BELOW_V6} dev {access.device}"])
        if self._parent is not None:
            self._parent.upstream.route_v6(prefix, self._parent.access)

    def move(self, access: Access, old: str, new: str) -> None:
        """The router at that place has another address from now on."""
        self.namespace.ip([f"route add {new} via inet6 {BELOW_V6} dev {access.device}", f"route del {old}"])


@dataclass(frozen=True)
class Parent:
    """Where a carrier is attached itself."""

    upstream: Upstream
    access: Access
