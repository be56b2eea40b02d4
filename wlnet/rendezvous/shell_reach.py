"""Knocks at players' own addresses: a datagram from a port they never sent to, or a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTCP
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol
from twisted.internet.udp import Port
from twisted.logger import Logger

from wlnet.steering.model import Transport

_log = Logger(namespace="wlnet.rendezvous")


class Reach:
    """See :class:`wlnet.rendezvous.ports.ReachPort`.

    The UDP sockets are made when first needed, one a family, on ports nobody has been told.
    """

    def __init__(self, reactor: Any) -> None:
        self._udp = reactor
        self._tcp: IReactorTCP = reactor
        self._ports: dict[str, Port | None] = {}

    def knock(self, transport: Transport, address: str, port: int, packet: bytes, timeout: float) -> None:
        """Send *packet*; whatever goes wrong is silence."""
        if transport is Transport.TCP:
            self._tcp.connectTCP(address, port, _Knock(packet), timeout=timeout)
            return
        sender = self._sender("::" if ":" in address else "0.0.0.0")  # noqa: S104  it only sends
        if sender is None:
            return
        try:
            sender.write(packet, (address, port))
        except OSError as error:
            _log.debug("a test of {address} could not be sent: {error}", address=address, error=error)

    def stop(self) -> None:
        """Close the sockets."""
        for port in self._ports.values():
            if port is not None:
                port.stopListening()
        self._ports.clear()

    def _sender(self, interface: str) -> Port | None:
        if interface not in self._ports:
            try:
                self._ports[interface] = self._udp.listenUDP(0, _Deaf(), interface=interface)
            except OSError as error:
                # A machine without this family: said once, and nobody is tested over it.
                _log.info("no tests over {interface}: {error}", interface=interface, error=error)
                self._ports[interface] = None
        return self._ports[interface]


class _Deaf(DatagramProtocol):
    """Answers are told over the lobby; datagrams to this socket are nobody's."""

    noisy = False

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        """Nothing."""


class _Say(Protocol):
    def __init__(self, packet: bytes) -> None:
        self._packet = packet

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self._packet)
        transport.loseConnection()


class _Knock(ClientFactory):
    noisy = False

    def __init__(self, packet: bytes) -> None:
        self._packet = packet

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Say(self._packet)
