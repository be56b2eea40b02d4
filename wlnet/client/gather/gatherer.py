"""Begins gatherings: what a party is given (:class:`wlnet.client.peer.ports.Gatherer`)."""

from __future__ import annotations

from wlnet.client.gather.gathering import Gathering
from wlnet.client.gather.mappings import Mapper
from wlnet.client.gather.surveyor import Surveyor
from wlnet.client.gather.web import WebDoors
from wlnet.client.gather.words import GatheringEvents, GatherOptions
from wlnet.client.net.network import Network
from wlnet.rendezvous.events import Begin


class Gatherer:
    """For all attempts of one client."""

    def __init__(
        self,
        network: Network,
        surveyor: Surveyor,
        options: GatherOptions | None = None,
        mapper: Mapper | None = None,
    ) -> None:
        self.surveyor = surveyor
        self.options = options or GatherOptions()
        self._network = network
        self._mapper = mapper
        self._doors = WebDoors(network, mapper if self.options.mappings else None)

    def gather(self, begin: Begin, events: GatheringEvents) -> Gathering:
        """For one attempt."""
        return Gathering(
            self._network, self.surveyor, begin.attempt, events, self.options, self._mapper, self._doors
        )
