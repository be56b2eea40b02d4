"""Token buckets: bursts, rates, waiting, and how many keys are remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.limits.buckets import KeyedBuckets, TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(0.4)
    assert bucket.take(0.5)
    assert not bucket.take(0.5)


def test_no_more_than_the_burst_is_saved_up() -> None:
    bucket = TokenBucket(rate=10, burst=2, now=0)
    assert [bucket.take(1000) for _ in range(3)] == [True, True, False]


def test_rate_zero_is_no_limit() -> None:
    bucket = TokenBucket(rate=0, burst=1, now=0)
    assert all(bucket.take(0) for _ in range(1000))
    assert bucket.wait(0) == 0


def test_the_wait_is_until_the_token_is_there() -> None:
    bucket = TokenBucket(rate=4, burst=1, now=0)
    assert bucket.wait(0) == 0
    bucket.take(0)
    assert bucket.wait(0) == 0.25
    assert bucket.wait(0.25) == 0
    assert bucket.take(0.25)


def test_more_than_the_burst_is_never_waited_for() -> None:
    bucket = TokenBucket(rate=1, burst=2, now=0)
    assert bucket.wait(0, amount=50) == 0
    assert not bucket.take(0, amount=50)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=1, now=100)
    bucket.take(100)
    assert not bucket.take(0)
    assert not bucket.take(0.5)


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_never_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    bucket = TokenBucket(rate, burst, 0)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
    assert taken <= burst + rate * now + 1e-6


def test_keys_do_not_share_their_tokens() -> None:
    buckets = KeyedBuckets(lambda: 0, rate=1, burst=1)
    assert buckets.take("a")
    assert not buckets.take("a")
    assert buckets.take("b")


def test_empty_takes_nothing_and_remembers_nobody() -> None:
    buckets = KeyedBuckets(lambda: 0, rate=1, burst=1)
    assert not buckets.empty("a")
    assert len(buckets) == 0
    assert buckets.take("a")
    assert buckets.empty("a")


def test_the_longest_unused_keys_are_forgotten() -> None:
    now = [0.0]
    buckets = KeyedBuckets(lambda: now[0], rate=0.001, burst=1, capacity=3)
    for key in "abc":
        buckets.take(key)
    buckets.take("a")
    buckets.take("d")
    assert len(buckets) == 3
    assert buckets.empty("a")
    assert not buckets.empty("b")


def test_unlimited_buckets_keep_nothing() -> None:
    buckets = KeyedBuckets(lambda: 0, rate=0, burst=1)
    assert all(buckets.take(str(n)) for n in range(100))
    assert len(buckets) == 0


@pytest.mark.parametrize("burst", [0, 0.5])
def test_a_burst_is_at_least_one(burst: float) -> None:
    assert TokenBucket(rate=1, burst=burst, now=0).take(0)
