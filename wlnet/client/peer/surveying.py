"""Keeps the survey of our network going while there is a lobby, and begins gatherings."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.client.gather.gatherer import Gatherer as AttemptGatherer
from wlnet.client.gather.mappings import RouterMapper
from wlnet.client.gather.surveyor import Surveyor
from wlnet.client.gather.words import GatherOptions, ServerPlace
from wlnet.client.net.network import Network
from wlnet.client.peer.ports import Gathering, GatheringEvents
from wlnet.protocols.exchange.messages import Hello
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import Begin


class Surveying:
    """See :class:`wlnet.client.peer.ports.Gatherer`.

    :param changed: our own addresses are others now, or the machine has slept.
    """

    def __init__(
        self,
        network: Network,
        options: GatherOptions,
        changed: Callable[[], None],
        mapper: RouterMapper | None = None,
    ) -> None:
        self._mapper = mapper
        self._changed = changed
        self.surveyor = Surveyor(
            network, ServerPlace(addresses=()), udp=options.udp, tcp=options.tcp, changed=self._moved
        )
        self._gatherer = AttemptGatherer(network, self.surveyor, options, mapper)

    def linked(self, server: Endpoint | None, hello: Hello) -> None:
        """The lobby is there, and says where STUN is."""
        stun = hello.stun
        port = server.port if server is not None else 0
        if stun is not None:
            self.surveyor.move(
                ServerPlace(
                    addresses=stun.addresses,
                    stun_port=stun.port,
                    second_port=stun.second_port,
                    lobby_port=port,
                )
            )
        self.surveyor.start()
        self.surveyor.greeted(hello)

    def gather(self, begin: Begin, events: GatheringEvents) -> Gathering:
        """For one attempt."""
        return self._gatherer.gather(begin, events)

    def _moved(self) -> None:
        if self._mapper is not None:
            self._mapper.refresh()  # perhaps it is another router now
        self._changed()

    def close(self) -> None:
        """Nothing is called any more; the mapper is for its owner to close."""
        self.surveyor.close()
