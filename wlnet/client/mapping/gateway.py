"""The default gateway, read from what systems say of their routes."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from wlnet.limits.addresses import parse_address
from wlnet.steering.view import is_public

MAX_LINES = 20000

_UP, _GATEWAY = 0x1, 0x2
_ZONE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Gateways(Struct, frozen=True):
    """IP literals of the default gateways; link-local ones with their zone. Empty: none is known."""

    v4: str = ""
    v6: str = ""


def parse_linux_v4(table: str) -> str:
    """``/proc/net/route``: the up default route of the least metric."""
    best: tuple[int, str] | None = None
    for line in table.splitlines()[1:MAX_LINES]:
        fields = line.split()
        if len(fields) < 8:
            continue
        try:
            destination, gateway, mask = (int(fields[place], 16) for place in (1, 2, 7))
            flags, metric = int(fields[3], 16), int(fields[6])
        except ValueError:
            continue
        if destination or mask or not gateway or flags & (_UP | _GATEWAY) != _UP | _GATEWAY:
            continue
        address = str(IPv4Address(gateway.to_bytes(4, "little")))
        if best is None or metric < best[0]:
            best = metric, address
    return best[1] if best is not None else ""


def parse_linux_v6(table: str) -> str:
    """``/proc/net/ipv6_route``: likewise."""
    best: tuple[int, str] | None = None
    for line in table.splitlines()[:MAX_LINES]:
        fields = line.split()
        if len(fields) < 10:
            continue
        try:
            destination, length, gateway, metric, flags = (
                int(fields[place], 16) for place in (0, 1, 4, 5, 8)
            )
            if destination or length or not gateway or flags & (_UP | _GATEWAY) != _UP | _GATEWAY:
                continue
            text = _zoned(IPv6Address(gateway), fields[9])
        except ValueError:
            continue
        if text and (best is None or metric < best[0]):
            best = metric, text
    return best[1] if best is not None else ""


def parse_netstat(table: str) -> Gateways:
    """``netstat -rn`` of macOS and the BSDs: the first default route of each family counts."""
    found: dict[int, str] = {}
    for line in table.splitlines()[:MAX_LINES]:
        fields = line.split()
        if len(fields) < 4 or fields[0] not in ("default", "0.0.0.0/0", "::/0") or "G" not in fields[2]:
            continue
        text, _, zone = fields[1].partition("%")
        try:
            address = parse_address(text)
            literal = _zoned(address, zone) if isinstance(address, IPv6Address) else str(address)
        except ValueError:  # link#12
            continue
        if literal and not address.is_unspecified:
            found.setdefault(address.version, literal)
    return Gateways(found.get(4, ""), found.get(6, ""))


def parse_route_print(table: str) -> Gateways:
    """``route print`` of Windows, in any language: only the numbers are looked at."""
    best: dict[int, tuple[int, str]] = {}
    for line in table.splitlines()[:MAX_LINES]:
        fields = line.split()
        try:
            if len(fields) == 5 and fields[:2] == ["0.0.0.0", "0.0.0.0"]:  # noqa: S104 - no socket
                version, metric, literal = 4, int(fields[4]), str(IPv4Address(fields[2]))
            elif len(fields) == 4 and fields[2] == "::/0":
                version, metric = 6, int(fields[1])
                literal = _zoned(IPv6Address(fields[3]), fields[0])
            else:
                continue
        except ValueError:
            continue
        if literal and (version not in best or metric < best[version][0]):
            best[version] = metric, literal
    return Gateways(best.get(4, (0, ""))[1], best.get(6, (0, ""))[1])


def guess_v4(source: str) -> str:
    """``.1`` of the /24 of our private address, as in most homes; empty if that is us or not private."""
    try:
        address = IPv4Address(source)
    except ValueError:
        return ""
    first = IPv4Address(int(address) & 0xFFFFFF00 | 1)
    if is_public(source) or address.is_loopback or address.is_link_local or first == address:
        return ""
    return str(first)


def _zoned(address: IPv6Address, zone: str) -> str:
    if not address.is_link_local:
        return str(address)
    return f"{address}%{zone}" if _ZONE.fullmatch(zone) else ""
