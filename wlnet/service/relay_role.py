"""The relay's part of a process: rooms, and the port games connect to."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.gate import ConnectionGate
from wlnet.moderation.sanctions import Sanction, Target
from wlnet.protocols.widelands_relay.server import RelayFactory
from wlnet.relay.control import RelayObserver
from wlnet.relay.relay import Relay
from wlnet.relay.shell_journal import LogJournal
from wlnet.service.shared import Shared


class RelayRole:
    """Builds the relay.

    :ivar relay: what the lobby steers.
    :ivar factory: for the ports games connect to.
    """

    def __init__(self, shared: Shared, observer: RelayObserver) -> None:
        config = shared.config
        self._sanctions = shared.sanctions
        self.relay = Relay(
            config.relay,
            config.limits,
            shared.agenda,
            shared.metrics,
            shared.budget,
            observer,
            LogJournal(shared.may_log),
        )
        gate = ConnectionGate(
            config.limits.relay_connections,
            config.limits.relay_connections_per_address,
            TrustedNetworks(config.limits.trusted_networks),
        )
        self.factory = RelayFactory(
            self.relay, gate, self._banned, reactor=shared.reactor, may_log=shared.may_log
        )
        shared.sanctions.subscribe(self)
        for name, text in (
            ("connections_now", "Connections to the relay"),
            ("frames_in", "Game packets received"),
            ("frames_out", "Game packets passed on"),
            ("bytes_in", "Bytes received"),
            ("bytes_out", "Bytes sent"),
        ):
            shared.metrics.observe(f"wlnet_relay_{name}", text, self._figure(name))
        shared.metrics.observe("wlnet_relay_rooms", "Rooms at the relay", lambda: len(self.relay.rooms()))

    def stop(self) -> Deferred[None]:
        """Disconnect everybody with a reason; fires when they are gone, within ``relay.close_linger``."""
        return self.factory.stop()

    def imposed(self, sanction: Sanction, /) -> None:
        """A ban by an operator takes those off the relay who are on it."""
        if sanction.sweeps:
            if sanction.target is Target.ADDRESS:
                self.relay.drop_address(sanction.value)
            elif sanction.target is Target.NETWORK:
                self.relay.drop_network(sanction.value)

    def lifted(self, sanction: Sanction, /) -> None:
        """Nobody is here whom a lifted ban concerns."""

    def _figure(self, name: str) -> Callable[[], float]:
        return lambda: float(getattr(self.relay.figures, name))

    def _banned(self, address: str) -> str | None:
        ban = self._sanctions.banned(address=address)
        return None if ban is None else ban.reason or "banned"
