"""Token buckets: how often something may be done."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class TokenBucket:
    """Allows *burst* at once and *rate* a second in the long run.

    :param rate: tokens a second; 0 means unlimited.
    :param burst: the most that is ever saved up; at least 1.
    """

    __slots__ = ("_burst", "_level", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._level = self._burst
        self._seen = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take *amount* tokens if they are there."""
        if self._rate <= 0:
            return True
        self._refill(now)
        if self._level < amount:
            return False
        self._level -= amount
        return True

    def wait(self, now: float, amount: float = 1.0) -> float:
        """Seconds until *amount* tokens are there; 0.0 if they are now."""
        if self._rate <= 0:
            return 0.0
        self._refill(now)
        return max(0.0, (min(amount, self._burst) - self._level) / self._rate)

    def _refill(self, now: float) -> None:
        if now > self._seen:
            self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
        self._seen = now


class KeyedBuckets:
    """One token bucket a key (an address, say), the longest unused ones forgotten above *capacity*.

    Forgetting a bucket fills it, so *capacity* is to be well above the keys that are busy at a time.
    """

    def __init__(
        self, seconds: Callable[[], float], rate: float, burst: float, capacity: int = 10_000
    ) -> None:
        self._seconds = seconds
        self._rate = rate
        self._burst = burst
        self._capacity = capacity
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, amount: float = 1.0) -> bool:
        """Take *amount* tokens of *key* if they are there."""
        if self._rate <= 0:
            return True
        return self._bucket(key).take(self._seconds(), amount)

    def empty(self, key: str) -> bool:
        """True if *key* has no whole token left; takes none."""
        bucket = self._buckets.get(key)
        return bucket is not None and bucket.wait(self._seconds()) > 0.0

    def __len__(self) -> int:
        return len(self._buckets)

    def _bucket(self, key: str) -> TokenBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, self._seconds())
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket
