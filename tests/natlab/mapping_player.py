"""Asks the router for ports with the client's own port mapper, under Twisted.

Runs in a home of the laboratory. Arguments: the protocols, separated by commas. Reads orders, one a line:
``map TRANSPORT FAMILY PORT EXTERNAL`` and ``refresh``; prints JSON lines; gives all back when its input ends.
"""

from __future__ import annotations

import sys

import msgspec
from twisted.internet import reactor, stdio
from twisted.internet.error import ReactorNotRunning
from twisted.protocols.basic import LineOnlyReceiver

from wlnet.client.mapping.mapper import PortMapper
from wlnet.client.mapping.words import MappedPort, MappingProtocol, NotMapped
from wlnet.client.net.shell_twisted import TwistedNetwork
from wlnet.steering.model import Family, Transport


class Player(LineOnlyReceiver):
    delimiter = b"\n"

    def __init__(self, protocols: tuple[MappingProtocol, ...]) -> None:
        self.network = TwistedNetwork()
        self.mapper = PortMapper(self.network, protocols=protocols)

    def lineReceived(self, line: bytes) -> None:
        order, *words = line.decode().split()
        if order == "refresh":
            self.mapper.refresh()
            return
        transport, family, port, external = words
        begun = self.network.now()

        def told(result: MappedPort | NotMapped) -> None:
            said = {"after": self.network.now() - begun, "mapped": isinstance(result, MappedPort)}
            self.sendLine(msgspec.json.encode(said | msgspec.to_builtins(result)))

        self.mapper.lease(Transport(transport), Family(int(family)), int(port), told, external=int(external))

    def connectionLost(self, reason: object = None) -> None:
        self.mapper.close(self.stop)

    def stop(self) -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:
            pass


if __name__ == "__main__":
    stdio.StandardIO(Player(tuple(MappingProtocol(name) for name in sys.argv[1].split(","))))
    reactor.run()
