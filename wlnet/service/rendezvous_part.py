"""The rendezvous of a lobby process: desk, knocks, and the observation packets on STUN's UDP ports."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from wlnet.link.pair_end import PairEnd
from wlnet.lobby.lobby import Lobby
from wlnet.protocols.exchange import observation
from wlnet.protocols.exchange.session import exchanges
from wlnet.protocols.exchange.shell_journal import LogJournal
from wlnet.protocols.stun.shell_datagrams import DatagramMux
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.desk import Desk
from wlnet.rendezvous.ports import NoRelays, PairRelays
from wlnet.rendezvous.shell_reach import Reach
from wlnet.service.shared import Shared, new_room_id
from wlnet.tickets.keys import MIN_KEY, TicketKeys
from wlnet.tickets.ticket import TicketError, from_text


class RendezvousPart:
    """Built around a lobby.

    :param relays: the relay of pairs; None: there is none, and pairs that cannot meet directly stay apart.
    :ivar desk: who meets whom.
    :ivar extension: for :class:`wlnet.protocols.metaserver.session.Office`.
    """

    def __init__(self, shared: Shared, lobby: Lobby, relays: PairRelays | None = None) -> None:
        if relays is None:
            relays = NoRelays(TicketKeys(secrets.token_bytes(MIN_KEY)))
        self._reach = Reach(shared.reactor)
        self.desk = Desk(
            lobby,
            shared.config.rendezvous,
            shared.metrics,
            relays,
            self._reach,
            shared.sanctions,
            wall=shared.wall,
            random_bytes=secrets.token_bytes,
            new_game_id=new_room_id,
        )
        self._journal = LogJournal(shared.may_log)
        self.extension = exchanges(self.desk, shared.metrics, self._journal)
        shared.metrics.observe("wlnet_exchanges", "Players who speak the exchange", lambda: self.desk.members)
        shared.metrics.observe(
            "wlnet_meetings", "Pairs of a guest and a host known", lambda: self.desk.meetings
        )

    def observe(self, ticket: str, address: str) -> bool:
        """A relay elsewhere got this ticket (as text) from *address*: whether it was worth something."""
        try:
            self.desk.observed(from_text(ticket), address)
        except (TicketError, ValueError):
            return False
        return True

    def attach(self, ports: Iterable[DatagramMux]) -> None:
        """Take observation packets on these UDP ports of this process."""
        for port in ports:

            def observed(data: bytes, source: Endpoint, local: Endpoint, port: DatagramMux = port) -> None:
                answer = observation.observe(self.desk, data, source.host, self._journal)
                if answer is not None:
                    port.send(answer, source, local)

            port.register([observation.REQUEST], observed)

    def stop(self) -> None:
        """End what is under way; paths that carry games go on."""
        self.desk.stop()
        self._reach.stop()


def pass_on_observations(ports: Iterable[DatagramMux], end: PairEnd) -> None:
    """Take observation packets on these UDP ports for the lobby at the other end of the link."""
    for port in ports:

        def observed(data: bytes, source: Endpoint, local: Endpoint, port: DatagramMux = port) -> None:
            def answer(serial: bytes) -> bool:
                return port.send(bytes([observation.ANSWER]) + serial, source, local)

            end.observe(data[1:], source.host, answer)

        port.register([observation.REQUEST], observed)
