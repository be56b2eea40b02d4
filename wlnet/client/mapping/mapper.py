"""Gets ports from the player's router by whatever it speaks: PCP, NAT-PMP or UPnP IGD.

Everything is over within about two seconds, found or not, unless UPnP calls are slow (docs/mapping.md).
"""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather.mappings import Mapped
from wlnet.client.mapping.gateway import Gateways, guess_v4
from wlnet.client.mapping.lease import PortLease, Told
from wlnet.client.mapping.protocol import Gateway, RouterProtocol
from wlnet.client.mapping.router import Router
from wlnet.client.mapping.router_natpmp import NatPmpRouter
from wlnet.client.mapping.router_pcp import PcpRouter
from wlnet.client.mapping.router_upnp import UpnpRouter
from wlnet.client.mapping.shell_gateway import read_gateways
from wlnet.client.mapping.words import (
    MappedPort,
    MappingProtocol,
    NotMapped,
    ProtocolReport,
    Wish,
)
from wlnet.client.net.network import Network, Timer
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Transport
from wlnet.steering.view import is_public

LIFETIME = 600
"""Seconds asked for: a player whose computer fails leaves nothing open for long."""
MAX_LEASES = 128
FAREWELL = 1.0
"""Seconds :meth:`PortMapper.close` waits for the router at most."""

_ANYWHERE = {Family.V4: Endpoint("192.0.2.1", 9), Family.V6: Endpoint("2000::1", 9)}
"""Only the route there is looked up, nothing is sent."""


