"""Wrong passwords, counted by address."""

from __future__ import annotations

from wlnet.limits.addresses import TrustedNetworks, address_key
from wlnet.limits.buckets import KeyedBuckets


class FailedLogins:
    """After too many wrong passwords an address has to wait before it may try another one."""

    def __init__(self, buckets: KeyedBuckets, trusted: TrustedNetworks) -> None:
        self._buckets = buckets
        self._trusted = trusted

    def too_many(self, address: str) -> bool:
        """No more tries from there for now."""
        return address not in self._trusted and self._buckets.empty(address_key(address))

    def failed(self, address: str) -> None:
        """One more wrong password."""
        if address not in self._trusted:
            self._buckets.take(address_key(address))
