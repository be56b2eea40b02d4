"""What the rendezvous tells a player's front end. The exchange protocol sends these as they are.

Addresses are IP literals, durations seconds, binary values lower-case hex (tickets: base64url).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from wlnet.steering.model import Family, PathKind, Side, Technique, Transport
from wlnet.steering.orders import Order, Skipped
from wlnet.steering.trace import EndReason


class Refusal(StrEnum):
    """Why something was not done; the words are part of the protocol."""

    NO_SUCH_GAME = "no-such-game"
    NOT_YOUR_GAME = "not-your-game"
    GAME_EXISTS = "game-exists"
    GAME_NAME = "game-name"
    TOO_MANY_GAMES = "too-many-games"
    SERVER_FULL = "server-full"
    OWN_GAME = "own-game"
    HOST_AWAY = "host-away"
    HOST_BUSY = "host-busy"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    TOO_FAST = "too-fast"
    NO_SUCH_ATTEMPT = "no-such-attempt"
    BAD_CANDIDATE = "bad-candidate"
    TOO_MANY_CANDIDATES = "too-many-candidates"
    STALE = "stale"
    """Late, double or without a meaning now; the text says which."""
    NO_RELAY = "no-relay"


class RelayGrant(Struct, frozen=True, kw_only=True):
    """Permission to use the relay. Ports of 0 are not offered.

    :ivar ticket: base64url.
    :ivar expires: Unix seconds.
    """

    pair: str
    ticket: str
    expires: int
    addresses: tuple[str, ...]
    udp_port: int
    tcp_port: int
    tls_port: int


class Published(Struct, frozen=True, kw_only=True, tag="published"):
    """Your game is listed."""

    game: str


class Unpublished(Struct, frozen=True, kw_only=True, tag="unpublished"):
    """Your game is no longer listed."""

    game: str


class ListedGame(Struct, frozen=True, kw_only=True):
    """A peer game one can join."""

    game: str
    host: str
    traffic: str


class Games(Struct, frozen=True, kw_only=True, tag="games"):
    """The peer games you can join now, the oldest first.

    :ivar more: there are others that did not fit.
    """

    games: tuple[ListedGame, ...]
    more: bool = False


class Begin(Struct, frozen=True, kw_only=True, tag="begin"):
    """An attempt begins. Answer Ready at once, then tell candidates.

    :ivar side: what you are in it.
    :ivar secret: 32 bytes only the two of you (and this server) know.
    :ivar fingerprint: SHA-256 of the other's certificate.
    :ivar gather: the plan is made after so long even if you have not said that you are complete.
    """

    attempt: int
    side: Side
    game: str
    traffic: str
    peer: str
    fingerprint: str
    secret: str
    gather: float
    relay: RelayGrant | None


class StepOrder(Struct, frozen=True, kw_only=True):
    """A step of a plan with your part in it."""

    number: int
    technique: Technique
    transport: Transport
    family: Family | None
    kind: PathKind
    preference: int
    deadline: float
    guess: bool
    why: str
    order: Order


class PlanPart(Struct, frozen=True, kw_only=True, tag="plan"):
    """Race these steps too; those of earlier plans go on. Starts count from the arrival of this message."""

    attempt: int
    revision: int
    steps: tuple[StepOrder, ...]
    skipped: tuple[Skipped, ...]


class Settled(Struct, frozen=True, kw_only=True, tag="settled"):
    """Both of you play over this step; said again when it is a better one."""

    attempt: int
    step: int
    kind: PathKind


class Verified(Struct, frozen=True, kw_only=True, tag="verified"):
    """What a test of one of your public addresses came to."""

    transport: Transport
    address: str
    port: int
    reached: bool


class Wanted(Struct, frozen=True, kw_only=True, tag="wanted"):
    """The other's network lets out TCP to *port* only: listen there for him, or have it mapped, if you can.

    Tell what came of it as candidates; nothing needs to be said if it cannot be done.
    """

    attempt: int
    port: int


class Granted(Struct, frozen=True, kw_only=True, tag="granted"):
    """A new ticket for the relay of an attempt."""

    attempt: int
    relay: RelayGrant


class Ended(Struct, frozen=True, kw_only=True, tag="ended"):
    """An attempt is over. A path that carries the game goes on; this server only stops steering.

    :ivar text: a sentence for the player.
    """

    attempt: int
    reason: EndReason
    kind: PathKind | None
    text: str


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """Something you asked was not done.

    :ivar of: the type of your message.
    :ivar attempt: 0 if it was about none.
    """

    of: str
    code: Refusal
    text: str
    attempt: int = 0


Told = (
    Published
    | Unpublished
    | Games
    | Begin
    | PlanPart
    | Settled
    | Verified
    | Wanted
    | Granted
    | Ended
    | Refused
)


class ExchangeInbox(Protocol):
    """A player's front end. It never waits and never raises."""

    def tell(self, told: Told) -> None:
        """Pass it on to the player."""
