"""What a party takes upon itself, and what it lets others cause. Durations are seconds."""

from __future__ import annotations

from msgspec import Struct, field

from wlnet.client.gather.words import GatherOptions
from wlnet.client.tunnel.limits import TunnelLimits


class RejoinTimes(Struct, frozen=True, kw_only=True):
    """When a guest asks for a new attempt.

    :ivar patience: a path that was lost is waited for so long, while there is only the relay, or nothing.
    :ivar waits: between two attempts; the last one counts for all later ones.
    :ivar urgent: the longest wait while nothing carries the game.
    :ivar calm: so long after an attempt the waits begin anew.
    """

    patience: float = 3.0
    waits: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
    urgent: float = 8.0
    calm: float = 60.0


class PartyOptions(Struct, frozen=True, kw_only=True):
    """What a :class:`~wlnet.client.peer.party.Party` is told.

    :ivar max_peers: other players at once; who comes on top is refused.
    :ivar tls_name: the name the relay's TLS certificate is checked against: the lobby's.
    :ivar tls_ca: PEM file of authorities to trust instead of the system's.
    :ivar gather: what may be tried.
    :ivar join_timeout: without a tunnel by then a join has failed.
    :ivar join_answer: for the lobby's answer to a join.
    :ivar lobby_answer: the lobby has so long to show that it is there, when that is in doubt.
    :ivar farewell: for goodbyes when we close.
    :ivar stream_queue: bytes that may wait in a TCP connection of a path; packets beyond are dropped, as on
        any full line.
    """

    max_peers: int = 32
    tls_name: str = ""
    tls_ca: str | None = None
    gather: GatherOptions = field(default_factory=GatherOptions)
    join_timeout: float = 60.0
    join_answer: float = 5.0
    lobby_answer: float = 5.0
    farewell: float = 0.3
    stream_queue: int = 64 * 1024
    rejoin: RejoinTimes = field(default_factory=RejoinTimes)
    tunnel: TunnelLimits = field(default_factory=TunnelLimits)
