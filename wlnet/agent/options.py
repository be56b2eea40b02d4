"""What an agent is told. Durations are seconds."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.peer.options import PartyOptions


class AgentOptions(Struct, frozen=True, kw_only=True):
    """How an agent works.

    :ivar lobby: the real one.
    :ivar lobby_port: where games find it on this machine; *relay_port*: released games know 7397 only.
    :ivar public_relay_port: of the relays the lobby names.
    :ivar addresses: of this machine itself.
    :ivar connections: of games, at each of the two ports.
    :ivar waiting: bytes that may wait for either side of a connection to the lobby.
    :ivar connect: to reach the lobby.
    :ivar ask: for the lobby's answer whether it has the exchange.
    :ivar ask_again: how long an answer counts.
    :ivar hello: a game has so long to say which one it is.
    :ivar meet: the host has so long to be met before the game is sent to the public relay.
    :ivar lobby_grace: a game keeps its connection so long while the lobby is away.
    :ivar retry: pause between two tries to reach the lobby again.
    :ivar grace: a game between two players is kept so long while nothing gets through; what it sends waits.
    :ivar stream_waiting: bytes of one guest's game that may wait on a path, in each direction.
    :ivar room_waiting: bytes beyond those that may wait in the room for one guest; who is further behind is
        dropped; *room_waiting_total*: the same for all guests together.
    :ivar come: a game sent to us has so long to come; then the room, or the path to the host, is given up.
    :ivar streams: a guest may have so many connections to the room over his path.
    :ivar forget: a game that has gone is remembered so long, for it may come back.
    :ivar relay_silence: so long without a ping of the public relay, which sent some before: it is gone.
    :ivar relay_answer: after the lobby was away the public relay has so long to say something, or it is gone.
    """

    lobby: LobbyAddress
    lobby_port: int = 7395
    relay_port: int = 7397
    public_relay_port: int = 7397
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    connections: int = 8
    waiting: int = 256 * 1024
    connect: float = 8.0
    ask: float = 3.0
    ask_again: float = 600.0
    hello: float = 10.0
    meet: float = 6.0
    lobby_grace: float = 600.0
    retry: float = 2.0
    grace: float = 60.0
    stream_waiting: int = 256 * 1024
    room_waiting: int = 1024 * 1024
    room_waiting_total: int = 64 * 1024 * 1024
    come: float = 60.0
    streams: int = 4
    forget: float = 360.0
    relay_silence: float = 90.0
    relay_answer: float = 10.0
    party: PartyOptions = field(default_factory=lambda: PartyOptions(join_timeout=30.0))

    def of_party(self) -> PartyOptions:
        """With the limits of tunnels that follow from ours.

        :raises ValueError: one is too small.
        """
        tunnel = replace(
            self.party.tunnel,
            silence=self.grace,
            stream_window=self.stream_waiting,
            window=max(self.party.tunnel.window, self.stream_waiting),
            send_buffer=self.stream_waiting,
        )
        return replace(self.party, tunnel=tunnel)
