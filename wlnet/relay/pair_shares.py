"""Who of the relayed pairs may send how much: by address, and everybody's share of the whole."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from wlnet.limits.addresses import TrustedNetworks, address_key
from wlnet.limits.buckets import TokenBucket

_AT_ONCE = 3000
"""Bytes anybody may send at the beginning of a second: two of the largest datagrams."""


class Account:
    """What the sides of one address key use together.

    :ivar sides: how many there are.
    """

    __slots__ = ("bucket", "key", "sides", "slot", "used")

    def __init__(self, key: str, bucket: TokenBucket) -> None:
        self.key = key
        self.bucket = bucket
        self.sides = 0
        self.slot = -1
        self.used = 0


class Accounts:
    """Accounts by address key. Those without a side are remembered while there is room: a client that comes
    again must not find its bucket full.

    :param rate: bytes a second of an account; 0: no limit. Trusted networks have none.
    :param spare: accounts without sides remembered.
    """

    def __init__(
        self, now: Callable[[], float], rate: float, burst: float, spare: int, trusted: TrustedNetworks
    ) -> None:
        self._now = now
        self._rate = rate
        self._burst = burst
        self._spare = spare
        self._trusted = trusted
        self._used: dict[str, Account] = {}
        self._idle: OrderedDict[str, Account] = OrderedDict()

    def sides(self, address: str) -> int:
        """Sides at the key of *address*."""
        account = self._used.get(address_key(address))
        return 0 if account is None else account.sides

    def enter(self, address: str) -> Account:
        """The account of one more side."""
        key = address_key(address)
        account = self._used.get(key) or self._idle.pop(key, None)
        if account is None:
            rate = 0.0 if address in self._trusted else self._rate
            account = Account(key, TokenBucket(rate, self._burst, self._now()))
        self._used[key] = account
        account.sides += 1
        return account

    def leave(self, account: Account) -> None:
        """One side less."""
        account.sides -= 1
        if account.sides == 0:
            del self._used[account.key]
            self._idle[account.key] = account
            if len(self._idle) > self._spare:
                self._idle.popitem(last=False)

    def __len__(self) -> int:
        return len(self._used) + len(self._idle)


class FairShare:
    """A token bucket of one second for all, half of it for those who use less than an equal share.

    Those above their share find the bucket closed while it is less than half full. Shares are of this second
    and grow with it, so that what all may take by them is never much more than what has flowed in: whoever
    stays below his share is not refused, however much others want.

    :param rate: bytes a second; 0: no limit.
    """

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._level = float(rate)
        self._seen = now
        self._slot = -1
        self._active = 0
        self._active_before = 0

    def take(self, account: Account, now: float, size: int) -> bool:
        """Whether *account* may send *size* bytes now."""
        rate = self._rate
        if not rate:
            return True
        if now > self._seen:
            self._level = min(float(rate), self._level + (now - self._seen) * rate)
            self._seen = now
        slot = int(now)
        if account.slot != slot:
            if self._slot != slot:
                self._active_before = self._active if slot == self._slot + 1 else 0
                self._active = 0
                self._slot = slot
            account.slot = slot
            account.used = 0
            self._active += 1
        left = self._level - size
        if left < 0:
            return False
        if left < rate / 2:
            share = rate / max(self._active, self._active_before)
            if account.used + size > share * (now - slot) + max(_AT_ONCE, share / 10):
                return False
        account.used += size
        self._level = left
        return True
