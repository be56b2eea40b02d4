"""One room: a host, its clients, and the way from a list of ids to their connections."""

from __future__ import annotations

from wlnet.relay.control import RoomInfo
from wlnet.relay.ids import ClientIds
from wlnet.relay.peer import Peer

HOST_ID = 1
_ROUTES = 64
"""Lists of ids remembered; a game uses a handful, a malicious host must not use more memory."""


class Room:
    """A game's place on the relay.

    :param name: the game's name as the wire has it.
    :param id_quarantine: seconds, see :class:`~wlnet.relay.ids.ClientIds`.
    """

    __slots__ = (
        "_routes", "card", "clients", "game", "host", "host_address", "ids", "joins", "name", "opened_at",
        "password", "room_id", "version",
    )  # fmt: skip

    def __init__(
        self,
        room_id: str,
        game: str,
        name: bytes,
        password: bytes,
        card: str,
        id_quarantine: float,
        now: float,
    ) -> None:
        self.room_id = room_id
        self.game = game
        self.name = name
        self.password = password
        self.card = card
        self.opened_at = now
        self.version = 0
        """Protocol version of the host; clients must speak the same."""
        self.host: Peer | None = None
        self.host_address: str | None = None
        """Stays when the host is gone; None if nobody ever was."""
        self.clients: dict[int, Peer] = {}
        """By id, in the order in which they joined."""
        self.ids = ClientIds(id_quarantine)
        self.joins = 0
        self._routes: dict[bytes, tuple[Peer, ...]] = {}

    def info(self) -> RoomInfo:
        """The room as seen from outside."""
        return RoomInfo(room_id=self.room_id, game=self.game, hosted=self.host is not None, card=self.card)

    def add(self, client: Peer, client_id: int) -> None:
        """*client* has joined as *client_id*."""
        client.room = self
        client.client_id = client_id
        self.clients[client_id] = client
        self.joins += 1
        self._routes.clear()

    def remove(self, client: Peer, now: float, *, confirmed: bool = False) -> None:
        """*client* is gone; *confirmed*: its host knows already."""
        del self.clients[client.client_id]
        self.ids.release(client.client_id, now, confirmed=confirmed)
        client.room = None
        self._routes.clear()

    def members(self) -> list[Peer]:
        """Host and clients."""
        return ([self.host] if self.host is not None else []) + list(self.clients.values())

    def route(self, ids: bytes) -> tuple[Peer, ...]:
        """The clients with these ids, in this order and as often as listed; ids of nobody are skipped."""
        route = self._routes.get(ids)
        if route is None:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            clients = self.clients
            route = self._routes[ids] = tuple([clients[one] for one in ids if one in clients])
        return route

    def round_trips(self, now: float) -> list[tuple[int, int, int]]:
        """For host, then clients by order of joining: id, milliseconds of the last measured round trip, and
        seconds since then; both at most 255. Not measured yet: 255 ms, and the seconds since the accept.
        """
        return [
            (peer.client_id, peer.round_trip_ms, max(0, min(255, int(now - peer.pong_at))))
            for peer in self.members()
        ]
