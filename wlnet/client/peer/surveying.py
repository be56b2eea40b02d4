"""Keeps the survey of our network going while there is a lobby, and begins gatherings."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather.gatherer import Gatherer as AttemptGatherer
from wlnet.client.gather.mappings import Mapper
from wlnet.client.gather.surveyor import Surveyor
from wlnet.client.gather.words import GatherOptions, ServerPlace
from wlnet.client.net.network import Network
from wlnet.client.peer.ports import Gathering, GatheringEvents
from wlnet.protocols.exchange.messages import Hello
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import Begin


class Surveying:
    """See :class:`wlnet.client.peer.ports.Gatherer`.

    :param host: of the lobby; its other addresses answer STUN as well.
    :param changed: our own addresses are others now, or the machine has slept.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        stun_port: int,
        second_port: int,
        options: GatherOptions,
        changed: Callable[[], None],
        mapper: Mapper | None = None,
    ) -> None:
        self._network = network
        self._host = host
        self._ports = (stun_port, second_port)
        self._server: Endpoint | None = None
        self._addresses: tuple[str, ...] = ()
        self._closed = False
        self.surveyor = Surveyor(network, self._place(), udp=options.udp, tcp=options.tcp, changed=changed)
        self._gatherer = AttemptGatherer(network, self.surveyor, options, mapper)
        network.resolve(host, self._resolved)

    def linked(self, server: Endpoint | None, hello: Hello) -> None:
        """The lobby is there."""
        if server is not None and server != self._server:
            self._server = server
            self.surveyor.move(self._place())
        self.surveyor.greeted(hello)
        self.surveyor.start()

    def gather(self, begin: Begin, events: GatheringEvents) -> Gathering:
        """For one attempt."""
        return self._gatherer.gather(begin, events)

    def close(self) -> None:
        """Nothing is called any more."""
        self._closed = True
        self.surveyor.close()

    def _place(self) -> ServerPlace:
        known = dict.fromkeys([self._server.host] if self._server is not None else [])
        known |= dict.fromkeys(self._addresses)
        return ServerPlace(
            addresses=tuple(known),
            stun_port=self._ports[0],
            second_port=self._ports[1],
            lobby_port=self._server.port if self._server is not None else 0,
        )

    def _resolved(self, found: tuple[str, ...] | OSError) -> None:
        if not self._closed and not isinstance(found, OSError):
            self._addresses = found
            self.surveyor.move(self._place())
