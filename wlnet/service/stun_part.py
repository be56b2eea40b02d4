"""The STUN server's part of a process: two ports, UDP and TCP, and what others may hang on to them."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

from twisted.internet.defer import Deferred, DeferredList

from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.gate import ConnectionGate
from wlnet.link.addresses import RelayPlace, told_addresses
from wlnet.link.messages import StunPorts
from wlnet.link.shell_own_address import own_address
from wlnet.protocols.stun.endpoints import OwnEndpoints
from wlnet.protocols.stun.responder import Responder
from wlnet.protocols.stun.shell_datagrams import DatagramMux
from wlnet.protocols.stun.shell_streams import StreamMux
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.ports import StunPlace
from wlnet.service.listening import Bound, ListenError, Listening, adopt, open_sockets
from wlnet.service.shared import Shared

NAMES = ("stun", "stun2")
_KEYS = ("stun.port", "stun.second_port")
_STUN = range(4)


class StunPart:
    """Binds the ports when made; serves them from :meth:`start` on.

    :raises ListenError: a port or address cannot be used.
    :ivar datagrams: the first and the second UDP port.
    :ivar streams: the first and the second TCP port.
    :ivar addresses: where all of them listen.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        settings, limits = shared.config.stun, shared.config.limits
        _check_own(settings.second_addresses)
        addresses = _addresses(settings.listen, settings.second_addresses)
        self._sockets: list[list[socket.socket]] = []
        try:
            for key, port in zip(_KEYS, (settings.port, settings.second_port), strict=True):
                self._sockets.append(
                    open_sockets(
                        "stun", addresses, port, kinds=(socket.SOCK_STREAM, socket.SOCK_DGRAM), port_key=key
                    )
                )
        except BaseException:
            self.close()
            raise
        trusted = TrustedNetworks(limits.trusted_networks)
        self.responder = Responder(self._own_endpoints(), limits, shared.agenda.now, shared.metrics, trusted)
        udp = [[one for one in group if one.type == socket.SOCK_DGRAM] for group in self._sockets]
        self.datagrams = tuple(DatagramMux(shared.reactor, sockets) for sockets in udp)
        self._gate = ConnectionGate(limits.stun_connections, limits.stun_connections_per_address, trusted)
        self.addresses = tuple(addresses)
        self._muxes: list[StreamMux] = []
        self.streams = tuple(self.more_streams() for _ in NAMES)
        self._by_port = {mux.port: mux for mux in self.datagrams}
        for mux in self.datagrams:
            mux.register(_STUN, self._received)
        self._listening: list[Listening] = []
        self._observe(self._gate)

    def more_streams(self) -> StreamMux:
        """For the sockets of one more TCP port, with the limits of the others."""
        mux = StreamMux(
            self.responder,
            self._gate,
            self._shared.agenda,
            self._shared.config.stun.idle_timeout,
            self._shared.metrics,
            self._shared.may_log,
        )
        self._muxes.append(mux)
        return mux

    @property
    def ports(self) -> StunPorts:
        """Where it listens."""
        first, second = (mux.port for mux in self.datagrams)
        return StunPorts(listen=self._shared.config.stun.listen, port=first, second_port=second)

    def place(self, reached_at: str) -> StunPlace | None:
        """Where players find it whose lobby connection arrived at *reached_at*."""
        config = self._shared.config
        listens = RelayPlace(public=config.relay.public_addresses, listen=config.stun.listen)
        addresses = told_addresses(listens, reached_at, own_address)
        if not addresses:
            return None
        ports = self.ports
        return StunPlace(addresses=addresses, port=ports.port, second_port=ports.second_port)

    def start(self) -> list[Bound]:
        """Serve; where."""
        bound: list[Bound] = []
        for name, group, mux, streams in zip(NAMES, self._sockets, self.datagrams, self.streams, strict=True):
            mux.start()
            udp = [
                Bound(name, "udp", *one.getsockname()[:2]) for one in group if one.type == socket.SOCK_DGRAM
            ]
            tcp = [one for one in group if one.type == socket.SOCK_STREAM]
            listening = adopt(self._shared.reactor, name, tcp, streams)
            self._listening.append(listening)
            bound += [*udp, *listening.bound]
        return bound

    def stop(self) -> Deferred[object]:
        """Close everything that is STUN's; what was given to others they close themselves."""
        for mux in self.datagrams:
            mux.stop()
        waiting = [listening.stop() for listening in self._listening]
        for streams in self._muxes:
            streams.stop()
        self.close()
        return DeferredList(waiting, consumeErrors=True)  # type: ignore[return-value]

    def close(self) -> None:
        """Close the sockets."""
        for group in self._sockets:
            for one in group:
                one.close()

    def _received(self, data: bytes, source: Endpoint, local: Endpoint) -> None:
        answer = self.responder.datagram(data, source, local)
        if answer is not None:
            self._by_port[answer.origin.port].send(answer.data, answer.destination, answer.origin)

    def _own_endpoints(self) -> OwnEndpoints:
        config = self._shared.config
        firsts: dict[int, str] = {}
        for host in config.stun.listen:
            address = ip_address(host)
            first = own_address(address.version) if address.is_unspecified else host
            if first is not None and first not in config.stun.second_addresses:
                firsts.setdefault(address.version, first)
        public = {ip_address(host).version: host for host in config.relay.public_addresses}
        second_public = {ip_address(host).version: host for host in config.stun.second_public_addresses}
        told = {host: public[family] for family, host in firsts.items() if family in public}
        for host in config.stun.second_addresses:
            if ip_address(host).version in second_public:
                told[host] = second_public[ip_address(host).version]
        first_port, second_port = (group[0].getsockname()[1] for group in self._sockets)
        return OwnEndpoints((first_port, second_port), firsts.values(), config.stun.second_addresses, told)

    def _observe(self, gate: ConnectionGate) -> None:
        metrics, responder = self._shared.metrics, self.responder
        metrics.observe("wlnet_stun_connections_now", "TCP connections to STUN", lambda: len(gate))
        metrics.observe("wlnet_stun_requests", "Binding requests read", lambda: responder.requests)
        metrics.observe("wlnet_stun_answers", "Answers given", lambda: responder.answers)
        metrics.observe(
            "wlnet_stun_refused_datagrams",
            "Datagrams of no protocol spoken here, or too long",
            lambda: sum(mux.refused for mux in self.datagrams),
        )
        metrics.observe(
            "wlnet_stun_unsent_datagrams",
            "Datagrams the system did not take",
            lambda: sum(mux.unsent for mux in self.datagrams),
        )


def _addresses(listen: tuple[str, ...], seconds: tuple[str, ...]) -> list[str]:
    """What to bind: a socket for all addresses of a family serves the second one as well."""
    everything = {ip_address(host).version for host in listen if ip_address(host).is_unspecified}
    more = [host for host in seconds if ip_address(host).version not in everything and host not in listen]
    return [*listen, *more]


def _check_own(addresses: tuple[str, ...]) -> None:
    for host in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.bind((host, 0))
        except OSError as error:
            why = "is no address of this machine" if error.errno == errno.EADDRNOTAVAIL else error.strerror
            raise ListenError(f"stun.second_addresses: {host} {why} (change stun.second_addresses)") from None
