"""What a peer of the Widelands relay says, and what it means in its state.

The states are the methods ``_feed_...``; :attr:`Session.feed` is the one of the present state. Each takes
all bytes of one read and handles every whole frame in it; what follows the last one is kept. Packets
are not looked into. Nothing here raises for any input.
"""

from __future__ import annotations

from collections.abc import Callable

from wlnet.limits.buckets import TokenBucket
from wlnet.metrics import Limit
from wlnet.protocols.widelands_relay import wire
from wlnet.relay.peer import Carrier, Peer
from wlnet.relay.reasons import Reason
from wlnet.relay.relay import Relay
from wlnet.relay.room import HOST_ID, Room

_TO_HOST = wire.TO_HOST
_TO_CLIENTS = wire.TO_CLIENTS
_IDS_END = wire.MAX_IDS + 2
_FROM_HOST = bytes((wire.FROM_HOST,))
_FIRST_LETTER = 32
"""Command codes are below it, the characters of a repeated password are not."""

_READ = 65536
_SHORT_READ = 8192
"""Most bytes of a peer handled in one turn; the short one for a peer whose bytes make much work."""

_MUCH_WORK = 4096
"""Packets and receivers (the same packets to many count once for each) in one turn: about a millisecond."""

_INCOMPLETE = 0
_ENDED = -1


def _ignore(_data: bytes) -> None:
    """The state of a connection that is being closed."""


