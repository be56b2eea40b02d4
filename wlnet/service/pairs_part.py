"""The pair relay's part of a process: guest of the second STUN port, UDP and TCP, and of one over TLS."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from twisted.logger import Logger

from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.gate import ConnectionGate
from wlnet.link.messages import PairPorts
from wlnet.metrics import Limit
from wlnet.moderation.sanctions import Sanction, Target
from wlnet.protocols.pairs import wire
from wlnet.protocols.pairs.cookies import Cookies
from wlnet.protocols.pairs.datagrams import DatagramFront
from wlnet.protocols.pairs.server import PairFactory
from wlnet.protocols.stun.shell_streams import StreamMux
from wlnet.relay.pair_words import Ending, Refusal
from wlnet.relay.pairs import Pairs
from wlnet.rendezvous.ports import StunPlace
from wlnet.service.shared import Shared
from wlnet.service.stun_part import StunPart
from wlnet.steering.model import Side
from wlnet.steering.rules import RelayPlace
from wlnet.tickets.keys import TicketKeys, keys_at
from wlnet.tickets.ticket import RelayPair

KEY_PERIOD = 7200.0
"""Seconds; longer than any ticket lives (rendezvous.ticket_lifetime and clock_skew at their most)."""

_log = Logger(namespace="wlnet.pairs")


class PairsPart:
    """Hangs the relay of pairs on the ports of *stun*; make it before those are served.

    It is the :class:`~wlnet.rendezvous.ports.PairRelays` of a lobby in the same process.

    :param secret: what the keys of tickets are made from, 32 bytes or more, shared with their maker.
    :ivar pairs: the pairs themselves.
    """

    def __init__(self, shared: Shared, stun: StunPart, secret: bytes) -> None:
        config = shared.config
        self._shared = shared
        self._secret = secret
        self._stun = stun
        trusted = TrustedNetworks(config.limits.trusted_networks)
        rendezvous, settings = config.rendezvous, config.pairs
        self.pairs = Pairs(
            settings,
            shared.agenda,
            shared.metrics,
            self.keys,
            shared.wall,
            secrets.token_bytes,
            ticket_memory=rendezvous.ticket_lifetime + 2 * rendezvous.clock_skew,
            skew=rendezvous.clock_skew,
            trusted=trusted,
            banned=lambda address: shared.sanctions.banned(address=address) is not None,
            watcher=self,
        )
        mux = stun.datagrams[1]
        cookies = Cookies(secrets.token_bytes(32), shared.agenda.now)
        self.datagrams = DatagramFront(self.pairs, cookies, shared.agenda, shared.metrics, mux.send)
        mux.register(wire.FIRST_BYTES, self.datagrams.datagram)
        gate = ConnectionGate(settings.tcp_connections, settings.tcp_connections_per_address, trusted)
        self._factory = PairFactory(self.pairs, gate, shared.agenda, shared.metrics, shared.budget)
        stun.streams[1].register(wire.PREAMBLE, self._factory)
        self._tls_port = 0
        self._subscription = shared.sanctions.subscribe(self)
        self._observe(gate)

    def serve_tls(self, streams: StreamMux, port: int) -> None:
        """Take connections of *streams* as well, and tell players its *port*."""
        streams.register(wire.PREAMBLE, self._factory)
        self._tls_port = port

    def stop(self) -> None:
        """End all pairs with a word about it. The ports are closed by the part they belong to."""
        self._subscription()
        self.pairs.stop()

    @property
    def ports(self) -> PairPorts:
        """Where it listens."""
        config, port = self._shared.config, self._stun.datagrams[1].port
        return PairPorts(
            listen=config.stun.listen,
            udp=port,
            tcp=port,
            tls=self._tls_port,
            capacity=config.pairs.max_pairs,
        )

    # -- for the rendezvous (PairRelays) ---------------------------------------------------------

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:  # noqa: ARG002  there is one
        """See :meth:`wlnet.rendezvous.ports.PairRelays.place`."""
        stun, ports = self.stun(reached_at), self.ports
        if stun is None:
            return None
        return RelayPlace(
            addresses=stun.addresses, udp_port=ports.udp, tcp_port=ports.tcp, tls_port=ports.tls
        )

    def stun(self, reached_at: str) -> StunPlace | None:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.stun`."""
        return self._stun.place(reached_at)

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.addresses`."""
        place = self._stun.place(reached_at)
        return () if place is None else place.addresses

    def keys(self) -> TicketKeys:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.keys`."""
        return keys_now(self._shared, self._secret)

    def quotas(self, pair: str, side: Side, address: str) -> RelayPair:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.quotas`; the settings here are the quotas."""
        return RelayPair(pair=pair, side=side, address=address)

    def revoke(self, pair: str) -> None:
        """See :meth:`wlnet.rendezvous.ports.PairRelays.revoke`."""
        self.pairs.revoke(pair)

    # -- for the bans (SanctionListener) ---------------------------------------------------------

    def imposed(self, sanction: Sanction, /) -> None:
        """A ban by an operator ends the pairs of those it hits."""
        if sanction.sweeps:
            if sanction.target is Target.ADDRESS:
                self.pairs.drop_address(sanction.value)
            elif sanction.target is Target.NETWORK:
                self.pairs.drop_network(sanction.value)

    def lifted(self, sanction: Sanction, /) -> None:
        """Nobody is here whom a lifted ban concerns."""

    # -- for the log (PairWatcher) ---------------------------------------------------------------

    def bound(self, pair: str, side: Side, address: str) -> None:
        """See :class:`~wlnet.relay.pair_words.PairWatcher`."""
        if self._shared.may_log(address):
            _log.info("pair {pair}: {side} at {address}", pair=pair, side=side.value, address=address)

    def refused(self, address: str, refusal: Refusal) -> None:
        """See :class:`~wlnet.relay.pair_words.PairWatcher`."""
        if self._shared.may_log(address):
            _log.info("a ticket from {address} refused: {why}", address=address, why=refusal.value)

    def turned_away(self, address: str, limit: Limit) -> None:
        """See :class:`~wlnet.relay.pair_words.PairWatcher`."""
        if self._shared.may_log(address):
            _log.info("closed a connection from {address}: {limit}", address=address, limit=limit.value)

    def ended(self, pair: str, ending: Ending, transferred: int) -> None:
        """See :class:`~wlnet.relay.pair_words.PairWatcher`."""
        _log.info("pair {pair} ended: {why}, {size} bytes", pair=pair, why=ending.value, size=transferred)

    def _observe(self, gate: ConnectionGate) -> None:
        figures, front, observe = self.pairs.figures, self.datagrams, self._shared.metrics.observe
        texts = {
            "datagrams_in": "Datagrams of sides",
            "datagrams_out": "Datagrams passed on",
            "bytes_in": "Bytes of payload received",
            "bytes_out": "Bytes of payload passed on",
            "dropped_unbound": "Datagrams dropped: the other side was not there",
            "dropped_rate": "Datagrams dropped: pairs.rate",
            "dropped_address_rate": "Datagrams dropped: pairs.address_rate",
            "dropped_total_rate": "Datagrams dropped: pairs.total_rate",
            "dropped_undelivered": "Datagrams dropped: the other side's queue or the system was full",
            "binds": "Sides bound",
            "moves": "Sides that moved",
            "ended": "Pairs ended",
        }
        for name, text in texts.items():
            observe(f"wlnet_pairs_{name}", text, _read(figures, name))
        for refusal in Refusal:
            observe(
                f"wlnet_pairs_refused_{refusal.value.lower()}",
                f"Tickets refused: {refusal.value}",
                lambda refusal=refusal: figures.refused[refusal],  # type: ignore[misc]
            )
        observe("wlnet_pairs_now", "Pairs", lambda: len(self.pairs))
        observe("wlnet_pairs_sides_now", "Sides bound now", lambda: len(self.pairs.seats))
        observe("wlnet_pairs_connections_now", "TCP connections of sides", lambda: len(gate))
        for name, text in (
            ("challenges", "Challenges sent"),
            ("malformed", "Datagrams that are no message of a client"),
            ("strangers", "Messages of no side bound there"),
        ):
            observe(f"wlnet_pairs_{name}", text, _read(front, name))


def keys_now(shared: Shared, secret: bytes) -> TicketKeys:
    """The keys in force, the same in all processes that share *secret*."""
    return keys_at(secret, shared.wall(), KEY_PERIOD)


def _read(owner: object, name: str) -> Callable[[], float]:
    return lambda: float(getattr(owner, name))
