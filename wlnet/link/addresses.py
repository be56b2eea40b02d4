"""Which addresses of a relay a player is told: one or two literals, the player's own family first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from wlnet.limits.addresses import IPAddress, parse_address

OwnAddress = Callable[[int], str | None]
"""Asks this machine for its own address of a family (4 or 6); None if it has none."""

_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


class RelayPlace(Struct, frozen=True, kw_only=True):
    """Where a relay can be reached, as far as it knows itself.

    ``public`` is ``relay.public_addresses``; ``listen`` is ``relay.listen``; ``own`` are the addresses its
    machine would use towards the world, used only if the relay runs on another machine than the lobby.
    """

    public: tuple[str, ...] = ()
    listen: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 (says where it listens, opens nothing)
    own: tuple[str, ...] = ()


def told_addresses(place: RelayPlace, reached_at: str, own: OwnAddress) -> tuple[str, ...]:
    """One or two literals of a relay on this machine for a player; empty if there is none he could use.

    :param place: where the relay listens and what the operator wants told.
    :param reached_at: this machine's address the player's lobby connection arrived at.
    :param own: finds this machine's address of the family *reached_at* is not of.
    """
    reached = _parse(reached_at)
    if place.public:
        found = _public(place)
    else:
        found = {}
        for family in (4, 6):
            address = _automatic(family, place.listen, reached, own)
            if address is not None:
                found[family] = address
    return _ordered(found, reached)


def told_addresses_elsewhere(place: RelayPlace, reached_at: str, link_peer: str) -> tuple[str, ...]:
    """The same for a relay on another machine, whose link to the lobby comes from *link_peer*.

    Without ``place.public`` the address the link comes from is told for its family, and the address the
    relay found for itself for the other one.
    """
    if place.public:
        return _ordered(_public(place), _parse(reached_at))
    found: dict[int, str] = {}
    for text in (*place.own, link_peer):  # the link's address was seen from here, so it is the better one
        address = _parse(text)
        if address is None or not _tellable(address) or address.is_loopback:
            continue
        listened = _listened(address.version, place.listen)
        if listened is None:
            continue
        if listened.is_unspecified:
            found[address.version] = str(address)
        elif not listened.is_loopback:
            found[address.version] = str(listened)
    return _ordered(found, _parse(reached_at))


def same_machine(link_peer: str, link_local: str) -> bool:
    """True if the two ends of a link are on one machine."""
    peer, local = _parse(link_peer), _parse(link_local)
    return peer is not None and (peer.is_loopback or peer == local)


def _public(place: RelayPlace) -> dict[int, str]:
    found: dict[int, str] = {}
    for text in place.public:
        address = _parse(text)
        if address is not None and _listened(address.version, place.listen) is not None:
            found.setdefault(address.version, str(address))
    return found


def _automatic(
    family: int, listen: tuple[str, ...], reached: IPAddress | None, own: OwnAddress
) -> str | None:
    """The address of one family, found from where the player arrived."""
    specific = [a for a in map(_parse, listen) if a is not None and a.version == family]
    if not specific:
        return None
    near = reached is not None and reached.is_loopback
    if not any(address.is_unspecified for address in specific):
        if reached in specific:
            return str(reached)
        usable = [address for address in specific if near or not address.is_loopback]
        return str(usable[0]) if usable else None
    if reached is not None and reached.version == family:
        if _tellable(reached):
            return str(reached)
    elif near:
        return _LOOPBACK[family]
    address = _parse(own(family) or "")
    if address is None or address.version != family or not _tellable(address) or address.is_loopback:
        return None
    return str(address)


def _listened(family: int, listen: Iterable[str]) -> IPAddress | None:
    """The wildcard of *family* if it is listened on, else the first address of it."""
    found: IPAddress | None = None
    for text in listen:
        address = _parse(text)
        if address is not None and address.version == family:
            if address.is_unspecified:
                return address
            found = found or address
    return found


def _ordered(found: dict[int, str], reached: IPAddress | None) -> tuple[str, ...]:
    first = 4 if reached is None else reached.version
    return tuple(found[family] for family in (first, 10 - first) if family in found)


def _tellable(address: IPAddress) -> bool:
    """A literal without a zone identifier says nothing about a link-local IPv6 address."""
    if isinstance(address, IPv6Address) and address.is_link_local:
        return False
    return not (address.is_unspecified or address.is_multicast)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return parse_address(text)
    except ValueError:
        return None
