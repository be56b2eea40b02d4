"""UPnP IGD as text: the description of a gateway and the calls of its WAN connection.

UPnP Device Architecture 1.1 sections 2.3 and 3; WANIPConnection:1 and :2 of the UPnP Forum.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit
from xml.sax.saxutils import escape  # only escapes; nothing is parsed by it

from msgspec import Struct

from wlnet.client.mapping.xml import Element, XmlError, parse
from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Transport

MAX_SERVICES = 4

_TYPES = ("WANIPConnection:2", "WANIPConnection:1", "WANPPPConnection:1")
"""The newest first: only that has AddAnyPortMapping."""
_PREFIX = "urn:schemas-upnp-org:service:"


class IgdError(ValueError):
    """It is no description or no answer of a gateway; the text says what is wrong with it."""


class Url(Struct, frozen=True):
    """An http URL on a literal IPv4 address.

    :ivar target: path and query, as in the request line.
    """

    place: Endpoint
    target: str

    @property
    def host(self) -> str:
        """For the field *Host*."""
        return f"{self.place.host}:{self.place.port}"


class Service(Struct, frozen=True):
    """A WAN connection.

    :ivar type: with its version, as calls must name it.
    """

    type: str
    control: Url

    @property
    def adds_any(self) -> bool:
        """It has AddAnyPortMapping."""
        return self.type.endswith("WANIPConnection:2")


class SoapFault(Struct, frozen=True):
    """The gateway says no.

    :ivar code: UPnP's errorCode; 0 if it gives none.
    """

    code: int
    text: str


def parse_url(text: str, gateway: str) -> Url:
    """*text*, if it is on the gateway itself: nothing else in the network is ever asked because of it.

    :raises IgdError: it is no http URL, or elsewhere.
    """
    try:
        split: SplitResult = urlsplit(text)
        port = 80 if split.port is None else split.port
        host = parse_address(split.hostname or "")
    except ValueError as error:
        raise IgdError("no URL of an address") from error
    if split.scheme != "http" or port == 0 or split.username is not None:
        raise IgdError("no http URL")
    if host != parse_address(gateway):
        raise IgdError("a URL that leads elsewhere")
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    if not target.isascii() or not target.isprintable() or " " in target or len(target) > 512:
        raise IgdError("no URL")
    return Url(Endpoint(str(host), port), target)


def services(description: bytes, location: str, gateway: str) -> tuple[Service, ...]:
    """The WAN connections of a gateway, the best first, at most :data:`MAX_SERVICES`.

    :param location: where the description came from.
    :raises IgdError: it is no description, or has none.
    """
    try:
        root = parse(description)
    except XmlError as error:
        raise IgdError(f"no XML: {error}") from error
    base = root.child_text("URLBase") or location
    found: list[Service] = []
    for element in root.all("service"):
        kind = element.child_text("serviceType")
        if kind.removeprefix(_PREFIX) not in _TYPES or kind == kind.removeprefix(_PREFIX):
            continue
        try:
            control = parse_url(urljoin(base, element.child_text("controlURL")), gateway)
        except (IgdError, ValueError):
            continue
        found.append(Service(kind, control))
    if not found:
        raise IgdError("no WAN connection in its description")
    found.sort(key=lambda service: _TYPES.index(service.type.removeprefix(_PREFIX)))
    return tuple(dict.fromkeys(found))[:MAX_SERVICES]


def call(service: Service, action: str, arguments: tuple[tuple[str, str], ...] = ()) -> bytes:
    """The body of a call."""
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in arguments)
    return (
        '<?xml version="1.0"?>\r\n'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
        ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
        f'<u:{action} xmlns:u="{service.type}">{inner}</u:{action}>'
        "</s:Body></s:Envelope>\r\n"
    ).encode()


def add_arguments(
    transport: Transport, external: int, client: str, port: int, lifetime: int
) -> tuple[tuple[str, str], ...]:
    """Of AddPortMapping and AddAnyPortMapping; some routers want them in this order."""
    return (
        ("NewRemoteHost", ""),
        ("NewExternalPort", str(external)),
        ("NewProtocol", transport.value.upper()),
        ("NewInternalPort", str(port)),
        ("NewInternalClient", client),
        ("NewEnabled", "1"),
        ("NewPortMappingDescription", "wlnet"),
        ("NewLeaseDuration", str(lifetime)),
    )


def delete_arguments(transport: Transport, external: int) -> tuple[tuple[str, str], ...]:
    """Of DeletePortMapping."""
    return (
        ("NewRemoteHost", ""),
        ("NewExternalPort", str(external)),
        ("NewProtocol", transport.value.upper()),
    )


def answer(body: bytes, action: str) -> Element | SoapFault:
    """What the gateway answered to *action*.

    :raises IgdError: it is no answer to it.
    """
    try:
        root = parse(body)
    except XmlError as error:
        raise IgdError(f"no XML: {error}") from error
    for element in root.all(f"{action}Response"):
        return element
    for fault in root.all("Fault"):
        code = fault.first_text("errorCode")
        number = int(code) if code.isascii() and code.isdigit() and len(code) <= 6 else 0
        return SoapFault(number, printable(fault.first_text("errorDescription")))
    raise IgdError("no answer to what was asked")


def printable(text: str) -> str:
    """A router's words, fit for a sentence."""
    return "".join(character if character.isprintable() else " " for character in text[:100]).strip()
