"""One UDP port for several protocols, told apart by the first byte of a datagram (RFC 7983, RFC 9443).

Sockets bound to all addresses of the machine are asked by ``IP_PKTINFO`` where a datagram was sent to, and
answers leave from the very address the peer knows; NATs would drop them otherwise.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from wlnet.protocols.stun.wire import Endpoint

LONGEST = 2048
"""Bytes of a datagram; no protocol here uses more than a packet of the Internet holds."""

_BATCH = 64
"""Datagrams read from one socket before the others have their turn."""
_RECEIVE_BUFFER = 1024 * 1024
_CONTROL = 64
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # of Linux; Python 3.11 has no name for it

_log = Logger(namespace="wlnet.stun")

Handler = Callable[[bytes, Endpoint, Endpoint], object]
"""Called with a datagram, where it is from, and the endpoint of ours it was sent to."""


class DatagramMux:
    """All sockets of one UDP port: of both families, and of each address if there are several.

    :param sockets: bound, non-blocking, all to the same port number; closed by :meth:`stop`.
    :ivar refused: datagrams nobody is registered for, or longer than :data:`LONGEST`.
    :ivar unsent: datagrams the system did not take.
    """

    def __init__(self, reactor: IReactorFDSet, sockets: Iterable[socket.socket]) -> None:
        self.handlers: list[Handler | None] = [None] * 256
        self.refused = 0
        self.unsent = 0
        self._sockets = [_Socket(self, reactor, one) for one in sockets]
        self._routes: dict[str, _Socket] = {one.host: one for one in self._sockets}
        self._wildcards = {one.family: one for one in self._sockets if one.wildcard}
        self.port = self._sockets[0].port

    def register(self, first_bytes: Sequence[int], handler: Handler) -> None:
        """Give datagrams that begin so to *handler*.

        :raises ValueError: one of *first_bytes* (0 to 255) has a handler already.
        """
        if any(self.handlers[first] is not None for first in first_bytes):
            raise ValueError("these first bytes have a handler already")
        for first in first_bytes:
            self.handlers[first] = handler

    def start(self) -> None:
        """Begin to read."""
        for one in self._sockets:
            one.start()

    def stop(self) -> None:
        """Close the sockets."""
        for one in self._sockets:
            one.stop()
        self._routes.clear()
        self._wildcards.clear()

    def send(self, data: bytes, destination: Endpoint, local: Endpoint) -> bool:
        """Send one datagram; True if the system took it.

        :param local: the endpoint to send it from, its port that of this mux.
        """
        one = self._routes.get(local.host)
        if one is None:
            one = self._wildcards.get(socket.AF_INET6 if ":" in local.host else socket.AF_INET)
        if one is not None and one.send(data, destination, local.host):
            return True
        self.unsent += 1
        return False


@implementer(IReadDescriptor)
class _Socket:
    def __init__(self, mux: DatagramMux, reactor: IReactorFDSet, one: socket.socket) -> None:
        self._mux = mux
        self._reactor = reactor
        self._socket = one
        self.family = one.family
        self.host, self.port = one.getsockname()[:2]
        self.wildcard = ip_address(self.host).is_unspecified
        self._local = Endpoint(self.host, self.port)
        self._locals: dict[bytes, Endpoint] = {}
        self._controls: dict[str, list[tuple[int, int, bytes]]] = {}
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if self.wildcard and self.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        elif self.wildcard:
            one.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def start(self) -> None:
        self._reactor.addReader(self)

    def stop(self) -> None:
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "wlnet.stun"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops."""
        self.stop()

    def doRead(self) -> None:
        """Read what is there, up to a batch."""
        receive = self._socket.recvmsg
        for _ in range(_BATCH):
            try:
                data, control, flags, address = receive(LONGEST, _CONTROL)
            except OSError:  # nothing there any more, or the report of an earlier sending (ICMP)
                return
            handler = self._mux.handlers[data[0]] if data else None
            if handler is None or flags & socket.MSG_TRUNC:
                self._mux.refused += 1
                continue
            local = self._sent_to(control[0][2]) if control else self._local
            if len(address) == 4 and address[3]:
                source = Endpoint(f"{address[0]}%{address[3]}", address[1])
            else:
                source = Endpoint(address[0], address[1])
            try:
                handler(data, source, local)
            except Exception:
                _log.failure("a datagram could not be handled")
            if self._socket.fileno() < 0:  # the handler stopped us
                return

    def send(self, data: bytes, destination: Endpoint, host: str) -> bool:
        try:
            if self.wildcard:
                self._socket.sendmsg((data,), self._control(host), 0, destination)
            else:
                self._socket.sendto(data, destination)
        except OSError:  # buffer full, no route, forbidden by a firewall: as if lost on the way
            return False
        return True

    def _sent_to(self, packed: bytes) -> Endpoint:
        local = self._locals.get(packed)
        if local is None:
            if self.family == socket.AF_INET:
                host = socket.inet_ntoa(packed[4:8])
            else:
                host = socket.inet_ntop(socket.AF_INET6, packed[:16])
                if ip_address(host).is_link_local:
                    host += f"%{struct.unpack_from('=I', packed, 16)[0]}"
            if len(self._locals) >= _MOST_ADDRESSES:
                self._locals.clear()
            local = self._locals[packed] = Endpoint(host, self.port)
        return local

    def _control(self, host: str) -> list[tuple[int, int, bytes]]:
        control = self._controls.get(host)
        if control is None:
            if self.family == socket.AF_INET:
                info = struct.pack("=I4s4s", 0, socket.inet_aton(host), bytes(4))
                control = [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
            else:
                plain, _, zone = host.partition("%")
                info = socket.inet_pton(socket.AF_INET6, plain) + struct.pack("=I", int(zone or 0))
                control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
            if len(self._controls) >= _MOST_ADDRESSES:
                self._controls.clear()
            self._controls[host] = control
        return control


_MOST_ADDRESSES = 256
"""Addresses of this machine remembered a socket; it may own a whole network."""
