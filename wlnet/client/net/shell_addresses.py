"""Endpoints as the socket module wants them, and what the system knows of its own addresses."""

from __future__ import annotations

import errno
import os
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import ifaddr

from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

FAMILIES = {Family.V4: socket.AF_INET, Family.V6: socket.AF_INET6}

Sockaddr = tuple[str, int] | tuple[str, int, int, int]


def open_socket(
    family: Family,
    kind: socket.SocketKind,
    reuse: bool,
    address: str,
    port: int | None,
    *,
    listens: bool = False,
) -> socket.socket:
    """A non-blocking socket.

    :param listens: connections of a former listener that are not forgotten yet do not matter.
    :param address: IP literal; empty: all of the family.
    :param port: to bind to, 0 any; None: not bound.
    :raises OSError: it cannot be bound.
    """
    sock = socket.socket(FAMILIES[family], kind)
    try:
        sock.setblocking(False)
        if family is Family.V6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        elif listens and os.name == "posix":  # on Windows it would take the port from somebody
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port is not None:
            wildcard = "0.0.0.0" if family is Family.V4 else "::"  # noqa: S104 - the caller said: all of them
            sock.bind(sockaddr(family, Endpoint(address or wildcard, port)))
    except BaseException:
        sock.close()
        raise
    return sock


def family_of(host: str) -> Family:
    """The family of an IP literal."""
    return Family.V6 if ":" in host else Family.V4


@lru_cache(maxsize=512)
def sockaddr(family: Family, endpoint: Endpoint) -> Sockaddr:
    """*endpoint* for a socket of *family*; names are never looked up here, as that would block.

    :raises OSError: it is no address of that family, or its zone or port does not exist.
    """
    host, _, zone = endpoint.host.partition("%")
    try:
        socket.inet_pton(FAMILIES[family], host)
    except (OSError, ValueError):
        raise OSError(errno.EAFNOSUPPORT, f"no IPv{family.value} address: {endpoint.host}") from None
    if not 0 <= endpoint.port <= 65535:
        raise OSError(errno.EINVAL, f"no port: {endpoint.port}")
    if family is Family.V4:
        return host, endpoint.port
    return host, endpoint.port, 0, _scope(zone) if zone else 0


def _scope(zone: str) -> int:
    if zone.isascii() and zone.isdigit():
        return min(int(zone), 2**32 - 1)
    return socket.if_nametoindex(zone)


def endpoint(address: Any) -> Endpoint:
    """What the socket module gave, link-local addresses with their zone as a number."""
    if len(address) > 2 and address[3] and "%" not in address[0]:
        return Endpoint(f"{address[0]}%{address[3]}", address[1])
    return Endpoint(address[0], address[1])


def interfaces() -> tuple[str, ...]:
    """See :meth:`wlnet.client.net.network.Network.interfaces`."""
    found: dict[str, None] = {}
    try:
        adapters = list(ifaddr.get_adapters())
    except OSError:
        return ()
    for adapter in adapters:
        for one in adapter.ips:
            text = one.ip if isinstance(one.ip, str) else one.ip[0]
            try:
                address = parse_address(text)
            except ValueError:
                continue
            if _of_use(address):
                found[str(address)] = None
    return tuple(found)


def _of_use(address: IPv4Address | IPv6Address) -> bool:
    return not (
        address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    )


def source_for(destination: Endpoint) -> str | None:
    """See :meth:`wlnet.client.net.network.Network.source_for`. Nothing is sent."""
    family = family_of(destination.host)
    try:
        with socket.socket(FAMILIES[family], socket.SOCK_DGRAM) as probe:
            probe.connect(sockaddr(family, Endpoint(destination.host, destination.port or 9)))
            return endpoint(probe.getsockname()).host
    except OSError:
        return None


def addresses_of(host: str, limit: int) -> tuple[str, ...]:
    """Look *host* up; this blocks.

    :raises OSError: it has none, or nobody answers.
    """
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(errno.EINVAL, f"no host name: {host!r}") from None
    found = dict.fromkeys(
        endpoint(answer[4]).host for answer in answers if answer[0] in (socket.AF_INET, socket.AF_INET6)
    )
    if not found:
        raise OSError(errno.EADDRNOTAVAIL, f"no address: {host!r}")
    return tuple(found)[:limit]
