"""Two steps that meet in one path are one step for both sides: the guest's."""

from __future__ import annotations

from msgspec.structs import replace

from tests.unit.client.paths.test_strangers import AWAIT, PEER, check, made, opened, step
from wlnet.client.paths.words import PathCarried
from wlnet.steering.model import PathKind, Side


def test_the_host_follows_the_guests_step() -> None:
    paths = opened(made(Side.HOST))
    paths.add_plan([step(2, AWAIT), replace(step(3, AWAIT), kind=PathKind.RELAYED)], 0.0)
    paths.receive(1, b"\x40one", PEER, 0.1)
    paths.receive(1, check(number=2, nominated=True), PEER, 0.2)
    paths.receive(1, b"\x40two", PEER, 0.3)
    assert [path.step.number for path in paths.paths] == [2]
    assert [event.step for event in paths.events() if isinstance(event, PathCarried)] == [1, 2]
    for number in (3, 9):  # the relay's, and one that was not ordered
        paths.receive(1, check(number=number), PEER, 0.4)
        assert [path.step.number for path in paths.paths] == [2]


def test_the_guest_keeps_its_own() -> None:
    paths = made(Side.GUEST)
    paths.add_plan([step(2, AWAIT)], 0.0)
    paths.receive(1, check(Side.HOST), PEER, 0.1)
    paths.receive(1, check(Side.HOST, number=2), PEER, 0.2)
    assert [path.step.number for path in paths.paths] == [1]
