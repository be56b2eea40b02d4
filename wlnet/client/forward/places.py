"""Where the game is on this machine, and where it may be spoken to, as players write it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

LOCALHOST = "localhost"


class Traffic(StrEnum):
    """What a game speaks."""

    TCP = "tcp"
    UDP = "udp"


class Target(Struct, frozen=True):
    """The hosted game.

    :ivar addresses: IP literals, the one to try first in front.
    """

    traffic: Traffic
    addresses: tuple[str, ...]
    port: int

    def __str__(self) -> str:
        """For people."""
        return f"{self.traffic.value} {_joined(self.addresses[0], self.port)}"


class Place(Struct, frozen=True):
    """Where a guest's game finds the other player.

    :ivar traffic: None: both, until it is known what the host's game speaks.
    :ivar port: 0: any free one.
    """

    traffic: Traffic | None
    address: str
    port: int

    @property
    def family(self) -> Family:
        """Of the address."""
        return family_of(self.address)

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine get there."""
        return parse_address(self.address).is_loopback


def parse_target(traffic: Traffic, text: str) -> Target:
    """``ADDR:PORT``; the address is an IP literal (IPv6 in brackets) or ``localhost``.

    :raises ValueError: it is none; the exception's text is a sentence.
    """
    host, port = _parse(text, lowest=1)
    if host == LOCALHOST:
        return Target(traffic, ("127.0.0.1", "::1"), port)
    return Target(traffic, (host,), port)


def parse_place(text: str) -> Place:
    """``[tcp:|udp:]ADDR:PORT``.

    :raises ValueError: it is none; the exception's text is a sentence.
    """
    traffic: Traffic | None = None
    for one in Traffic:
        prefix = f"{one.value}:"
        if text.startswith(prefix):
            traffic, text = one, text.removeprefix(prefix)
            break
    host, port = _parse(text, lowest=0)
    return Place(traffic, "127.0.0.1" if host == LOCALHOST else host, port)


def family_of(address: str) -> Family:
    """Of an IP literal."""
    return Family.V6 if ":" in address else Family.V4


def endpoint(address: str, port: int) -> Endpoint:
    """Written as sockets tell it."""
    return Endpoint(str(parse_address(address)), port)


def _parse(text: str, lowest: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(
            f"{text!r} is no address and port: write IPv6 addresses in brackets, like [::1]:7396."
        )
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise ValueError(f"{text!r} is no address and port: write it like 127.0.0.1:7396.")
    if not lowest <= int(port) <= 65535:
        raise ValueError(f"{text!r}: a port is a number from {lowest} to 65535.")
    if host == LOCALHOST:
        return host, int(port)
    try:
        return str(parse_address(host)), int(port)
    except ValueError:
        raise ValueError(f"{text!r}: {host!r} is no IP address; write it like 127.0.0.1:7396.") from None


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
