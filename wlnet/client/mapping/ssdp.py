"""Looking for a UPnP gateway: M-SEARCH and its answers (UPnP Device Architecture 1.1 section 1.3)."""

from __future__ import annotations

from msgspec import Struct

GROUP = "239.255.255.250"
PORT = 1900
LARGEST = 4096
TARGETS = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
)
"""Routers of version 2 answer to version 1 too (section 1.3.2); a few know only of their service."""

_WORDS = ("internetgatewaydevice", "wanipconnection", "wanpppconnection", "wanconnectiondevice", "rootdevice")


class SsdpError(ValueError):
    """These bytes are no answer to a search of ours."""


class Advert(Struct, frozen=True):
    """A device that answered.

    :ivar location: the URL of its description.
    :ivar target: what it says it is.
    """

    location: str
    target: str


def encode_search(target: str, host: str = GROUP, longest_wait: int = 1) -> bytes:
    """A search for *target*; who answers may wait *longest_wait* seconds."""
    return (
        "M-SEARCH * HTTP/1.1\r\n"
        f"HOST: {host}:{PORT}\r\n"
        'MAN: "ssdp:discover"\r\n'
        f"MX: {longest_wait}\r\n"
        f"ST: {target}\r\n"
        "\r\n"
    ).encode("ascii")


def decode_answer(data: bytes) -> Advert:
    """Read an answer of an Internet gateway.

    :raises SsdpError: it is none.
    """
    if len(data) > LARGEST:
        raise SsdpError("length")
    lines = data.decode("latin-1").split("\n")
    status = lines[0].split()
    if len(status) < 2 or not status[0].upper().startswith("HTTP/1.") or status[1] != "200":
        raise SsdpError("status")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    location, target = fields.get("location", ""), fields.get("st", "")
    if not location or not location.isascii() or not location.isprintable() or len(location) > 512:
        raise SsdpError("location")
    if not any(word in target.lower() for word in _WORDS):
        raise SsdpError("target")
    return Advert(location, target)
