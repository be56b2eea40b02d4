"""What a player claims of himself: looked at before anybody is sent there."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from wlnet.limits.addresses import parse_address
from wlnet.steering.model import Candidate, CandidateKind
from wlnet.steering.view import Measured

_LOWEST_PORT = 1024
_WEB = 443


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
    if address.is_unspecified or address.is_multicast:
        return "is nobody's address"
    if candidate.kind is CandidateKind.PREDICTED:
        return "is a prediction, and those are made by the server"
    if candidate.port < _LOWEST_PORT and candidate.port != _WEB:
        return "has a port that belongs to other services"
    if candidate.kind is CandidateKind.SERVER_REFLEXIVE and not candidate.base_port:
        return "names no local port"
    if any(address == parse_address(one) for one in seen):
        return None  # whatever it is, that is where the player is
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
