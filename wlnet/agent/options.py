"""What an agent is told. Durations are seconds."""

from __future__ import annotations

from msgspec import Struct, field

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
    :ivar grace: a game whose connection to the lobby is lost is kept so long.
    :ivar retry: pause between two tries to reach the lobby again.
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
    grace: float = 600.0
    retry: float = 2.0
    party: PartyOptions = field(default_factory=lambda: PartyOptions(join_timeout=30.0))