class Session(Peer):
    """A connection speaking the Widelands relay protocol, version 1 or 2."""

    __slots__ = (
        "_commands", "_figures", "_host", "_hosted", "_need", "_prefix", "_rest",
        "_round_trip_bucket", "_version", "_work", "feed", "read_size",
    )  # fmt: skip
    _host: Peer
    """A client's host; set while the client is in a room."""
    _hosted: Room
    """A host's room; set while the host has it."""

    def __init__(self, relay: Relay, carrier: Carrier, address: str, session_id: str) -> None:
        super().__init__(relay, carrier, address, session_id)
        self._figures = relay.figures
        self._version = 0
        self._commands = 0
        """Commands that are no packets, since the last Ping."""
        self._prefix = b""
        self._rest: bytearray | None = None
        """The beginning of an incomplete frame."""
        self._need = 0
        """So many bytes it takes at least to get further with it."""
        self._round_trip_bucket: TokenBucket | None = None
        self._work = 0
        self.read_size = _READ
        """How many bytes to read from this peer at a time, so that it does not hold up the others."""
        self.feed: Callable[[bytes], None] = self._feed_newcomer
        """Handle the (one or more) bytes of a read."""

    # What rooms want said.

    def ignore_input(self) -> None:
        """Nothing that still arrives has any effect."""
        self.feed = _ignore
        self._rest = None
        for name in ("_host", "_hosted"):
            if hasattr(self, name):
                delattr(self, name)

    def became_host(self, room: Room) -> None:
        """Welcome."""
        self._hosted = room
        self.put(wire.welcome(self._version, room.name))

    def became_client(self, room: Room, host: Peer) -> None:
        """Welcome; what the client sends goes to *host* from now on."""
        self._host = host
        self._prefix = bytes((wire.FROM_CLIENT, self.client_id))
        self.put(wire.welcome(self._version, room.name))

    def farewell(self, reason: Reason) -> bytes:
        """Disconnect."""
        return wire.disconnect(reason.value.encode())

    def ping(self, sequence: int) -> bytes:
        """Ping."""
        self._commands = 0
        return wire.ping(sequence)

    def client_joined(self, client_id: int) -> bytes:
        """ConnectClient."""
        return wire.connect_client(client_id)

    def client_left(self, client_id: int) -> bytes:
        """DisconnectClient."""
        return wire.disconnect_client(client_id)

    def end_of_frame(self, chunk: bytes, offset: int) -> int:
        """See :func:`~wlnet.protocols.widelands_relay.wire.end_of_frame`."""
        return wire.end_of_frame(chunk, offset)

    # Before Welcome.

    def _feed_newcomer(self, data: bytes) -> None:
        if self._rest is not None:
            data = b"".join((self._rest, data))
            self._rest = None
        if data[0] != wire.HELLO:
            self.relay.violation(self)
            return
        if len(data) > 1 and data[1] not in wire.VERSIONS:
            self.relay.refuse(self, Reason.WRONG_VERSION)
            return
        end_of_game = data.find(0, 2)
        end = data.find(0, end_of_game + 1) if end_of_game > 0 else -1
        limit = self.relay.limits.relay_hello
        if end >= limit or (end < 0 and len(data) >= limit):
            self.relay.violation(self, Limit.STRING_SIZE)
            return
        if end < 0:
            self._rest = bytearray(data)
            return
        self._version = data[1]
        self.relay.hello(self, self._version, data[2:end_of_game], data[end_of_game + 1 : end])
        if self.closing or self.closed:
            return
        self.feed = self._feed_after_hello if self._version == 1 else self._feed_in_room()
        if len(data) > end + 1:
            self.feed(data[end + 1 :])

    def _feed_in_room(self) -> Callable[[bytes], None]:
        return self._feed_host if self.client_id == HOST_ID else self._feed_client

    def _feed_after_hello(self, data: bytes) -> None:
        """Version 1 may repeat the password: to be skipped, here and nowhere else."""
        if data[0] >= _FIRST_LETTER:
            self._need = 0
            self.feed = self._feed_repetition
        else:
            self.feed = self._feed_in_room()
        self.feed(data)

    def _feed_repetition(self, data: bytes) -> None:
        end = data.find(0)
        self._need += len(data) if end < 0 else end + 1
        if self._need > self.relay.limits.relay_hello:
            self.relay.violation(self, Limit.STRING_SIZE)
        elif end >= 0:
            self.feed = self._feed_in_room()
            if end + 1 < len(data):
                self.feed(data[end + 1 :])

    # In a room, as a client.

    def _feed_client(self, data: bytes) -> None:
        if self._rest is not None:
            if len(self._rest) + len(data) < self._need:
                self._rest += data
                return
            data = b"".join((self._rest, data))
            self._rest = None
        size = len(data)
        if size > 2 and data[0] == _TO_HOST and (data[1] << 8 | data[2]) == size - 1:
            host = self._host
            host.out.append(self._prefix + data[1:])
            if not host.dirty:
                host.dirty = True
                host.dirty_peers.append(host)
            self._figures.packets_to_host += 1
            return
        self._work = 0
        self._client_stream(data, size)
        self._pace()

    def _client_stream(self, data: bytes, size: int) -> None:
        bodies = [b""]
        at = 0
        while at < size:
            if data[at] == _TO_HOST:
                if size - at < 3:
                    self._keep(data, at, 3)
                    break
                end = at + 1 + (data[at + 1] << 8 | data[at + 2])
                if end > size:
                    self._keep(data, at, end - at)
                    break
                if end < at + 3:
                    self._pass_to_host(bodies)
                    self.relay.violation(self)
                    return
                bodies.append(data[at + 1 : end])
                at = end
            else:
                self._pass_to_host(bodies)
                bodies = [b""]
                at = self._control(data, at, size)
                if at <= 0:
                    return
        self._pass_to_host(bodies)

    def _pass_to_host(self, bodies: list[bytes]) -> None:
        count = len(bodies) - 1
        self._work += count
        if count:
            self._host.put(self._prefix.join(bodies))
            self._figures.packets_to_host += count

    # In a room, as its host.

    def _feed_host(self, data: bytes) -> None:
        if self._rest is not None:
            if len(self._rest) + len(data) < self._need:
                self._rest += data
                return
            data = b"".join((self._rest, data))
            self._rest = None
        size = len(data)
        if data[0] == _TO_CLIENTS:
            mark = data.find(0, 1, _IDS_END)
            if 0 < mark < size - 2 and (data[mark + 1] << 8 | data[mark + 2]) == size - mark - 1:
                route = self._hosted.route(data[1:mark])
                frame = _FROM_HOST + data[mark + 1 :]
                for peer in route:
                    peer.out.append(frame)
                    if not peer.dirty:
                        peer.dirty = True
                        peer.dirty_peers.append(peer)
                figures = self._figures
                figures.packets_to_clients += 1
                figures.deliveries_to_clients += len(route)
                return
        self._work = 0
        self._host_stream(data, size)
        self._pace()

    def _host_stream(self, data: bytes, size: int) -> None:
        head = b""  # the last ToClients up to the end of its ids; most often the next one begins the same
        bodies = [b""]
        at = 0
        while at < size:
            if head and data.startswith(head, at):
                body = at + len(head)
            elif data[at] == _TO_CLIENTS:
                self._pass_to_clients(head, bodies)
                bodies = [b""]
                body = data.find(0, at + 1, at + _IDS_END) + 1
                if not body:
                    if size - at >= _IDS_END:
                        self.relay.violation(self)
                        return
                    self._keep(data, at, size - at + 1)
                    break
                head = data[at:body]
            else:
                self._pass_to_clients(head, bodies)
                bodies = [b""]
                at = self._control(data, at, size)
                if at <= 0:
                    return
                continue
            if size - body < 2:
                self._keep(data, at, body - at + 2)
                break
            end = body + (data[body] << 8 | data[body + 1])
            if end > size:
                self._keep(data, at, end - at)
                break
            if end < body + 2:
                self._pass_to_clients(head, bodies)
                self.relay.violation(self)
                return
            bodies.append(data[body:end])
            at = end
        self._pass_to_clients(head, bodies)

    def _pass_to_clients(self, head: bytes, bodies: list[bytes]) -> None:
        """Packets for the same list of ids (between the code and the 0 of *head*), joined once for all."""
        count = len(bodies) - 1
        if not count:
            return
        route = self._hosted.route(head[1:-1])
        self._work += count + len(route)
        self._figures.packets_to_clients += count
        self._figures.deliveries_to_clients += count * len(route)
        if count > 1 and len(set(route)) < len(route):  # somebody listed twice: 1 1 2 2, not 1 2 1 2
            self._work += count * len(route)
            for body in bodies[1:]:
                for peer in route:
                    peer.put(_FROM_HOST + body)
            return
        frames = _FROM_HOST.join(bodies)
        for peer in route:
            peer.put(frames)

    # Everything that is no packet.

    def _pace(self) -> None:
        if self._work > _MUCH_WORK:
            self.read_size = _SHORT_READ
        elif self._work * (_READ // _SHORT_READ) < _MUCH_WORK:
            self.read_size = _READ

    def _keep(self, data: bytes, at: int, need: int) -> int:
        self._rest = bytearray(data[at:])
        self._need = need
        return _INCOMPLETE

    def _control(self, data: bytes, at: int, size: int) -> int:
        """Carry out the command at *at*.

        :return: where the next one begins, ``_INCOMPLETE`` (it is kept) or ``_ENDED`` (connection closing).
        """
        code = data[at]
        self._commands += 1
        if self._commands > self.relay.limits.relay_commands:
            self.relay.violation(self, Limit.COMMAND_RATE)
            return _ENDED
        if code == wire.ROUND_TRIP_TIME_REQUEST:
            self._answer_round_trips()
            return at + 1
        if code == wire.DISCONNECT:
            return self._peer_leaves(data, at, size)
        if code == wire.PONG or (code == wire.DISCONNECT_CLIENT and self.client_id == HOST_ID):
            if size - at < 2:
                return self._keep(data, at, 2)
            if code == wire.PONG:
                self.relay.pong(self, data[at + 1])
            else:
                self.relay.kick(self._hosted, data[at + 1])
            return at + 2
        self.relay.violation(self)
        return _ENDED

    def _peer_leaves(self, data: bytes, at: int, size: int) -> int:
        end = data.find(0, at)
        limit = self.relay.limits.relay_hello
        if (end if end >= 0 else size) - at > limit:
            self.relay.violation(self, Limit.STRING_SIZE)
        elif end < 0:
            return self._keep(data, at, size - at + 1)
        else:
            self.relay.leave(self, Reason.NORMAL, "said Disconnect")
        return _ENDED

    def _answer_round_trips(self) -> None:
        now = self.relay.now()
        bucket = self._round_trip_bucket
        if bucket is None:
            limits = self.relay.limits
            bucket = self._round_trip_bucket = TokenBucket(
                limits.relay_round_trip_rate, limits.relay_round_trip_burst, now
            )
        if not bucket.take(now):
            self.relay.limited(Limit.COMMAND_RATE)
        elif self.room is not None:
            self.put(wire.round_trip_time_response(self.room.round_trips(now)))
