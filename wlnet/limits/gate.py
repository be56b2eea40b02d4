"""The gate: how many connections at a time, overall and from one address."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from wlnet.limits.addresses import TrustedNetworks, address_key


class Refused(StrEnum):
    """Why a connection was not let in."""

    CONNECTIONS = "connections"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"


class ConnectionGate:
    """Counts open connections; one gate may stand before several listeners.

    :param total: connections at a time, all listeners of this gate together.
    :param per_address: connections at a time from one :func:`~wlnet.limits.addresses.address_key`;
        trusted networks and loopback are exempt from this one, not from *total*.
    """

    def __init__(self, total: int, per_address: int, trusted: TrustedNetworks) -> None:
        self._total = total
        self._per_address = per_address
        self._trusted = trusted
        self._open = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> Refused | None:
        """Count one more connection of *address*, or say why not. Pair each success with :meth:`leave`."""
        if self._open >= self._total:
            return Refused.CONNECTIONS
        key = address_key(address)
        if self._by_address.get(key, 0) >= self._per_address and address not in self._trusted:
            return Refused.CONNECTIONS_PER_ADDRESS
        self._open += 1
        self._by_address[key] += 1
        return None

    def leave(self, address: str) -> None:
        """A connection that had entered is gone."""
        key = address_key(address)
        self._open -= 1
        self._by_address[key] -= 1
        if self._by_address[key] <= 0:
            del self._by_address[key]

    def __len__(self) -> int:
        return self._open
