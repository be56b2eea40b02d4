"""The relay: its rooms, who gets into them, and how everything in it ends."""

from __future__ import annotations

from hmac import compare_digest
from ipaddress import ip_network

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import IPNetwork, address_key, parse_address
from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Front, Limit, Metrics
from wlnet.relay.control import RelayObserver, RoomInfo
from wlnet.relay.figures import Figures
from wlnet.relay.journal import Journal, NoJournal
from wlnet.relay.outgoing import Outgoing
from wlnet.relay.peer import Peer
from wlnet.relay.pings import Pings
from wlnet.relay.reasons import Reason
from wlnet.relay.room import HOST_ID, Room
from wlnet.relay.rota import Rota


class Relay:
    """All rooms and connections of one relay; it is a :class:`~wlnet.relay.control.RelayControl`.

    :param observer: told when a room gets its host and when it is gone; may be replaced until the first
        room is opened.
    """

    def __init__(
        self,
        settings: schema.Relay,
        limits: schema.Limits,
        agenda: Agenda,
        metrics: Metrics,
        budget: QueueBudget,
        observer: RelayObserver,
        journal: Journal | None = None,
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.observer = observer
        self.journal: Journal = journal if journal is not None else NoJournal()
        self.now = agenda.now
        self.figures = Figures()
        self.peers: set[Peer] = set()
        """Every connection, also newcomers and those being closed."""
        self.outgoing = Outgoing(settings.queue_limit, budget, self.figures, self._drop_slow, self.abort)
        self._metrics = metrics
        self._rooms: dict[str, Room] = {}
        self._by_name: dict[bytes, Room] = {}
        flush = self.outgoing.flush
        self._pings = Pings(
            agenda, settings.first_ping, settings.ping_interval, settings.ping_timeout, self._silent, flush
        )
        self._newcomers = Rota[Peer](agenda, settings.handshake_timeout, self._no_hello, flush)
        self._lingering = Rota[Peer](agenda, settings.close_linger, self.abort, flush)
        self._abandoned = Rota[Peer](agenda, settings.farewell_delay, self._abandon, flush)
        self._hostless = Rota[Room](agenda, settings.host_timeout, self._nobody_came, flush)

    # What may be asked of a relay (RelayControl).

    def open_room(self, room_id: str, game: str, password: str, card: str) -> bool:
        """Open a room; False if its id or game is taken, unusable on the wire, or if there are too many."""
        name = game.encode("utf-8", "surrogateescape")
        secret = password.encode("utf-8", "surrogateescape")
        if room_id in self._rooms or name in self._by_name or b"\0" in name or b"\0" in secret:
            return False
        if len(self._rooms) >= self.settings.max_games:
            self._metrics.limited(Front.RELAY, Limit.GAMES)
            return False
        room = Room(room_id, game, name, secret, card, self.settings.id_quarantine, self.now())
        self._rooms[room_id] = self._by_name[name] = room
        self._hostless.enter(room)
        self.figures.rooms_total += 1
        self.journal.room_opened(room)
        return True

    def update_card(self, room_id: str, card: str) -> None:
        """Replace the note kept with a room; unknown rooms are ignored."""
        room = self._rooms.get(room_id)
        if room is not None:
            room.card = card

    def close_room(self, room_id: str) -> None:
        """Disconnect everybody in a room (``NORMAL``) and remove it; unknown rooms are ignored."""
        room = self._rooms.get(room_id)
        if room is not None:
            self._end_room(room, "closed by the lobby")
        self.outgoing.flush()

    def drop_from_room(self, game: str, address: str) -> None:
        """Disconnect (``NORMAL``) the members of a game's room that share the limit key of *address*."""
        room = self._by_name.get(game.encode("utf-8", "surrogateescape"))
        if room is not None:
            key = address_key(address)
            for peer in room.members():
                if peer.address_key == key:
                    self.leave(peer, Reason.NORMAL, "kicked by the lobby")
        self.outgoing.flush()

    def drop_address(self, address: str) -> None:
        """Disconnect (``BANNED``) everybody whose address has the same limit key as *address*."""
        key = address_key(address)
        self._ban([peer for peer in self.peers if peer.address_key == key])

    def drop_network(self, network: str) -> None:
        """Disconnect (``BANNED``) everybody from a network in CIDR notation.

        :raises ValueError: *network* is no network.
        """
        banned = ip_network(network, strict=False)
        addresses = {peer.address for peer in self.peers}
        hit = {address for address in addresses if _is_in(address, banned)}
        self._ban([peer for peer in self.peers if peer.address in hit])

    def rooms(self) -> list[RoomInfo]:
        """All rooms, the oldest first."""
        return [room.info() for room in self._rooms.values()]

    # What the wire side reports.

    def connected(self, peer: Peer, banned: str | None = None) -> None:
        """A connection was accepted; it has to say Hello now. *banned*: why it may not."""
        self.peers.add(peer)
        self.figures.connections_total += 1
        self.figures.connections_now += 1
        if banned is None:
            self._newcomers.enter(peer)
            return
        self._metrics.limited(Front.RELAY, Limit.BANNED)
        self.leave(peer, Reason.BANNED, "banned")

    def hello(self, peer: Peer, version: int, name: bytes, password: bytes) -> None:
        """A newcomer wants into the game called *name*: let it in as host or client, or refuse it."""
        room = self._by_name.get(name)
        if room is None:
            self.refuse(peer, Reason.GAME_UNKNOWN)
        elif room.host is None:
            if not compare_digest(password, room.password):
                self.refuse(peer, Reason.NO_HOST)
                return
            self._newcomers.leave(peer)
            self._host_arrived(room, peer, version)
        elif version != room.version:
            self.refuse(peer, Reason.WRONG_VERSION)
        else:
            self._client_arrived(room, room.host, peer)

    def refuse(self, peer: Peer, reason: Reason) -> None:
        """A Hello that cannot be met."""
        self.figures.refused_hellos += 1
        self.leave(peer, reason, f"refused, {reason.value}")

    def violation(self, peer: Peer, limit: Limit = Limit.MALFORMED) -> None:
        """*peer* broke the protocol."""
        self.figures.violations += 1
        self._metrics.limited(Front.RELAY, limit)
        self.leave(peer, Reason.PROTOCOL_VIOLATION, "protocol violation")

    def limited(self, limit: Limit) -> None:
        """Count a limit that bit without ending the connection."""
        self._metrics.limited(Front.RELAY, limit)

    def pong(self, peer: Peer, sequence: int) -> None:
        """*peer* answered a ping."""
        self._pings.pong(peer, sequence)

    def kick(self, room: Room, client_id: int) -> None:
        """The host has done with a client: disconnect it, or note that it need not be told of its end.

        The host is not told (it knows), so the id can be used again at once as far as the host is concerned.
        """
        client = room.clients.get(client_id)
        if client is None:
            room.ids.confirm(client_id)
            return
        room.remove(client, self.now(), confirmed=True)
        self._dismiss_later(client, "kicked by the host")

    def leave(self, peer: Peer, reason: Reason, why: str, *, discard: bool = False) -> None:
        """Disconnect *peer* with *reason*; a host takes its room along. *why* is for the log."""
        if not (peer.closing or peer.closed):
            self._leave_room(peer, why)
            self._dismiss(peer, reason, why, discard=discard)

    def lost(self, peer: Peer) -> None:
        """The connection of *peer* is gone, whoever ended it. Calling it again is harmless."""
        if peer.closed:
            return
        peer.closed = True
        was_closing = peer.closing
        self.peers.discard(peer)
        self.figures.connections_now -= 1
        self._forget_timers(peer)
        self._lingering.leave(peer)
        self.outgoing.forget(peer)
        peer.ignore_input()
        self._leave_room(peer, "connection ended")
        if not was_closing:
            self.journal.left(peer, "connection ended")

    def abort(self, peer: Peer) -> None:
        """Give *peer* up without another word: its connection is dead, or it had its time."""
        peer.carrier.abort()
        self.lost(peer)

    def close(self) -> None:
        """Disconnect everybody with a reason and remove all rooms: the relay ends."""
        for room in list(self._rooms.values()):
            self._end_room(room, "relay shuts down")
        for peer in list(self.peers):
            self.leave(peer, Reason.NORMAL, "relay shuts down")
        self._pings.stop()
        self._newcomers.stop()
        self._abandoned.stop()
        self._hostless.stop()
        self.outgoing.flush()

    # How people come.

    def _host_arrived(self, room: Room, peer: Peer, version: int) -> None:
        self._hostless.leave(room)
        room.host = peer
        room.host_address = peer.address
        room.version = version
        peer.room = room
        peer.client_id = HOST_ID
        self.figures.rooms_hosted_total += 1
        self.journal.room_hosted(room, peer)
        self.observer.room_hosted(room.room_id)
        if peer.room is room:  # the observer may have closed it
            peer.became_host(room)
            self._pings.start(peer)

    def _client_arrived(self, room: Room, host: Peer, peer: Peer) -> None:
        client_id = None
        if len(room.clients) < self.settings.max_clients_per_game:
            client_id = room.ids.take(self.now())
        if client_id is None:
            self._metrics.limited(Front.RELAY, Limit.CLIENTS_PER_GAME)
            self.refuse(peer, Reason.NORMAL)
            return
        self._newcomers.leave(peer)
        room.add(peer, client_id)
        self.figures.joins_total += 1
        self.journal.joined(room, peer)
        peer.became_client(room, host)
        host.put(host.client_joined(client_id))
        self._pings.start(peer)

    # How people go.

    def _leave_room(self, peer: Peer, why: str) -> None:
        room = peer.room
        if room is None:
            return
        if room.host is peer:
            self._end_room(room, f"host: {why}", spare=peer)
            return
        client_id = peer.client_id
        room.remove(peer, self.now())
        if room.host is not None:
            room.host.put(room.host.client_left(client_id))

    def _end_room(self, room: Room, why: str, spare: Peer | None = None) -> None:
        """Remove *room*, disconnect everybody in it with ``NORMAL``, tell the observer.

        :param spare: the host, if it is he who left; see :meth:`_dismiss_later` for his clients.
        """
        if self._rooms.get(room.room_id) is not room:
            return
        del self._rooms[room.room_id]
        del self._by_name[room.name]
        self._hostless.leave(room)
        members = room.members()
        room.host = None
        room.clients.clear()
        for peer in members:
            peer.room = None
        for peer in members:
            if peer is spare:
                continue
            if spare is None:
                self._dismiss(peer, Reason.NORMAL, "game over")
            else:
                self._dismiss_later(peer, "game over")
        self.journal.room_closed(room, why)
        self.observer.room_closed(room.room_id)

    def _dismiss(self, peer: Peer, reason: Reason, why: str, *, discard: bool = False) -> None:
        """Say goodbye to a peer that is in no room (any more)."""
        if peer.closing or peer.closed:
            return
        self._forget_timers(peer)
        peer.close(reason, discard=discard)
        self._lingering.enter(peer)
        self.journal.left(peer, why)

    def _dismiss_later(self, peer: Peer, why: str) -> None:
        """The host has done with a client: it is in no room any more, and disconnected in a moment.

        A released game that finds its host's last packet (which says why) and the end of its connection in
        the same frame tells its player nothing and stands still.
        """
        if self.settings.farewell_delay <= 0:
            self._dismiss(peer, Reason.NORMAL, why)
        else:
            self._forget_timers(peer)
            peer.ignore_input()
            self._abandoned.enter(peer)

    def _forget_timers(self, peer: Peer) -> None:
        self._pings.forget(peer)
        self._newcomers.leave(peer)
        self._abandoned.leave(peer)

    def _ban(self, peers: list[Peer]) -> None:
        for peer in peers:
            if not peer.closing:
                self._metrics.limited(Front.RELAY, Limit.BANNED)
                self.leave(peer, Reason.BANNED, "banned")
        self.outgoing.flush()

    # What comes due.

    def _no_hello(self, peer: Peer) -> None:
        self.figures.timeouts += 1
        self._metrics.limited(Front.RELAY, Limit.HANDSHAKE_TIME)
        self.leave(peer, Reason.TIMEOUT, "no Hello in time")

    def _silent(self, peer: Peer) -> None:
        self.figures.timeouts += 1
        self._metrics.limited(Front.RELAY, Limit.SILENCE)
        self.leave(peer, Reason.TIMEOUT, "answers no ping")

    def _abandon(self, peer: Peer) -> None:
        self._dismiss(peer, Reason.NORMAL, "its host has done with it")

    def _nobody_came(self, room: Room) -> None:
        self._end_room(room, "no host in time")

    def _drop_slow(self, peer: Peer, limit: Limit) -> None:
        self._metrics.limited(Front.RELAY, limit)
        if limit is Limit.QUEUE:
            self.figures.dropped_slow += 1
        else:
            self.figures.dropped_total_queues += 1
        if peer.closing:  # even what a dropped peer may still read is too much
            self.abort(peer)
        else:
            self.leave(peer, Reason.TIMEOUT, "does not read", discard=True)


def _is_in(address: str, network: IPNetwork) -> bool:
    try:
        return parse_address(address) in network
    except ValueError:
        return False
