"""When a step sends what where."""

from __future__ import annotations

from random import Random

import pytest

from wlnet.client.paths import limits
from wlnet.client.paths.frames import FrameError, Frames
from wlnet.client.paths.opener import Opener, sprayed
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.orders import Act, Order

A, B = Endpoint("198.51.100.10", 40000), Endpoint("198.51.100.10", 40001)


def run(
    order: Order,
    sockets: tuple[int, ...] = (1,),
    targets: tuple[Endpoint, ...] = (A, B),
    *,
    primers: bool = True,
) -> list[tuple[int, int, int, bool]]:
    """Time after the plan in milliseconds, socket, port, primer."""
    opener = Opener(order, sockets, targets, 100.0, Random(1).randbytes, primers=primers)
    sent = []
    while (at := opener.next_deadline()) is not None:
        sent += [
            (round((at - 100) * 1000), one.socket, one.target.port, one.primer) for one in opener.due(at)
        ]
    return sent


def test_order_of_targets_with_pacing_and_rounds() -> None:
    order = Order(act=Act.OPEN, start=0.05, pacing=0.02, repeat=0.5, budget=5)
    assert run(order) == [
        (50, 1, 40000, False),
        (70, 1, 40001, False),
        (550, 1, 40000, False),
        (570, 1, 40001, False),
        (1050, 1, 40000, False),
    ]


def test_round_that_takes_longer_than_its_interval() -> None:
    order = Order(act=Act.OPEN, pacing=0.1, repeat=0.1, budget=4)
    assert [at for at, *_ in run(order)] == [0, 100, 200, 300]


def test_one_round() -> None:
    assert [port for _, _, port, _ in run(Order(act=Act.OPEN, budget=9))] == [40000, 40001]


def test_primers_first_and_the_rest_so_much_later_in_any_case() -> None:
    order = Order(act=Act.OPEN, start=0.05, primer=0.1, budget=4)
    assert run(order) == [
        (50, 1, 40000, True),
        (50, 1, 40001, True),
        (150, 1, 40000, False),
        (150, 1, 40001, False),
    ]
    assert run(order, primers=False) == [(150, 1, 40000, False), (150, 1, 40001, False)]


def test_primers_of_many_sockets_in_bursts() -> None:
    order = Order(act=Act.OPEN, primer=10, pacing=0.002, budget=400)
    sent = run(order, sockets=tuple(range(1, 151)), targets=(A,))
    assert [(at, socket) for at, socket, _, primer in sent if primer] == [
        (100 * (number // limits.MAX_AT_ONCE), number + 1) for number in range(150)
    ]
    rest = [(at, socket) for at, socket, _, primer in sent if not primer]
    assert (rest[0], len(rest)) == ((10_000, 1), 150)
    short = run(Order(act=Act.OPEN, primer=0.1, budget=400), sockets=tuple(range(1, 151)), targets=(A,))
    assert sum(primer for *_, primer in short) == limits.MAX_AT_ONCE


def test_many_sockets() -> None:
    order = Order(act=Act.OPEN, pacing=0.002, budget=99)
    assert [(socket, port) for _, socket, port, _ in run(order, (1, 2))] == [
        (1, 40000),
        (2, 40000),
        (1, 40001),
        (2, 40001),
    ]


def test_spray() -> None:
    order = Order(act=Act.OPEN, pacing=0.01, spray=1024, budget=1024)
    ports = [port for _, _, port, _ in run(order)]
    assert len(set(ports)) == len(ports) == 1024
    assert min(ports) >= 1024
    assert sprayed(10, bytes) == [1024]  # the worst source of randomness does not hang it


def test_what_was_slept_through_is_not_made_up_for() -> None:
    order = Order(act=Act.OPEN, pacing=0.01, repeat=0.02, budget=4000)
    opener = Opener(order, (1,), (A, B), 0.0, Random(1).randbytes, primers=False)
    assert len(opener.due(0.0)) == 1
    assert len(opener.due(3600.0)) <= limits.MAX_AT_ONCE
    deadline = opener.next_deadline()
    assert deadline is not None
    assert deadline > 3599


def test_frames() -> None:
    frames = Frames(10)
    assert frames.feed(b"\0\3ab") == []
    assert frames.feed(b"c\0\1d\0") == [b"abc", b"d"]
    with pytest.raises(FrameError):
        frames.feed(b"\x0b")
    with pytest.raises(FrameError):
        Frames(10).feed(b"\0\0")
