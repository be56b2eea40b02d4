"""What a player claims of himself: looked at before anybody is sent there."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from msgspec import Struct
from msgspec.structs import replace

from wlnet.limits.addresses import IPAddress, parse_address
from wlnet.steering.model import Candidate, CandidateKind
from wlnet.steering.view import Measured, is_public

_LOWEST_PORT = 1024
_WEB = 443
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""An IPv4 address as somebody behind NAT64 writes it (RFC 6052, RFC 8215); nobody's own."""


class Claims(Struct, frozen=True, kw_only=True):
    """One message's worth of it; see :class:`wlnet.steering.view.PeerView` for the fields."""

    candidates: tuple[Candidate, ...] = ()
    measured: tuple[Measured, ...] = ()
    udp: bool = True
    tcp: bool = True
    only_port: int = 0
    birthday: bool = False
    relay_only: bool = False
    complete: bool = False


def absurdity(candidate: Candidate, seen: Iterable[str], own: Iterable[str]) -> str | None:
    """Why nobody is to be sent to *candidate*, or None.

    :param seen: where servers of ours saw the player.
    :param own: addresses of our servers.
    """
    try:
        address = parse_address(candidate.address)
    except ValueError:
        return "is no address"
    problem = _nobodys(address) or _bad_ports(candidate)
    if problem is not None:
        return problem
    if any(address == parse_address(one) for one in seen):
        return None  # whatever it is, that is where the player is
    problem = _nowhere(address, own)
    if problem is None and candidate.kind is CandidateKind.SERVER_REFLEXIVE and not is_public(str(address)):
        return "is no address a server on the Internet sees"
    return problem


def is_credible(address: str, lobby: str, own: Iterable[str]) -> bool:
    """Whether a datagram from *address* can be of a player whose lobby connection comes from *lobby*.

    The sender of a datagram can be forged: who plays over the Internet is not at an address of this server's
    own network as well, where packets of ours would do what packets from outside cannot.
    """
    if not is_address(lobby):
        return True
    shown, known = parse_address(address), parse_address(lobby)
    if shown == known or known.is_loopback:
        return True
    if _nobodys(shown) is not None or _nowhere(shown, own) is not None:
        return False
    return is_public(str(shown)) or not is_public(str(known))


def _nobodys(address: IPAddress) -> str | None:
    if address.is_unspecified or address.is_multicast:
        return "is nobody's address"
    if isinstance(address, IPv4Address) and address in _THIS_NETWORK:
        return "is nobody's address"  # Linux takes 0.0.0.0 for itself, others the whole network
    if isinstance(address, IPv6Address) and any(address in network for network in _TRANSLATED):
        return "is a translation of an address, and good in one network only"
    return None


def _bad_ports(candidate: Candidate) -> str | None:
    if candidate.kind is CandidateKind.PREDICTED:
        return "is a prediction, and those are made by the server"
    if candidate.kind is CandidateKind.SERVER_REFLEXIVE and not candidate.base_port:
        return "names no local port"
    for port in (candidate.port, candidate.base_port or candidate.port):
        # The local port counts too: it is tried at the outer address, where it may be kept.
        if port < _LOWEST_PORT and port != _WEB:
            return "has a port that belongs to other services"
    return None


def _nowhere(address: IPAddress, own: Iterable[str]) -> str | None:
    """Why nobody but (perhaps) its owner gets anywhere by *address*."""
    if isinstance(address, IPv6Address):
        inner = address.sixtofour or (address.teredo[1] if address.teredo is not None else None)
        if inner is not None and not is_public(str(inner)):
            return "leads to a private address"
    if address.is_loopback:
        return "is on the player's own machine"
    if address.is_link_local:
        return "is good on one cable only"
    if address.is_reserved or str(address) == "255.255.255.255":
        return "is reserved"
    if any(address == parse_address(one) for one in own):
        return "is this server's"
    return None


def cleaned(candidate: Candidate, *, verified: bool) -> Candidate:
    """*candidate* with its address in the one way to write it, and with our own word on being verified."""
    return replace(candidate, address=str(parse_address(candidate.address)), verified=verified)


def is_address(text: str) -> bool:
    """*text* is an IP literal (and not, say, the path of a UNIX socket)."""
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