class PortMapper:
    """All mappings of one client.

    Only the default gateway is ever spoken to (and the multicast group of UPnP, whose other members are not
    listened to). Nothing is sent before the first port is asked for.

    :param protocols: those to use.
    :param lifetime: seconds asked for.
    :param gateways: reads the default gateways; it may block.
    """

    def __init__(
        self,
        network: Network,
        *,
        protocols: tuple[MappingProtocol, ...] = tuple(MappingProtocol),
        lifetime: int = LIFETIME,
        gateways: Callable[[], Gateways] = read_gateways,
    ) -> None:
        self._network = network
        self._protocols = protocols
        self._lifetime = lifetime
        self._read = gateways
        self._leases: dict[PortLease, None] = {}
        self._routers: dict[Family, Router] = {}
        self._reading = False
        self._wanting: set[PortLease] = set()
        self._closed = False

    # -- asking ----------------------------------------------------------------------------------

    def map(
        self,
        transport: Transport,
        family: Family,
        local_port: int,
        told: Callable[[Mapped | None], None],
        *,
        wanted_port: int = 0,
    ) -> PortLease:
        """See :class:`~wlnet.client.gather.mappings.Mapper`; no other port than *wanted_port* is granted."""
        had = False

        def translated(result: MappedPort | NotMapped) -> None:
            nonlocal had
            if isinstance(result, MappedPort):
                had = True
                told(Mapped(result.external.host, result.external.port))
            elif had:
                had = False
                told(None)

        return self.lease(
            transport, family, local_port, translated, external=wanted_port, exact=bool(wanted_port)
        )

    def lease(
        self,
        transport: Transport,
        family: Family,
        port: int,
        told: Told,
        *,
        external: int = 0,
        exact: bool = False,
    ) -> PortLease:
        """Ask for a mapping to *port*, and keep it until the lease is closed.

        :param told: the mapping, or why there is none; again whenever that changes; never within this call.
        :param external: the outer port liked best; 0: the same as *port*.
        :param exact: no other outer port is of use.
        """
        wish = Wish(
            transport=transport,
            port=port,
            external=external or port,
            exact=exact,
            lifetime=self._lifetime,
            nonce=self._network.random_bytes(12),
        )
        lease = PortLease(self._network, wish, family, told, self._lost, self._released)
        if self._closed or len(self._leases) >= MAX_LEASES:
            text = "Too many ports were asked for." if not self._closed else "No more ports are asked for."
            self._network.call_later(0.0, lambda: lease.without(text))
            return lease
        self._leases[lease] = None
        self._wanting.add(lease)
        self._network.call_later(0.0, self._look)
        return lease

    def refresh(self) -> None:
        """Our network may have changed, or the router restarted: look, and ask for everything again."""
        self._wanting.update(self._leases)
        for router in self._routers.values():
            router.find()
        self._look()

    def reports(self, family: Family = Family.V4) -> tuple[ProtocolReport, ...]:
        """What is known of each protocol; empty if there is no router or nothing was asked for."""
        router = self._routers.get(family)
        return router.reports if router is not None else ()

    def gateway(self, family: Family = Family.V4) -> Gateway | None:
        """The router, once it is known."""
        router = self._routers.get(family)
        return router.gateway if router is not None else None

    def close(self, done: Callable[[], None] = lambda: None) -> None:
        """Give all mappings back; no lease is told anything any more.

        :param done: called when the router knows, or does not say so within :data:`FAREWELL` seconds.
        """
        if self._closed:
            self._network.call_later(0.0, done)
            return
        self._closed = True
        leases = list(self._leases)
        left = len(leases)

        def one() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                end()

        def end() -> None:
            nonlocal left
            left = -1
            timer.cancel()
            for router in self._routers.values():
                router.close()
            self._routers.clear()
            done()

        timer: Timer = self._network.call_later(FAREWELL if left else 0.0, end)
        for lease in leases:
            lease.release(one)

    # -- routers ---------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read the gateways, unless that is under way; then serve those who want something."""
        if self._closed or self._reading or not self._wanting:
            return
        self._reading = True
        self._network.in_thread(self._read, self._looked)

    def _looked(self, found: Gateways | Exception) -> None:
        self._reading = False
        if self._closed:
            return
        known = Gateways() if isinstance(found, Exception) else found
        families = {lease.family for lease in self._leases} | set(self._routers)
        routers = {family: self._router(family, self._gateway(family, known)) for family in families}
        wanting, self._wanting = self._wanting, set()
        for lease in list(self._leases):
            router = routers[lease.family]
            if router is None:
                lease.without(_nobody(lease.family))
            elif lease in wanting:
                lease.begin(router)

    def _gateway(self, family: Family, known: Gateways) -> Gateway | None:
        source = self._network.source_for(_ANYWHERE[family])
        if family is Family.V6:
            if not known.v6 or source is None or not is_public(source):
                return None
            return Gateway(known.v6, source)
        address = known.v4 or guess_v4(source or "")
        source = self._network.source_for(Endpoint(address, 9)) if address else None
        return Gateway(address, source) if source is not None and source != address else None

    def _router(self, family: Family, gateway: Gateway | None) -> Router | None:
        router = self._routers.get(family)
        if router is not None:
            if router.gateway == gateway:
                return router
            router.close()
            del self._routers[family]
        if gateway is None:
            return None
        made: list[Router] = []

        def rebooted() -> None:
            self._network.call_later(0.0, lambda: self._renew(family, made[0]))

        protocols = tuple(
            self._protocol(one, gateway, rebooted)
            for one in MappingProtocol
            if one in self._protocols and (family is Family.V4 or one is MappingProtocol.PCP)
        )
        router = Router(self._network, gateway, protocols, lambda: self._advance(family, made[0]))
        made.append(router)
        self._routers[family] = router
        for lease in self._leases:  # what they have is of another router
            if lease.family is family:
                self._wanting.add(lease)
        router.find()
        return router

    def _protocol(
        self, protocol: MappingProtocol, gateway: Gateway, rebooted: Callable[[], None]
    ) -> RouterProtocol:
        if protocol is MappingProtocol.PCP:
            return PcpRouter(self._network, gateway, rebooted)
        if protocol is MappingProtocol.NAT_PMP:
            return NatPmpRouter(self._network, gateway, rebooted)
        return UpnpRouter(self._network, gateway)

    def _advance(self, family: Family, router: Router) -> None:
        if self._routers.get(family) is router:
            for lease in list(self._leases):
                if lease.family is family:
                    lease.advance()

    def _renew(self, family: Family, router: Router) -> None:
        if self._routers.get(family) is router:
            for lease in list(self._leases):
                if lease.family is family:
                    lease.renew()

    def _lost(self, lease: PortLease) -> None:
        """The router did not renew it: look for everything anew."""
        if self._closed:
            return
        router = self._routers.get(lease.family)
        if router is not None and not router.looking:
            router.find()
        self._wanting.add(lease)
        self._look()

    def _released(self, lease: PortLease) -> None:
        self._leases.pop(lease, None)
        self._wanting.discard(lease)


def _nobody(family: Family) -> str:
    if family is Family.V6:
        return "There is no IPv6 router here."
    return "There is no router here: the system knows no default gateway."
