"""Asks the router for a UDP port by each protocol on its own, and keeps the ports while they are tested."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.doctor.findings import MappingTrial
from wlnet.client.gather.words import KNOCK, KNOCK_SIZE
from wlnet.client.mapping.gateway import Gateways
from wlnet.client.mapping.mapper import PortMapper
from wlnet.client.mapping.shell_gateway import read_gateways
from wlnet.client.mapping.words import MappedPort, MappingProtocol, NotMapped, Standing
from wlnet.client.net.network import DatagramSocket, Network
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Candidate, CandidateKind, Family, Transport

TIMEOUT = 4.0
"""Seconds; a slow UPnP router takes about two."""


class Trials:
    """Ends by exactly one call of *done*; the ports stay until :meth:`close`.

    :param knocked: a test packet of the server came through one of them, with that token.
    """

    def __init__(
        self,
        network: Network,
        knocked: Callable[[str], None],
        done: Callable[[], None],
        *,
        gateways: Callable[[], Gateways] = read_gateways,
    ) -> None:
        self._done = done
        self._over = False
        self._results: dict[MappingProtocol, MappedPort | NotMapped] = {}
        self._knocked = knocked
        self._sockets: dict[MappingProtocol, DatagramSocket] = {}
        self._mappers: dict[MappingProtocol, PortMapper] = {}
        self._timer = network.call_later(TIMEOUT, self._end)
        for protocol in MappingProtocol:
            mapper = PortMapper(network, protocols=(protocol,), gateways=gateways)
            self._mappers[protocol] = mapper
            try:
                kept = network.open_datagram(Family.V4, self._received)
            except OSError:
                continue
            self._sockets[protocol] = kept
            mapper.lease(Transport.UDP, Family.V4, kept.local.port, partial(self._told, protocol))

    @property
    def gateway(self) -> str:
        """The router; empty: none is known."""
        for mapper in self._mappers.values():
            gateway = mapper.gateway()
            if gateway is not None:
                return gateway.address
        return ""

    @property
    def results(self) -> tuple[MappingTrial, ...]:
        """What is known, the best protocol first; nothing is tested yet."""
        return tuple(self._trial(protocol) for protocol in MappingProtocol)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What was mapped."""
        return tuple(
            Candidate(
                kind=CandidateKind.MAPPED,
                transport=Transport.UDP,
                address=result.external.host,
                port=result.external.port,
                base_port=result.internal.port,
            )
            for result in self._results.values()
            if isinstance(result, MappedPort)
        )

    def close(self, done: Callable[[], None]) -> None:
        """Give everything back; *done* is called when the router knows, or does not answer."""
        self._over = True
        self._timer.cancel()
        left = len(self._mappers)

        def one() -> None:
            nonlocal left
            left -= 1
            if not left:
                done()

        for kept in self._sockets.values():
            kept.close()
        for mapper in self._mappers.values():
            mapper.close(one)

    def _received(self, data: bytes, source: Endpoint) -> None:  # noqa: ARG002
        if len(data) == KNOCK_SIZE and data[0] == KNOCK:
            self._knocked(data[1:].hex())

    def _told(self, protocol: MappingProtocol, result: MappedPort | NotMapped) -> None:
        self._results[protocol] = result
        if len(self._results) == len(self._sockets):
            self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._timer.cancel()
            self._done()

    def _trial(self, protocol: MappingProtocol) -> MappingTrial:
        result = self._results.get(protocol)
        if isinstance(result, MappedPort):
            return MappingTrial(
                protocol=protocol,
                standing=Standing.MAPPED,
                address=result.external.host,
                port=result.external.port,
            )
        if result is None:
            return MappingTrial(
                protocol=protocol, standing=Standing.SILENT, text=f"{protocol.label} does not answer in time."
            )
        for report in result.reports:
            if report.protocol is protocol and report.standing is not Standing.UNASKED:
                return MappingTrial(
                    protocol=protocol, standing=report.standing, text=report.text, address=report.address
                )
        return MappingTrial(protocol=protocol, standing=Standing.UNASKED, text=result.text)
