"""One router: which of its protocols answer, and which one to use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.mapping.protocol import Gateway, RouterProtocol
from wlnet.client.mapping.words import Failure, Found, Granted, MappingProtocol, ProtocolReport, Standing
from wlnet.client.net.network import Network, Timer

PATIENCE = 0.3
"""So long after the first answer a better protocol is waited for."""


class Router:
    """Looks for all protocols at once, then tells which to use.

    :param protocols: the best first.
    :param changed: called whenever :meth:`choose` may have another answer.
    """

    def __init__(
        self,
        network: Network,
        gateway: Gateway,
        protocols: tuple[RouterProtocol, ...],
        changed: Callable[[], None],
    ) -> None:
        self.gateway = gateway
        self._network = network
        self._protocols = protocols
        self._changed = changed
        self._looking: set[MappingProtocol] = set()
        self._answering: set[MappingProtocol] = set()
        self._patient = True
        self._timer: Timer | None = None
        self._reports = {
            one.protocol: ProtocolReport(protocol=one.protocol, standing=Standing.UNASKED)
            for one in protocols
        }

    @property
    def reports(self) -> tuple[ProtocolReport, ...]:
        """What is known, the best protocol first."""
        return tuple(self._reports.values())

    @property
    def looking(self) -> bool:
        """Some protocol may still answer."""
        return bool(self._looking)

    def find(self) -> None:
        """Look for all that are not being looked for."""
        self._stop_timer()
        self._patient = True
        for one in self._protocols:
            if one.protocol not in self._looking:
                self._looking.add(one.protocol)
                self._answering.discard(one.protocol)
                one.find(partial(self._found, one.protocol))

    def choose(self, tried: set[MappingProtocol]) -> RouterProtocol | None:
        """The one to ask now that is not in *tried*.

        :returns: None: there is none, unless :meth:`waits` for one.
        """
        for one in self._protocols:
            if one.protocol in tried:
                continue
            if one.protocol in self._looking:
                if self._patient:
                    return None
            elif one.protocol in self._answering:
                return one
        return None

    def waits(self, tried: set[MappingProtocol]) -> bool:
        """Some protocol that is not in *tried* may still answer."""
        return bool(self._looking - tried)

    def granted(self, protocol: MappingProtocol, granted: Granted) -> None:
        """It mapped."""
        self._reports[protocol] = ProtocolReport(
            protocol=protocol, standing=Standing.MAPPED, address=granted.external.host
        )

    def failed(self, protocol: MappingProtocol, failure: Failure) -> None:
        """It did not."""
        self._reports[protocol] = ProtocolReport(
            protocol=protocol, standing=failure.standing, text=failure.text, address=failure.address
        )

    def close(self) -> None:
        """Stop everything under way."""
        self._stop_timer()
        for one in self._protocols:
            one.close()

    def _found(self, protocol: MappingProtocol, result: Found | Failure) -> None:
        self._looking.discard(protocol)
        if isinstance(result, Failure):
            self.failed(protocol, result)
        else:
            self._answering.add(protocol)
            self._reports[protocol] = ProtocolReport(
                protocol=protocol, standing=Standing.FOUND, address=result.address
            )
            if self._timer is None and self._patient:
                self._timer = self._network.call_later(PATIENCE, self._impatient)
        self._changed()

    def _impatient(self) -> None:
        self._timer = None
        self._patient = False
        self._changed()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
