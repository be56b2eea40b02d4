"""Addresses as limits see them: one key a customer, trusted networks, shortened for logs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


@lru_cache(maxsize=4096)
def parse_address(text: str) -> IPAddress:
    """An address literal, IPv4-mapped IPv6 addresses as IPv4, zone identifiers dropped.

    :raises ValueError: *text* is no IP address.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def address_key(text: str) -> str:
    """What limits and bans count as one customer: an IPv4 address, or the /64 of an IPv6 address.

    A home gets at least a /64 (RFC 6177), so single IPv6 addresses would be no limit at all. Text that
    is no address (a UNIX socket path) is its own key.
    """
    try:
        address = parse_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


def shorten(text: str) -> str:
    """The address for a log that shall not name a person: /24 of IPv4, /48 of IPv6 (``203.0.113.x``)."""
    try:
        address = parse_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv4Address):
        return str(address).rpartition(".")[0] + ".x"
    return str(IPv6Network((address, 48), strict=False)).removesuffix("/48") + "x"


class TrustedNetworks:
    """Networks no per-address limit applies to; loopback always belongs to them.

    :param networks: CIDR texts (``10.1.0.0/16``, ``2001:db8::/32``).
    :raises ValueError: one of them is no network.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(ip_network(text) for text in networks)

    def __contains__(self, text: str) -> bool:
        try:
            address = parse_address(text)
        except ValueError:
            return False
        return address.is_loopback or any(address in network for network in self._networks)
