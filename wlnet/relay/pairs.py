"""The relay of pairs: who is a side of which pair, and what may pass between the two.

All it knows of a pair it has from the tickets its sides show. It carries datagrams from one bound side to
the other and nowhere else. docs/protocols/pairs.md describes the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_network

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import TrustedNetworks, address_key, parse_address
from wlnet.limits.buckets import KeyedBuckets, TokenBucket
from wlnet.metrics import Front, Limit, Metrics
from wlnet.relay.pair import EndedPairs, Pair, Seat
from wlnet.relay.pair_shares import Accounts, FairShare
from wlnet.relay.pair_words import Carrier, Ending, PairWatcher, Refusal, RefusedError
from wlnet.steering.model import Side
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair, Ticket, TicketError, TicketProblem, verify

OVERHEAD = 48
"""Bytes a datagram counts above its payload: about what its headers take."""
HANDLE_SIZE = 8

_PROBLEMS = {
    TicketProblem.KEY: Refusal.UNKNOWN_KEY,
    TicketProblem.FORGED: Refusal.FORGED,
    TicketProblem.SCOPE: Refusal.WRONG_SCOPE,
    TicketProblem.EXPIRED: Refusal.EXPIRED,
}
_LIMITS = {
    Refusal.ENDED: Limit.USED_TICKET,
    Refusal.TAKEN: Limit.USED_TICKET,
    Refusal.FULL: Limit.PAIRS,
    Refusal.ADDRESS_FULL: Limit.PAIRS_PER_ADDRESS,
    Refusal.BUSY: Limit.BIND_RATE,
    Refusal.BANNED: Limit.BANNED,
}
_ENDING_LIMITS = {
    Ending.IDLE: Limit.SILENCE,
    Ending.LIFETIME: Limit.LIFETIME,
    Ending.TRANSFER: Limit.TRANSFER,
    Ending.BANNED: Limit.BANNED,
}


@dataclass(slots=True)
class PairFigures:
    """Plain counters, for the byte path counts here. Bytes are those of payloads."""

    datagrams_in: int = 0
    datagrams_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped_unbound: int = 0
    """The other side was not there."""
    dropped_rate: int = 0
    dropped_address_rate: int = 0
    dropped_total_rate: int = 0
    dropped_undelivered: int = 0
    """The other side's queue, or the system, did not take it."""
    binds: int = 0
    moves: int = 0
    ended: int = 0
    refused: dict[Refusal, int] = field(default_factory=lambda: dict.fromkeys(Refusal, 0))


