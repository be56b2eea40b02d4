"""UDP sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable

from wlnet.client.net.network import Received
from wlnet.client.net.shell_addresses import endpoint, sockaddr
from wlnet.client.net.shell_loop import EventLoop, guarded
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

_BATCH = 32
"""Datagrams read before others have their turn."""

_LARGEST = 65536

_HOPS = {
    Family.V4: (socket.IPPROTO_IP, socket.IP_TTL),
    Family.V6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}


class BoundDatagramSocket:
    """See :class:`wlnet.client.net.network.DatagramSocket`.

    ICMP errors and full buffers lose a datagram and nothing else.

    :param sock: non-blocking and bound.
    """

    def __init__(self, loop: EventLoop, sock: socket.socket, family: Family, received: Received) -> None:
        self.local = endpoint(sock.getsockname())
        self._loop = loop
        self._sock = sock
        self._family = family
        self._received = received
        self._buffer = bytearray(_LARGEST)
        self._closed = False
        self._watch = loop.watch(sock, self._readable, _nothing)
        self._watch.reading(True)

    def send(self, data: bytes, destination: Endpoint, hops: int | None = None) -> bool:
        """See :class:`wlnet.client.net.network.DatagramSocket`."""
        if self._closed:
            return False
        try:
            address = sockaddr(self._family, destination)
            if hops is None:
                return self._send(data, address)
            return self._with_hops(hops, lambda: self._send(data, address))
        except OSError:
            return False

    def _send(self, data: bytes, address: tuple[object, ...]) -> bool:
        try:
            self._sock.sendto(data, address)
        except ConnectionError:
            # An earlier datagram was rejected and this is how the system says so: that error is gone now.
            self._sock.sendto(data, address)
        return True

    def _with_hops(self, hops: int, send: Callable[[], bool]) -> bool:
        """The system puts the option into the packet while it is sent, so it can be taken back at once.

        If it cannot be set nothing is sent: a packet that was to die half-way does harm if it arrives.
        """
        level, option = _HOPS[self._family]
        usual = self._sock.getsockopt(level, option)
        self._sock.setsockopt(level, option, hops)
        try:
            return send()
        finally:
            self._sock.setsockopt(level, option, usual)

    def close(self) -> None:
        """See :class:`wlnet.client.net.network.DatagramSocket`."""
        if not self._closed:
            self._closed = True
            self._watch.stop()
            self._sock.close()

    def _readable(self) -> None:
        for _ in range(_BATCH):
            if self._closed:
                return
            try:
                size, source = self._sock.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error for something we sent (on Windows WSAECONNRESET)
            data = bytes(memoryview(self._buffer)[:size])
            guarded(self._loop, "datagram received", self._received, data, endpoint(source))


def _nothing() -> None:
    pass
