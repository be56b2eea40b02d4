"""Which endpoints a STUN server has, and by which of them clients know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from wlnet.limits.addresses import parse_address
from wlnet.protocols.stun.wire import Endpoint


class OwnEndpoints:
    """Two ports, and for each family one or two addresses (RFC 5780 section 3).

    A server may listen on more addresses than these (all of the machine); whatever it is reached at, the
    *other* address is the second one, and that of the second one is the first one.

    :param ports: the first and the second port, of all addresses.
    :param firsts: this machine's usual address, at most one a family.
    :param seconds: another one, at most one a family.
    :param told: for addresses behind a 1:1 NAT the public ones clients know.
    :raises ValueError: something is no IP literal.
    """

    def __init__(
        self,
        ports: tuple[int, int],
        firsts: Iterable[str] = (),
        seconds: Iterable[str] = (),
        told: Mapping[str, str] | None = None,
    ) -> None:
        self.ports = ports
        self._firsts = {parse_address(host).version: host for host in firsts}
        self._seconds = {parse_address(host).version: host for host in seconds}
        self._told = dict(told or {})
        self._hosts = {*self._firsts.values(), *self._seconds.values(), *self._told.values()}

    def told(self, local: Endpoint) -> Endpoint:
        """*local* as clients know it."""
        return Endpoint(self._told.get(local.host, local.host), local.port)

    def other_port(self, port: int) -> int:
        """The second port for the first one, else the first."""
        first, second = self.ports
        return second if port == first else first

    def other_host(self, host: str) -> str | None:
        """The other address of the same family, or None if there is none a client of *host* could reach."""
        address = _parse(host)
        second = self._seconds.get(address.version)
        other = self._firsts.get(address.version) if host == second else second
        if second is None or other is None or other == host:
            return None
        return other if _parse(other).is_loopback == address.is_loopback else None

    def changed(self, local: Endpoint, *, address: bool, port: bool) -> Endpoint | None:
        """Where to answer from if the client asks for another address or port; None if there is none."""
        host = self.other_host(local.host) if address else local.host
        if host is None:
            return None
        return Endpoint(host, self.other_port(local.port) if port else local.port)

    def answerable(self, source: Endpoint, local: Endpoint) -> bool:
        """Whether *source* is a place an answer of *local* may go to: a single foreign endpoint."""
        if source.port == 0 or not _unicast(source.host, _parse(local.host).is_loopback):
            return False
        return source.port not in self.ports or not (source.host == local.host or source.host in self._hosts)


@lru_cache(maxsize=4096)
def _unicast(host: str, loopback: bool) -> bool:
    address = _parse(host)
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        return False
    return loopback or not address.is_loopback


_parse = lru_cache(maxsize=64)(parse_address)
