"""Path sets against the relay of this package, over UDP."""

from __future__ import annotations

from random import Random

from tests.support.pairs import ALICE, BOB, RELAY, PairRig, ticket
from wlnet.client.paths.pathset import PathSet
from wlnet.client.paths.words import Event, RelayRefused
from wlnet.rendezvous.events import StepOrder
from wlnet.steering.model import PathKind, Side, Technique, Transport
from wlnet.steering.orders import Act, Order, Target

LEG = StepOrder(
    number=1,
    technique=Technique.RELAY_UDP,
    transport=Transport.UDP,
    family=None,
    kind=PathKind.RELAYED,
    preference=1,
    deadline=10.0,
    guess=False,
    why="",
    order=Order(act=Act.OPEN, targets=(Target(*RELAY),), repeat=0.2, budget=50),
)


class Both:
    def __init__(self) -> None:
        self.rig = PairRig()
        self.ends = {ALICE: self.made(Side.HOST), BOB: self.made(Side.GUEST)}
        self.events: dict[object, list[Event]] = {ALICE: [], BOB: []}
        self.got: dict[object, list[bytes]] = {ALICE: [], BOB: []}
        self._taken = 0

    def made(self, side: Side) -> PathSet:
        paths = PathSet(side, 1, bytes(32), ticket(side), Random(side.value).randbytes, self.now)
        paths.add_plan([LEG], self.now)
        return paths

    @property
    def now(self) -> float:
        return self.rig.clock.seconds()

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            for place, paths in self.ends.items():
                paths.tick(self.now)
                paths.wishes()
                for transmit in paths.transmits():
                    self.rig.front.datagram(transmit.data, place, transmit.destination)
            while self._taken < len(self.rig.sent):
                data, destination, _ = self.rig.sent[self._taken]
                self._taken += 1
                self.ends[destination].receive(1, data, RELAY, self.now)
            for place, paths in self.ends.items():
                self.events[place] += paths.events()
                self.got[place] += paths.delivered()
            self.rig.pass_time(0.05)


def test_bound_checked_and_kept_alive() -> None:
    both = Both()
    both.ends[BOB].send(b"\x40first", both.now)
    both.run(2)
    assert [path.alive for paths in both.ends.values() for path in paths.paths] == [True, True]
    both.run(100)
    both.ends[BOB].send(b"\x40over", both.now)
    both.ends[ALICE].send(b"\x40back", both.now)
    both.run(0.5)
    assert both.got == {ALICE: [b"\x40first", b"\x40over"], BOB: [b"\x40back"]}
    assert [line for line in both.rig.log if "at" not in line] == []


def test_one_side_closes() -> None:
    both = Both()
    both.run(2)
    both.ends[BOB].close()
    both.run(3)
    refused = [event for event in both.events[ALICE] if isinstance(event, RelayRefused)]
    assert refused == [RelayRefused(word="PEER_CLOSED", final=True)]
    assert both.ends[ALICE].current is None


def test_payload_takes_the_relay_before_it_is_checked() -> None:
    both = Both()
    paths = both.ends[BOB]
    while not paths.paths:
        both.run(0.05)
    assert paths.current is None
    paths.transmits()
    paths.send(b"\x40now", both.now)
    assert [one.data[9:] for one in paths.transmits()] == [b"\x40now"]
