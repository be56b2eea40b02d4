"""One relayed pair and its two seats; pairs that have ended are remembered while their tickets live."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from wlnet.agenda import Appointment
from wlnet.limits.buckets import TokenBucket
from wlnet.relay.pair_shares import Account
from wlnet.relay.pair_words import Carrier
from wlnet.steering.model import Side


class Seat:
    """One side of a pair; :attr:`carrier` is None while nobody is bound.

    :ivar handle: 8 random bytes that name the binding in force.
    :ivar address: where it was bound from.
    :ivar other: the other side.
    """

    __slots__ = (
        "account",
        "address",
        "bucket",
        "burst",
        "carrier",
        "claimed",
        "digest",
        "handle",
        "idle",
        "other",
        "pair",
        "rate",
        "seen",
        "side",
    )

    account: Account
    bucket: TokenBucket
    other: Seat

    def __init__(self, pair: Pair, side: Side) -> None:
        self.pair = pair
        self.side = side
        self.carrier: Carrier | None = None
        self.digest: bytes | None = None
        self.handle = b""
        self.address = ""
        self.claimed = ""
        self.idle = 0.0
        self.rate = 0
        self.burst = 0
        self.seen = 0.0

    @property
    def held(self) -> bool:
        """Somebody has shown a ticket for it, and is remembered."""
        return self.digest is not None

    @property
    def peer_bound(self) -> bool:
        """The other side is there."""
        return self.other.carrier is not None


class Pair:
    """Two seats, and what they may use together.

    :ivar ends: when its lifetime is over, by the agenda's clock.
    :ivar allowed: bytes, each datagram counted with :data:`wlnet.relay.pairs.OVERHEAD`.
    :ivar spent: likewise.
    """

    __slots__ = ("allowed", "appointment", "ends", "id", "seats", "spent")

    appointment: Appointment

    def __init__(self, pair_id: str, ends: float, allowed: int) -> None:
        self.id = pair_id
        self.ends = ends
        self.allowed = allowed
        self.spent = 0
        self.seats = {side: Seat(self, side) for side in Side}
        self.seats[Side.HOST].other = self.seats[Side.GUEST]
        self.seats[Side.GUEST].other = self.seats[Side.HOST]


class EndedPairs:
    """Pairs no ticket is accepted for any more.

    :param memory: seconds; no ticket is good for longer than this after it was made.
    :param limit: how many are remembered; the oldest goes first.
    """

    def __init__(self, now: Callable[[], float], memory: float, limit: int) -> None:
        self._now = now
        self._memory = memory
        self._limit = limit
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, pair: str) -> bool:
        until = self._until.get(pair)
        return until is not None and self._now() < until

    def add(self, pair: str) -> None:
        """*pair* has ended, now."""
        now = self._now()
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
        self._until.pop(pair, None)
        self._until[pair] = now + self._memory
        if len(self._until) > self._limit:
            self._until.popitem(last=False)
