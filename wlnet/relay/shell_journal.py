"""The relay's journal as log lines."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger, LogLevel

from wlnet.relay.peer import Peer
from wlnet.relay.room import Room

_log = Logger(namespace="wlnet.relay")


def _always(_address: str) -> bool:
    return True


class LogJournal:
    """Writes to the log of the service.

    :param may_log: asked with the address before each line about a peer; counts what it refuses.
    :param show: how an address is written (shortened or whole).
    """

    def __init__(
        self, may_log: Callable[[str], bool] = _always, show: Callable[[str], str] = lambda address: address
    ) -> None:
        self._may_log = may_log
        self._show = show

    def room_opened(self, room: Room) -> None:
        """A room waits for its host. The lobby's log has it: it knows who asked, and how often he did."""
        _log.debug("room {room} opened for game {game!r}", room=room.room_id, game=room.game)

    def room_hosted(self, room: Room, host: Peer) -> None:
        """Its host is there."""
        if self._may_log(host.address):
            _log.info(
                "room {room} of game {game!r} has its host: session {session} from {address}",
                room=room.room_id, game=room.game, session=host.session_id, address=self._show(host.address),
            )  # fmt: skip

    def room_closed(self, room: Room, why: str) -> None:
        """It is gone."""
        if room.host_address is None:
            level = LogLevel.debug
        elif self._may_log(room.host_address):
            level = LogLevel.info
        else:
            return
        _log.emit(
            level, "room {room} of game {game!r} closed after {joins} joins: {why}",
            room=room.room_id, game=room.game, joins=room.joins, why=why,
        )  # fmt: skip

    def joined(self, room: Room, client: Peer) -> None:
        """A client has joined."""
        if self._may_log(client.address):
            _log.info(
                "session {session} from {address} joined room {room} as {id}, {clients} clients now",
                session=client.session_id, address=self._show(client.address), room=room.room_id,
                id=client.client_id, clients=len(room.clients),
            )  # fmt: skip

    def left(self, peer: Peer, why: str) -> None:
        """A peer has left or was disconnected."""
        if self._may_log(peer.address):
            _log.info(
                "session {session} from {address} left: {why}",
                session=peer.session_id, address=self._show(peer.address), why=why,
            )  # fmt: skip
