"""A home: its router, its line, its hosts; and a carrier, which homes can be behind."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.natlab.kinds import Kind
from tests.natlab.links import Link
from tests.natlab.namespace import Namespace
from tests.natlab.router import Router
from tests.natlab.upstream import Upstream

LAN = "192.168.1"
INSIDE = f"{LAN}.0/24"
GATEWAY = f"{LAN}.1"
FIRST_HOST = 10
MOST_HOSTS = 100


@dataclass(eq=False)
class Host:
    """A guest's computer. `ipv4` is its own address, as it sees it; `ipv6` is "" if it has none."""

    namespace: Namespace
    ipv4: str
    ipv6: str

    def run(self, arguments: Sequence[str], **keywords: Any) -> subprocess.CompletedProcess[str]:
        """See `Namespace.run`."""
        return self.namespace.run(arguments, **keywords)

    def popen(self, arguments: Sequence[str], **keywords: Any) -> subprocess.Popen[Any]:
        """See `Namespace.popen`."""
        return self.namespace.popen(arguments, **keywords)

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        """A socket of this process that belongs to the host."""
        return self.namespace.socket(family, kind)


@dataclass(eq=False)
class Server(Host):
    """The host with two addresses of each family."""

    second_ipv4: str
    second_ipv6: str


@dataclass(eq=False)
class Carrier:
    """A carrier's router; the homes behind it share its public address."""

    router: Router
    inside: Upstream

    @property
    def public_ipv4(self) -> str:
        """The address its homes have for the rest of the world."""
        return self.router.wan


@dataclass(eq=False)
class Site:
    """A home of one of the KINDS. With no translation (`open`, `open-fw`) its host has the public address."""

    name: str
    kind: Kind
    router: Router
    hosts: list[Host]
    carrier: Carrier | None

    @property
    def host(self) -> Host:
        """The first, mostly only, host."""
        return self.hosts[0]

    @property
    def link(self) -> Link:
        """The line between the router and what is above it."""
        return self.router.link

    @property
    def public_ipv4(self) -> str:
        """The address the server sees."""
        return self.carrier.public_ipv4 if self.carrier else self.router.wan

    def run(self, arguments: Sequence[str], **keywords: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on the first host; see `Namespace.run`."""
        return self.host.run(arguments, **keywords)

    def popen(self, arguments: Sequence[str], **keywords: Any) -> subprocess.Popen[Any]:
        """Start a process on the first host; see `Namespace.popen`."""
        return self.host.popen(arguments, **keywords)
