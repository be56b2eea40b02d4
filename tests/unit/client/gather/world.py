"""A player's network in memory with the real STUN responder in it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

from tests.support.sim_stun import FIRST, FIRST_V6, SimStun
from tests.support.simnet import SimHost, SimNet
from tests.support.simnet_nat import SimNat
from wlnet.client.gather.gathering import Gathering
from wlnet.client.gather.mappings import Mapper
from wlnet.client.gather.surveyor import Surveyor
from wlnet.client.gather.web import WebDoors
from wlnet.client.gather.words import GatherOptions, ServerPlace
from wlnet.protocols.exchange.messages import Candidates, Hello
from wlnet.steering.model import Candidate, CandidateKind, Transport

PUBLIC = "198.51.100.7"
PRIVATE = "192.168.1.10"
PLACE = ServerPlace(addresses=(FIRST, FIRST_V6), lobby_port=7395)


@dataclass
class Events:
    """What a gathering said."""

    net: SimNet
    candidates: list[tuple[float, Candidates]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def gathered(self, candidates: Candidates) -> None:
        self.candidates.append((self.net.time, candidates))

    def probed(self, token: str) -> None:
        self.tokens.append(token)

    @property
    def complete(self) -> bool:
        return bool(self.candidates) and self.candidates[-1][1].complete

    @property
    def last(self) -> Candidates:
        return self.candidates[-1][1]

    def of(self, kind: CandidateKind, transport: Transport | None = None) -> list[Candidate]:
        return [
            one
            for one in self.last.candidates
            if one.kind is kind and (transport is None or one.transport is transport)
        ]


class World:
    """One player, one server."""

    def __init__(
        self,
        nat: SimNat | None = None,
        addresses: tuple[str, ...] = (PRIVATE,),
        *,
        latency: float = 0.02,
        place: ServerPlace = PLACE,
        seconds: bool = True,
    ) -> None:
        self.net = SimNet(seed=3, latency=latency)
        self.stun = SimStun(self.net, seconds=seconds)
        self.nat = nat
        self.player: SimHost = self.net.host("player", addresses, nat)
        self.changes = 0
        self.surveyor = Surveyor(self.player, place, changed=self._changed)
        self.events = Events(self.net)
        self.doors: WebDoors | None = None

    def _changed(self) -> None:
        self.changes += 1

    def survey(self) -> None:
        self.surveyor.start()
        self.net.run_until(lambda: self.surveyor.survey.complete, limit=5)

    def gather(
        self, options: GatherOptions | None = None, mapper: Mapper | None = None, attempt: int = 7
    ) -> Gathering:
        if self.doors is None:
            self.doors = WebDoors(self.player, mapper)
        return Gathering(
            self.player,
            self.surveyor,
            attempt,
            self.events,
            options or GatherOptions(),
            mapper,
            self.doors,
        )

    def complete(self, limit: float = 3.0) -> Candidates:
        self.net.run_until(lambda: self.events.complete, limit)
        return self.events.last


def hello(*tickets: bytes, address: str = PUBLIC, candidates: int = 32) -> Hello:
    return Hello(
        version=1,
        address=address,
        observe=tuple(urlsafe_b64encode(ticket).decode().rstrip("=") for ticket in tickets),
        message_size=12000,
        candidates=candidates,
    )


def ticket(number: int) -> bytes:
    return bytes(10) + number.to_bytes(8, "big") + bytes(60)
