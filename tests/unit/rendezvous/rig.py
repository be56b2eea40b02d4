"""A lobby with a rendezvous, and players who speak the exchange, without network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import TypeVar

import msgspec

from tests.support.lobby import Client, Packet, Rig
from wlnet.config import schema
from wlnet.metrics import Front, Limit
from wlnet.protocols.exchange.messages import Hello, Said, decode_hello, decode_told, encode
from wlnet.protocols.exchange.session import exchanges
from wlnet.rendezvous.desk import Desk
from wlnet.rendezvous.events import Told
from wlnet.rendezvous.ports import StunPlace
from wlnet.rendezvous.records import AttemptRecord
from wlnet.steering.model import Side, Transport
from wlnet.steering.rules import RelayPlace
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair

KEYS = TicketKeys(b"k" * 32)
PLACE = RelayPlace(addresses=("203.0.113.1", "2001:db8:1::1"), udp_port=3479, tcp_port=3479, tls_port=443)
STUN = StunPlace(addresses=PLACE.addresses, port=3478, second_port=3479)
PRINT_A, PRINT_B = "a" * 64, "b" * 64

T = TypeVar("T", bound=Told)


class Relays:
    """A relay of pairs that notes what it is told."""

    def __init__(self) -> None:
        self.there = True
        self.revoked: list[str] = []

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:
        return PLACE if self.there else None

    def stun(self, reached_at: str) -> StunPlace | None:
        return STUN if self.there else None

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        return PLACE.addresses if self.there else ()

    def keys(self) -> TicketKeys:
        return KEYS

    def quotas(self, pair: str, side: Side, address: str) -> RelayPair:
        return RelayPair(pair=pair, side=side, rate=1000, address=address)

    def revoke(self, pair: str) -> None:
        self.revoked.append(pair)


class Reach:
    """Knocks are noted; a test delivers those it wants."""

    def __init__(self) -> None:
        self.knocks: list[tuple[Transport, str, int, bytes, float]] = []

    def knock(self, transport: Transport, address: str, port: int, packet: bytes, timeout: float) -> None:
        self.knocks.append((transport, address, port, packet, timeout))


class Guestbook:
    """The lobby's rig with a desk; :meth:`player` gives clients that speak the exchange."""

    def __init__(self, **settings: object) -> None:
        self.rig = Rig()
        self.relays, self.reach = Relays(), Reach()
        self.records: list[tuple[AttemptRecord, str]] = []
        self._fresh = count(1)
        self.desk = Desk(
            self.rig.lobby,
            msgspec.convert(settings, schema.Rendezvous),
            self.rig.metrics,
            self.relays,
            self.reach,
            self.rig.sanctions,
            wall=lambda: 1_700_000_000.0 + self.rig.clock.seconds(),
            random_bytes=lambda size: next(self._fresh).to_bytes(size, "big"),
            new_game_id=lambda: f"peer{next(self._fresh)}",
            on_record=lambda record, address: self.records.append((record, address)),
        )
        self.rig.office = replace(self.rig.office, extension=exchanges(self.desk, self.rig.metrics))

    def player(self, name: str, address: str = "127.0.0.1") -> Speaker:
        return Speaker(self.rig.player(name, address=address))

    def wait(self, seconds: float) -> None:
        self.rig.wait(seconds)

    def limited(self, limit: Limit) -> int:
        return self.rig.metrics.times_limited(Front.RENDEZVOUS, limit)


class Speaker:
    """A client that has negotiated; it collects what it is told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard: list[Told] = []
        self.errors: list[Packet] = []
        self.other: list[Packet] = []
        self.hello = self.negotiate()

    def negotiate(self) -> Hello:
        packets = self.client.say("WLNET", "1")
        answer = next(p for p in packets if p[0] == "WLNET" and p[1] == "1")
        self._take([p for p in packets if p is not answer])
        return decode_hello(answer[2])

    def say(self, message: Said) -> list[Told]:
        """Say it; gives what is heard since the last look."""
        self._take(self.client.say("WLNET", encode(message)))
        return self.news()

    def raw(self, text: str) -> list[Packet]:
        return self.client.say("WLNET", text)

    def news(self) -> list[Told]:
        if not self.client.closed:
            self._take(self.client.got())
        heard, self.heard = self.heard, []
        return heard

    def _take(self, packets: list[Packet]) -> None:
        for packet in packets:
            if packet[0] == "WLNET":
                self.heard.append(decode_told(packet[1]))
            elif packet[0] == "ERROR":
                self.errors.append(packet)
            else:
                self.other.append(packet)


def only(told: list[Told], kind: type[T]) -> T:
    """The one message of that kind."""
    found = [one for one in told if isinstance(one, kind)]
    assert len(found) == 1, told
    return found[0]


Maker = Callable[..., Guestbook]
