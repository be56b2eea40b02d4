"""Players with an exchange, and the meetings between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wlnet.limits.addresses import parse_address
from wlnet.limits.buckets import TokenBucket
from wlnet.lobby.game import Game
from wlnet.lobby.player import Player
from wlnet.rendezvous.claims import Claims, cleaned, is_address
from wlnet.rendezvous.events import ExchangeInbox
from wlnet.rendezvous.probes import Place
from wlnet.steering.attempt import Attempt
from wlnet.steering.model import Candidate, Side
from wlnet.steering.view import PeerView, same_address
from wlnet.tickets.used import UsedTickets

MAX_SEEN = 4
"""Addresses kept of one player, the one of the lobby connection first."""
MAX_VERDICTS = 32


@dataclass(slots=True, eq=False)
class Member:
    """A player who speaks the exchange.

    :ivar id: unguessable, and never given again, not even by the next process.
    :ivar used: his tickets that were used.
    :ivar reached_at: our address his connection arrived at.
    :ivar seen: where servers of ours saw him.
    :ivar standing: what he is whoever asks; what he tells of one attempt is added to it.
    :ivar verdicts: which of his public addresses could be reached; None: being tested for the first time.
    :ivar tested: when the last test of each began, the oldest first.
    """

    id: str
    used: UsedTickets
    player: Player
    inbox: ExchangeInbox
    reached_at: str
    bucket: TokenBucket
    list_bucket: TokenBucket
    seen: list[str]
    present: bool = True
    standing: Claims = field(default_factory=Claims)
    verdicts: dict[Place, bool | None] = field(default_factory=dict)
    tested: dict[Place, float] = field(default_factory=dict)
    meetings: dict[int, Meeting] = field(default_factory=dict)
    games: dict[str, PublishedGame] = field(default_factory=dict)

    def saw(self, address: str) -> bool:
        """Note one more address he was seen at; False: known, or there are enough."""
        if len(self.seen) >= MAX_SEEN or any(same_address(address, known) for known in self.seen):
            return False
        self.seen.append(address)
        return True

    def view(self, claims: Claims, round_trip: float, *, birthday: bool) -> PeerView:
        """What the policy may believe of *claims* and his standing ones."""
        standing = self.standing
        candidates = dict.fromkeys(
            cleaned(one, verified=bool(self.verdicts.get(place_of(one))))
            for one in (*claims.candidates, *standing.candidates)
        )
        return PeerView(
            candidates=tuple(candidates),
            measured=claims.measured + standing.measured,
            seen=tuple(self.seen),
            udp=claims.udp and standing.udp,
            tcp=claims.tcp and standing.tcp,
            only_port=claims.only_port or standing.only_port,
            birthday=birthday and (claims.birthday or standing.birthday),
            relay_only=claims.relay_only or standing.relay_only,
            round_trip=round_trip,
        )


@dataclass(slots=True, eq=False)
class PublishedGame:
    """A peer game on the board."""

    game: Game
    host: Member
    traffic: str
    fingerprint: str


@dataclass(slots=True, eq=False)
class Seat:
    """One side of a meeting.

    :ivar wanted: it was asked to be reachable at the only port the other can send to.
    """

    member: Member
    player: Player
    address: str
    claims: Claims = field(default_factory=Claims)
    round_trip: float = 0.1
    ready: bool = False
    wanted: bool = False


@dataclass(slots=True, eq=False)
class Meeting:
    """One guest and one host: a session secret, a pair at the relay, an attempt."""

    number: int
    game: PublishedGame
    pair: str
    seats: dict[Side, Seat]
    attempt: Attempt
    begun: float

    def side_of(self, member: Member) -> Side:
        """Which side *member* is."""
        return Side.HOST if self.seats[Side.HOST].member is member else Side.GUEST

    @property
    def over(self) -> bool:
        """Its attempt has ended."""
        return self.attempt.outcome is not None


def place_of(candidate: Candidate) -> Place:
    """The transport address of *candidate*."""
    return Place(transport=candidate.transport, address=candidate.address, port=candidate.port)


def new_member(
    player: Player,
    inbox: ExchangeInbox,
    reached_at: str,
    new_bucket: Callable[[], TokenBucket],
    *,
    member_id: str,
    used: UsedTickets,
) -> Member:
    """A member as he comes in; his lobby connection shows one address.

    :param new_bucket: for his wishes to join, and for those to see the games.
    """
    seen = [str(parse_address(player.address))] if is_address(player.address) else []
    return Member(
        id=member_id,
        used=used,
        player=player,
        inbox=inbox,
        reached_at=reached_at,
        bucket=new_bucket(),
        list_bucket=new_bucket(),
        seen=seen,
    )
