"""A relay of pairs with a clock turned by hand, and clients that speak its protocol."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec
from twisted.internet.task import Clock

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.budget import QueueBudget
from wlnet.metrics import Front, Limit, Metrics
from wlnet.protocols.pairs import wire
from wlnet.protocols.pairs.cookies import Cookies
from wlnet.protocols.pairs.datagrams import DatagramFront
from wlnet.protocols.pairs.stream import StreamSide
from wlnet.protocols.stun.wire import Endpoint
from wlnet.relay.pair_words import Ending, Refusal
from wlnet.relay.pairs import Pairs
from wlnet.steering.model import Side
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair, mint

KEYS = TicketKeys(b"k" * 32)
WALL = 1_700_000_000.0
RELAY = Endpoint("198.51.100.1", 3479)
ALICE, BOB = Endpoint("192.0.2.1", 1111), Endpoint("203.0.113.2", 2222)
PAIR = "0123456789abcdef" * 2

_serials = count(1)


def ticket(
    side: Side,
    pair: str = PAIR,
    *,
    keys: TicketKeys = KEYS,
    expires: float = WALL + 120,
    serial: int | None = None,
    **claims: int | str,
) -> bytes:
    """A ticket, each with another serial."""
    number = next(_serials) if serial is None else serial
    return mint(
        keys,
        msgspec.convert({"pair": pair, "side": side.value, **claims}, RelayPair),
        subject=f"player-{side.value}",
        expires=expires,
        serial=number.to_bytes(8, "big"),
    )


class PairRig:
    """The relay and its UDP front; what it sends is in :attr:`sent`."""

    def __init__(self, trusted: tuple[str, ...] = (), **settings: object) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.agenda = Agenda(self.clock.seconds)
        self.metrics = Metrics()
        self.budget = QueueBudget(10_000_000)
        self.banned: set[str] = set()
        self.log: list[str] = []
        self.sent: list[tuple[bytes, Endpoint, Endpoint]] = []
        self.takes = True
        self._fresh = count(1)
        self.pairs = Pairs(
            msgspec.convert(settings, schema.Pairs),
            self.agenda,
            self.metrics,
            lambda: KEYS,
            lambda: WALL + self.clock.seconds() - 1000,
            lambda size: next(self._fresh).to_bytes(size, "big"),
            ticket_memory=180,
            skew=30,
            trusted=TrustedNetworks(trusted),
            banned=lambda address: address in self.banned,
            watcher=self,
        )
        self.front = DatagramFront(
            self.pairs, Cookies(b"c" * 32, self.agenda.now), self.agenda, self.metrics, self.send
        )

    def send(self, data: bytes, destination: Endpoint, local: Endpoint) -> bool:
        self.sent.append((data, destination, local))
        return self.takes

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.agenda.run_due()

    def limited(self, limit: Limit) -> int:
        return self.metrics.times_limited(Front.PAIRS, limit)

    # PairWatcher

    def bound(self, pair: str, side: Side, address: str) -> None:
        self.log.append(f"{side.value} at {address}")

    def refused(self, address: str, refusal: Refusal) -> None:
        self.log.append(f"{refusal.value} for {address}")

    def turned_away(self, address: str, limit: Limit) -> None:
        self.log.append(f"{limit.value} of {address}")

    def ended(self, pair: str, ending: Ending, transferred: int) -> None:
        self.log.append(f"ended {ending.value} {transferred}")

    # Clients

    def ask(self, data: bytes, source: Endpoint) -> list[bytes]:
        """What comes back to *source* for one datagram."""
        before = len(self.sent)
        self.front.datagram(data, source, RELAY)
        return [sent for sent, destination, _ in self.sent[before:] if destination == source]

    def bind(self, ticket: bytes, source: Endpoint, version: int = wire.VERSION) -> bytes:
        """The last answer to a BIND, after a cookie was fetched."""
        transaction = next(self._fresh).to_bytes(8, "big")
        (challenge,) = self.ask(
            wire.encode_bind(wire.Bind(version, transaction, wire.NO_COOKIE, ticket)), source
        )
        answered, cookie = wire.decode_challenge(challenge)
        assert answered == transaction
        answers = self.ask(wire.encode_bind(wire.Bind(version, transaction, cookie, ticket)), source)
        assert answers[-1][1:9] == transaction
        return answers[-1]

    def side(self, ticket: bytes, source: Endpoint) -> UdpSide:
        return UdpSide(self, wire.decode_bound(self.bind(ticket, source)), source)

    def refusal(self, ticket: bytes, source: Endpoint) -> str:
        """The word with which the ticket is refused."""
        return wire.decode_worded(wire.ERROR, self.bind(ticket, source))[1]

    def two(self, pair: str = PAIR, **claims: Any) -> tuple[UdpSide, UdpSide]:
        return (
            self.side(ticket(Side.HOST, pair, **claims), ALICE),
            self.side(ticket(Side.GUEST, pair, **claims), BOB),
        )


class UdpSide:
    """A side that is bound over UDP."""

    def __init__(self, rig: PairRig, bound: wire.Bound, source: Endpoint) -> None:
        self.rig = rig
        self.bound = bound
        self.source = source
        self._from = len(rig.sent)

    def say(self, payload: bytes, source: Endpoint | None = None) -> None:
        data = wire.data_head(self.bound.handle) + payload
        self.rig.front.datagram(data, source or self.source, RELAY)

    def heard(self) -> list[bytes]:
        """Messages sent there since it was bound."""
        return [data for data, to, _ in self.rig.sent[self._from :] if to == self.source]

    def payloads(self) -> list[bytes]:
        head = wire.data_head(self.bound.handle)
        return [data[9:] for data in self.heard() if data.startswith(head)]

    def closed(self) -> str | None:
        """The reason of the CLOSE it got."""
        for data in self.heard():
            if data[0] == wire.CLOSE:
                handle, word = wire.decode_worded(wire.CLOSE, data)
                assert handle == self.bound.handle
                return word
        return None

    def keepalive(self) -> bytes:
        (answer,) = self.rig.ask(wire.encode_keepalive(self.bound.handle, b"12345678"), self.source)
        return answer


class TcpSide:
    """A connection to the relay, as :class:`~wlnet.protocols.pairs.stream.Wires` and as client."""

    def __init__(self, rig: PairRig, source: Endpoint, reads: bool = True) -> None:
        self.rig = rig
        self.reads = reads
        self.got = b""
        self.waiting = b""
        self.closing = self.aborted = False
        self.stream = StreamSide(rig.pairs, source, self, rig.agenda, rig.metrics, rig.budget)

    def write(self, data: bytes) -> None:
        self.waiting += data
        if self.reads:
            self.rig.agenda.after(0, self.read)

    def read(self) -> None:
        """The kernel takes everything."""
        while self.waiting:
            data, self.waiting = self.waiting, b""
            self.got += data
            if not self.closing:
                self.stream.drained()

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = True

    def bind(self, ticket: bytes, version: int = wire.VERSION) -> None:
        message = wire.encode_bind(wire.Bind(version, b"transact", wire.NO_COOKIE, ticket))
        self.stream.receive(wire.PREAMBLE + wire.frame(message))
        self.rig.pass_time(0)

    def send(self, message: bytes) -> None:
        self.stream.receive(wire.frame(message))
        self.rig.pass_time(0)

    def say(self, payload: bytes) -> None:
        self.send(wire.data_head(self.bound.handle) + payload)

    @property
    def messages(self) -> list[bytes]:
        found, rest = [], self.got
        while rest:
            length = int.from_bytes(rest[:2], "big")
            found.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
        return found

    @property
    def bound(self) -> wire.Bound:
        return wire.decode_bound(self.messages[0])

    def payloads(self) -> list[bytes]:
        return [message[9:] for message in self.messages if message[0] == wire.DATA]

    def words(self) -> list[str]:
        return [message[9:].decode() for message in self.messages if message[0] in (wire.CLOSE, wire.ERROR)]
