from __future__ import annotations

from twisted.internet.task import Clock

from wlnet.web.memo import Memo


def test_it_is_made_once_a_lifetime() -> None:
    clock, made = Clock(), iter(range(10))
    memo = Memo(lambda: next(made), 2.0, clock.seconds)
    assert [memo.get() for _ in range(5)] == [0] * 5
    clock.advance(1.9)
    assert memo.get() == 0
    clock.advance(0.1)
    assert memo.get() == 1
    assert memo.get() == 1
