"""The rendezvous of a lobby process: desk, knocks, and the observation packets on STUN's UDP ports."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from twisted.logger import Logger

from wlnet.link.pair_end import PairEnd
from wlnet.lobby.lobby import Lobby
from wlnet.protocols.exchange import observation
from wlnet.protocols.exchange.session import exchanges
from wlnet.protocols.exchange.shell_journal import LogJournal
from wlnet.protocols.stun.shell_datagrams import DatagramMux
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.desk import Desk
from wlnet.rendezvous.ports import NoRelays, PairRelays
from wlnet.rendezvous.records import AttemptRecord
from wlnet.rendezvous.shell_reach import Reach
from wlnet.rendezvous.shell_records import RecordFile
from wlnet.service.shared import Shared, new_room_id
from wlnet.tickets.keys import MIN_KEY, TicketKeys
from wlnet.tickets.ticket import TicketError, from_text

_log = Logger(namespace="wlnet.rendezvous")


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
        self._may_log = shared.may_log
        settings = shared.config.rendezvous
        self._records: RecordFile | None = None
        if settings.trace_file:
            path = Path(shared.config.server.state_dir) / settings.trace_file
            self._records = RecordFile(path, settings.trace_size)
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
            on_record=self._recorded,
        )
        self._journal = LogJournal(shared.may_log, shared.agenda.now)
        self.extension = exchanges(self.desk, shared.metrics, self._journal)
        shared.metrics.observe("wlnet_exchanges", "Players who speak the exchange", lambda: self.desk.members)
        shared.metrics.observe(
            "wlnet_meetings", "Pairs of a guest and a host known", lambda: self.desk.meetings
        )

    def _recorded(self, record: AttemptRecord, address: str) -> None:
        if self._records is not None:
            self._records.write(record)
        if self._may_log(address):
            _log.info(
                "attempt {number}, {guest} to {host}: {sentence}",
                number=record.number,
                guest=record.guest,
                host=record.host,
                sentence=record.sentence,
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