class Pairs:
    """All pairs of one relay.

    :param keys: the keys tickets may be signed with now.
    :param wall: Unix seconds.
    :param ticket_memory: seconds; no ticket is good for longer than this after it was made.
    :param skew: seconds the clock of whoever makes tickets may be behind ours.
    :param banned: whether an address may not come in.
    :param random_bytes: a source nobody can guess.
    """

    def __init__(
        self,
        settings: schema.Pairs,
        agenda: Agenda,
        metrics: Metrics,
        keys: Callable[[], TicketKeys],
        wall: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        *,
        ticket_memory: float,
        skew: float,
        trusted: TrustedNetworks,
        banned: Callable[[str], bool],
        watcher: PairWatcher,
    ) -> None:
        self.settings = settings
        self.figures = PairFigures()
        self.seats: dict[bytes, Seat] = {}
        """The bound sides by handle. To be read only."""
        self._agenda = agenda
        self._now = agenda.now
        self._metrics = metrics
        self._keys = keys
        self._wall = wall
        self._random_bytes = random_bytes
        self._skew = skew
        self._trusted = trusted
        self._banned = banned
        self._watcher = watcher
        self._pairs: dict[str, Pair] = {}
        self._by_ticket: dict[bytes, Seat] = {}
        self._ended = EndedPairs(self._now, ticket_memory, settings.ended_pairs)
        self._accounts = Accounts(
            self._now, settings.address_rate, settings.address_burst, 2 * settings.max_pairs, trusted
        )
        self._share = FairShare(settings.total_rate, self._now())
        self._binds = KeyedBuckets(self._now, settings.bind_rate, settings.bind_burst)
        self._stopped = False

    # -- sides -----------------------------------------------------------------------------------

    def bind(self, ticket: bytes, address: str, origin: object, carrier: Callable[[bytes], Carrier]) -> Seat:
        """Make the holder of *ticket* the side it names, or move that side to where he is now.

        The same ticket from the same *origin* again changes nothing. A ticket that was accepted is good for
        moving its side after it expired, for as long as the side is remembered.

        :param address: an IP literal, proven to be where the holder is.
        :param origin: see :class:`Carrier`.
        :param carrier: makes the way back from the new handle.
        :raises RefusedError: it is not accepted.
        """
        try:
            return self._bind(ticket, address, origin, carrier)
        except RefusedError as error:
            self.refuse(address, error.refusal)
            raise

    def refuse(self, address: str, refusal: Refusal) -> None:
        """Count a refusal, also one a front end has made itself."""
        self.figures.refused[refusal] += 1
        self._metrics.limited(Front.PAIRS, _LIMITS.get(refusal, Limit.BAD_TICKET))
        self._watcher.refused(address, refusal)

    def turn_away(self, address: str, limit: Limit) -> None:
        """Count a connection a front end closes because of *limit*."""
        self._metrics.limited(Front.PAIRS, limit)
        self._watcher.turned_away(address, limit)

    def forward(self, seat: Seat, payload: bytes) -> None:
        """A datagram came from a bound side: pass it on to the other one, or drop it."""
        figures = self.figures
        now = self._now()
        seat.seen = now
        figures.datagrams_in += 1
        figures.bytes_in += len(payload)
        carrier = seat.other.carrier
        size = len(payload) + OVERHEAD
        if carrier is None:
            figures.dropped_unbound += 1
        elif not seat.bucket.take(now, size):
            figures.dropped_rate += 1
        elif not seat.account.bucket.take(now, size):
            figures.dropped_address_rate += 1
        elif not self._share.take(seat.account, now, size):
            figures.dropped_total_rate += 1
        else:
            pair = seat.pair
            if pair.spent + size > pair.allowed:
                self._end(pair, Ending.TRANSFER)
                return
            pair.spent += size
            if carrier.deliver(payload):
                figures.datagrams_out += 1
                figures.bytes_out += len(payload)
            else:
                figures.dropped_undelivered += 1

    def alive(self, seat: Seat) -> None:
        """A bound side gave a sign of life."""
        seat.seen = self._now()

    def lost(self, seat: Seat, carrier: Carrier) -> None:
        """The connection of a side is gone; it may come again with its ticket until it counts as idle."""
        if seat.carrier is carrier:
            self._unbind(seat)

    def close(self, seat: Seat) -> None:
        """A bound side wants no more: the pair ends."""
        self._end(seat.pair, Ending.PEER_CLOSED, {seat.side: Ending.CLOSED})

    def lifetime(self, seat: Seat) -> float:
        """Seconds left to the pair of *seat*."""
        return max(0.0, seat.pair.ends - self._now())

    # -- orders ----------------------------------------------------------------------------------

    def revoke(self, pair: str) -> None:
        """End a pair and accept no ticket for it any more, even if nobody has shown one yet."""
        known = self._pairs.get(pair)
        if known is None:
            self._ended.add(pair)
        else:
            self._end(known, Ending.REVOKED)

    def drop_address(self, address: str) -> None:
        """End the pairs with a side at the limit key of *address*, as seen here or by the lobby."""
        key = address_key(address)
        self._ban(lambda one: address_key(one) == key)

    def drop_network(self, network: str) -> None:
        """The same for a network in CIDR notation.

        :raises ValueError: it is none.
        """
        banned = ip_network(network, strict=False)

        def is_in(text: str) -> bool:
            address = parse_address(text)
            return address.version == banned.version and address in banned

        self._ban(is_in)

    def stop(self) -> None:
        """End all pairs and accept no more."""
        self._stopped = True
        for pair in list(self._pairs.values()):
            self._end(pair, Ending.STOPPING)

    def __len__(self) -> int:
        """Pairs."""
        return len(self._pairs)

    @property
    def addresses(self) -> int:
        """Address keys remembered."""
        return len(self._accounts)

    @property
    def ended(self) -> int:
        """Ended pairs remembered."""
        return len(self._ended)

    # -- binding ---------------------------------------------------------------------------------

    def _bind(self, ticket: bytes, address: str, origin: object, carrier: Callable[[bytes], Carrier]) -> Seat:
        if self._stopped:
            raise RefusedError(Refusal.STOPPING)
        if self._banned(address):
            raise RefusedError(Refusal.BANNED)
        if address not in self._trusted and not self._binds.take(address_key(address)):
            raise RefusedError(Refusal.BUSY)
        digest = sha256(ticket).digest()
        seat = self._by_ticket.get(digest)
        if seat is None:
            seat = self._take_seat(digest, self._check(ticket), address)
        elif seat.carrier is not None and seat.carrier.origin == origin:
            seat.seen = self._now()
            return seat
        else:
            self._move(seat, address)
        seat.handle = self._fresh_handle()
        seat.carrier = carrier(seat.handle)
        seat.address = address
        seat.seen = self._now()
        self.seats[seat.handle] = seat
        self.figures.binds += 1
        self._watcher.bound(seat.pair.id, seat.side, address)
        return seat

    def _check(self, ticket: bytes) -> Ticket[RelayPair]:
        try:
            checked = verify(self._keys(), RelayPair, ticket, now=self._wall(), skew=self._skew)
        except TicketError as error:
            raise RefusedError(_PROBLEMS.get(error.problem, Refusal.BAD_TICKET)) from None
        claimed = checked.claims.address
        if claimed and self._banned(claimed):
            raise RefusedError(Refusal.BANNED)
        if checked.claims.pair in self._ended:
            raise RefusedError(Refusal.ENDED)
        return checked

    def _take_seat(self, digest: bytes, ticket: Ticket[RelayPair], address: str) -> Seat:
        claims, settings = ticket.claims, self.settings
        pair = self._pairs.get(claims.pair)
        if pair is not None and pair.seats[claims.side].held:
            raise RefusedError(Refusal.TAKEN)
        if pair is None and len(self._pairs) >= settings.max_pairs:
            raise RefusedError(Refusal.FULL)
        self._check_room(address)
        now = self._now()
        if pair is None:
            pair = self._pairs[claims.pair] = Pair(claims.pair, now + settings.lifetime, settings.transfer)
            pair.appointment = self._agenda.after(settings.idle, lambda: self._look_after(pair))
        if claims.total:
            pair.allowed = min(pair.allowed, claims.total)
        seat = pair.seats[claims.side]
        seat.digest = digest
        seat.claimed = claims.address
        seat.idle = min(claims.idle or settings.idle, settings.idle)
        seat.rate = min(claims.rate or settings.rate, settings.rate)
        seat.burst = min(settings.burst, max(seat.rate * 2, 4096))
        seat.bucket = TokenBucket(seat.rate, seat.burst, now)
        seat.account = self._accounts.enter(address)
        seat.seen = now
        self._by_ticket[digest] = seat
        self._look_again(pair)
        return seat

    def _move(self, seat: Seat, address: str) -> None:
        if address_key(address) != seat.account.key:
            self._check_room(address)
            self._accounts.leave(seat.account)
            seat.account = self._accounts.enter(address)
        old = seat.carrier
        self._unbind(seat)
        if old is not None:
            old.end(Ending.MOVED)
        self.figures.moves += 1

    def _check_room(self, address: str) -> None:
        if address not in self._trusted and self._accounts.sides(address) >= self.settings.pairs_per_address:
            raise RefusedError(Refusal.ADDRESS_FULL)

    def _fresh_handle(self) -> bytes:
        while (handle := self._random_bytes(HANDLE_SIZE)) in self.seats:
            pass
        return handle

    def _unbind(self, seat: Seat) -> None:
        self.seats.pop(seat.handle, None)
        seat.carrier = None
        seat.handle = b""

    # -- ending ----------------------------------------------------------------------------------

    def _look_after(self, pair: Pair) -> None:
        """Forget sides that were silent for too long, and the pair if none is left or its time is over."""
        now = self._now()
        if now >= pair.ends:
            self._end(pair, Ending.LIFETIME)
            return
        idle = [seat for seat in pair.seats.values() if seat.held and now - seat.seen >= seat.idle]
        if all(seat in idle for seat in pair.seats.values() if seat.held):
            self._end(pair, Ending.IDLE)
            return
        for seat in idle:
            self._metrics.limited(Front.PAIRS, Limit.SILENCE)
            self._forget(seat, Ending.IDLE)
        self._look_again(pair)

    def _look_again(self, pair: Pair) -> None:
        pair.appointment.cancel()
        when = min([pair.ends, *(seat.seen + seat.idle for seat in pair.seats.values() if seat.held)])
        pair.appointment = self._agenda.at(when, lambda: self._look_after(pair))

    def _forget(self, seat: Seat, ending: Ending) -> None:
        digest = seat.digest
        if digest is None:
            return
        carrier = seat.carrier
        self._unbind(seat)
        del self._by_ticket[digest]
        seat.digest = None
        self._accounts.leave(seat.account)
        if carrier is not None:
            carrier.end(ending)

    def _end(self, pair: Pair, ending: Ending, own: dict[Side, Ending] | None = None) -> None:
        del self._pairs[pair.id]
        pair.appointment.cancel()
        self._ended.add(pair.id)
        self.figures.ended += 1
        limit = _ENDING_LIMITS.get(ending)
        if limit is not None:
            self._metrics.limited(Front.PAIRS, limit)
        for side, seat in pair.seats.items():
            self._forget(seat, (own or {}).get(side, ending))
        self._watcher.ended(pair.id, ending, pair.spent)

    def _ban(self, hit: Callable[[str], bool]) -> None:
        for pair in list(self._pairs.values()):
            own = {
                side: Ending.BANNED
                for side, seat in pair.seats.items()
                if seat.held and (hit(seat.address) or (seat.claimed and hit(seat.claimed)))
            }
            if own:
                self._end(pair, Ending.PEER_CLOSED, own)
                self._metrics.limited(Front.PAIRS, Limit.BANNED)
