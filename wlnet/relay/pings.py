"""Is everybody still there? (docs/protocols/relay.md, "Ping")."""

from __future__ import annotations

from collections.abc import Callable

from wlnet.agenda import Agenda
from wlnet.relay.peer import Peer
from wlnet.relay.rota import Rota


class Pings:
    """Asks every welcomed peer regularly and reports those who answer nothing.

    :param first: seconds from Welcome to the first ping.
    :param interval: seconds between two pings.
    :param timeout: seconds from the first unanswered ping until *silent* is called with the peer.
    :param flush: called when pings were put.
    """

    def __init__(
        self,
        agenda: Agenda,
        first: float,
        interval: float,
        timeout: float,
        silent: Callable[[Peer], None],
        flush: Callable[[], None],
    ) -> None:
        self._now = agenda.now
        self._first = Rota[Peer](agenda, first, self._ping, flush)
        self._next = Rota[Peer](agenda, interval, self._ping, flush)
        self._unanswered = Rota[Peer](agenda, timeout, silent, flush)

    def start(self, peer: Peer) -> None:
        """*peer* was welcomed."""
        self._first.enter(peer)

    def forget(self, peer: Peer) -> None:
        """*peer* is leaving."""
        self._first.leave(peer)
        self._next.leave(peer)
        self._unanswered.leave(peer)

    def pong(self, peer: Peer, sequence: int) -> None:
        """*peer* answered. Any number proves that it lives; only the last one's is a measurement."""
        self._unanswered.leave(peer)
        if sequence == peer.ping_sequence and peer.ping_sent_at is not None:
            now = self._now()
            peer.round_trip_ms = max(0, min(255, round((now - peer.ping_sent_at) * 1000)))
            peer.pong_at = now
            peer.ping_sent_at = None

    def stop(self) -> None:
        """Ping nobody any more."""
        self._first.stop()
        self._next.stop()
        self._unanswered.stop()

    def _ping(self, peer: Peer) -> None:
        peer.ping_sequence = (peer.ping_sequence + 1) % 256
        peer.ping_sent_at = self._now()
        peer.put(peer.ping(peer.ping_sequence))
        self._next.enter(peer)
        if peer not in self._unanswered:
            self._unanswered.enter(peer)
