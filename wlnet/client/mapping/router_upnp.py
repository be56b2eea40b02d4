"""UPnP IGD as the mapper uses it: search, description, calls; one call at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from wlnet.client.mapping import igd
from wlnet.client.mapping.http import HttpAnswer, HttpError, HttpExchange
from wlnet.client.mapping.igd import IgdError, Service, SoapFault
from wlnet.client.mapping.protocol import Gateway
from wlnet.client.mapping.searching import Search
from wlnet.client.mapping.words import Failure, Found, Granted, MappingProtocol, Standing, Wish
from wlnet.client.mapping.xml import Element
from wlnet.client.net.network import Network
from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint

CALL_TIMEOUT = 1.5
MAX_PORTS = 4
"""Outer ports tried if others have them."""
MAX_WAITING = 256
"""Calls that wait for their turn."""

_NOT_AUTHORIZED = 606
_CONFLICT = (718, 729)
_SAME_PORTS = 724
_PERMANENT_ONLY = 725

_Replied = Callable[[Element | SoapFault | Failure], None]


class UpnpRouter:
    """A gateway whose description and control are on the gateway itself."""

    protocol = MappingProtocol.UPNP

    def __init__(self, network: Network, gateway: Gateway) -> None:
        self._network = network
        self._gateway = gateway
        self._service: Service | None = None
        self._search: Search | None = None
        self._exchange: HttpExchange | None = None
        self._waiting: deque[Callable[[], None]] = deque()
        self._closed = False

    # -- finding ---------------------------------------------------------------------------------

    def find(self, done: Callable[[Found | Failure], None]) -> None:
        """Search, read the description, and ask each WAN connection for its outer address."""

        def found(locations: tuple[str, ...]) -> None:
            self._search = None
            if not locations:
                done(Failure(standing=Standing.SILENT, text="The router does not answer UPnP."))
            else:
                self._describe(list(locations), done, None)

        self._service = None
        try:
            self._search = Search(self._network, self._gateway, found)
        except OSError:
            self._soon(lambda: found(()))

    def _describe(
        self, locations: list[str], done: Callable[[Found | Failure], None], last: Failure | None
    ) -> None:
        if not locations:
            done(last or _faulty("it has no description"))
            return
        location = locations.pop(0)

        def read(result: HttpAnswer | HttpError) -> None:
            try:
                if isinstance(result, HttpError):
                    raise IgdError(result.text)
                services = igd.services(result.body, location, self._gateway.address)
            except IgdError as error:
                self._describe(locations, done, _faulty(str(error)))
                return
            self._choose(list(services), done, None)

        url = igd.parse_url(location, self._gateway.address)
        self._http(url, "GET", (), b"", read)

    def _choose(
        self, services: list[Service], done: Callable[[Found | Failure], None], last: Failure | None
    ) -> None:
        """The first that has an outer address; else the first that answers is used and says why not."""
        if not services:
            done(last or _faulty("its WAN connection does not answer"))
            return
        service = services.pop(0)

        def addressed(address: str | Failure) -> None:
            if isinstance(address, Failure):
                self._choose(services, done, last or address)
                return
            self._service = service
            done(Found(address=address))

        self._ask_address(service, addressed)

    def _ask_address(self, service: Service, done: Callable[[str | Failure], None]) -> None:
        def answered(reply: Element | SoapFault | Failure) -> None:
            if isinstance(reply, Failure):
                done(reply)
            elif isinstance(reply, SoapFault):
                done(_no_address(reply.text))
            else:
                address = _address(reply.first_text("NewExternalIPAddress"))
                done(address or _no_address(""))

        self._call(service, "GetExternalIPAddress", (), answered)

    # -- mapping ---------------------------------------------------------------------------------

    def map(self, wish: Wish, done: Callable[[Granted | Failure], None]) -> None:
        """Outer address first, a new one is noticed so; then the port."""
        service = self._service
        if service is None:
            self._soon(
                lambda: done(Failure(standing=Standing.SILENT, text="The router does not answer UPnP."))
            )
            return

        def addressed(address: str | Failure) -> None:
            if isinstance(address, Failure):
                done(address)
            else:
                _Adding(self, service, wish, address, done).begin()

        self._ask_address(service, addressed)

    def unmap(self, wish: Wish, granted: Granted, done: Callable[[], None]) -> None:
        """DeletePortMapping."""
        if self._service is None:
            self._soon(done)
            return
        arguments = igd.delete_arguments(wish.transport, granted.external.port)
        self._call(self._service, "DeletePortMapping", arguments, lambda _: done())

    def close(self) -> None:
        """Stop everything under way."""
        self._closed = True
        self._waiting.clear()
        if self._search is not None:
            self._search.cancel()
        if self._exchange is not None:
            self._exchange.cancel()

    def add(
        self, service: Service, action: str, arguments: tuple[tuple[str, str], ...], done: _Replied
    ) -> None:
        """A call of :class:`_Adding`."""
        self._call(service, action, arguments, done)

    @property
    def client(self) -> str:
        """Our address."""
        return self._gateway.source

    def random_port(self) -> int:
        """One nobody else is likely to have."""
        return 49152 + int.from_bytes(self._network.random_bytes(2), "big") % 16384

    # -- calls -----------------------------------------------------------------------------------

    def _call(
        self, service: Service, action: str, arguments: tuple[tuple[str, str], ...], done: _Replied
    ) -> None:
        def answered(result: HttpAnswer | HttpError) -> None:
            if isinstance(result, HttpError):
                text = f"The router's UPnP does not answer: {result.text}."
                done(Failure(standing=Standing.SILENT, text=text))
                return
            try:
                reply = igd.answer(result.body, action)
            except IgdError as error:
                done(_faulty(str(error)))
                return
            done(reply)

        fields = (
            ("Content-Type", 'text/xml; charset="utf-8"'),
            ("SOAPAction", f'"{service.type}#{action}"'),
        )
        self._http(service.control, "POST", fields, igd.call(service, action, arguments), answered)

    def _http(
        self,
        url: igd.Url,
        method: str,
        fields: tuple[tuple[str, str], ...],
        body: bytes,
        done: Callable[[HttpAnswer | HttpError], None],
    ) -> None:
        """In its turn: small routers do not like two connections at once."""

        def finished(result: HttpAnswer | HttpError) -> None:
            self._exchange = None
            if self._closed:
                return
            done(result)
            if self._exchange is None and self._waiting:
                self._waiting.popleft()()

        def start() -> None:
            try:
                self._exchange = HttpExchange(
                    self._network, url.place, method, url.target, fields, body, CALL_TIMEOUT, finished
                )
            except OSError as error:
                text = error.strerror or "no connection"
                self._soon(lambda: finished(HttpError(text)))

        if self._closed:
            return
        if self._exchange is None:
            start()
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(start)
        else:
            self._soon(lambda: done(HttpError("too many calls wait")))

    def _soon(self, call: Callable[[], None]) -> None:
        self._network.call_later(0.0, lambda: None if self._closed else call())


class _Adding:
    """One port, with the ways around what routers insist on."""

    def __init__(
        self,
        router: UpnpRouter,
        service: Service,
        wish: Wish,
        address: str,
        done: Callable[[Granted | Failure], None],
    ) -> None:
        self._router = router
        self._service = service
        self._wish = wish
        self._address = address
        self._done = done
        self._external = wish.external or wish.port
        self._lifetime = wish.lifetime
        self._any = service.adds_any and not wish.exact
        self._tries = 0

    def begin(self) -> None:
        """Ask, or ask again."""
        self._tries += 1
        action = "AddAnyPortMapping" if self._any else "AddPortMapping"
        arguments = igd.add_arguments(
            self._wish.transport, self._external, self._router.client, self._wish.port, self._lifetime
        )
        self._router.add(self._service, action, arguments, partial(self._answered, self._any))

    def _answered(self, any_port: bool, reply: Element | SoapFault | Failure) -> None:
        if isinstance(reply, Failure):
            self._done(reply)
        elif isinstance(reply, Element):
            text = reply.first_text("NewReservedPort") if any_port else str(self._external)
            port = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
            if 0 < port <= 65535:
                self._done(Granted(external=Endpoint(self._address, port), lifetime=self._lifetime))
            else:
                self._done(_faulty("it says no port"))
        elif self._tries < MAX_PORTS + 2 and self._other_way(reply.code):
            self.begin()
        else:
            self._done(_refused(reply))

    def _other_way(self, code: int) -> bool:
        if code == _PERMANENT_ONLY and self._lifetime:
            self._lifetime = 0
            return True
        if self._any and code != _NOT_AUTHORIZED:
            self._any = False
            return True
        if self._wish.exact:
            return False
        if code == _SAME_PORTS and self._external != self._wish.port:
            self._external = self._wish.port
            return True
        if code in _CONFLICT:
            self._external = self._router.random_port()
            return True
        return False


def _address(text: str) -> str:
    """The address a router told; empty if it is none of use."""
    try:
        address = parse_address(text)
    except ValueError:
        return ""
    return str(address) if address.version == 4 and not address.is_unspecified else ""


def _faulty(what: str) -> Failure:
    return Failure(standing=Standing.FAULTY, text=f"The router's UPnP cannot be understood: {what}.")


def _no_address(words: str) -> Failure:
    said = f' ("{words}")' if words else ""
    return Failure(
        standing=Standing.DISCONNECTED,
        text=f"The router says by UPnP that it has no outer address{said}: it is not connected, or behind "
        "another NAT.",
    )


def _refused(fault: SoapFault) -> Failure:
    if fault.code == _NOT_AUTHORIZED:
        text = "The router refuses to open ports by UPnP: it is not allowed there."
    elif fault.code in _CONFLICT:
        text = "The router cannot give that port by UPnP: somebody else has it."
    else:
        said = f": {fault.text}" if fault.text else ""
        text = f"The router refuses to open the port by UPnP (error {fault.code}{said})."
    return Failure(standing=Standing.REFUSED, text=text)
