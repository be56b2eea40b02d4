"""What the rendezvous needs of others."""

from __future__ import annotations

from typing import Protocol

from wlnet.steering.model import Side, Transport
from wlnet.steering.rules import RelayPlace
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair


class PairRelays(Protocol):
    """The relay of pairs, wherever it runs. What it knows of a pair it has from the tickets shown to it."""

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:
        """Where players find it whose lobby connection arrived at *reached_at*; None: there is none now.

        :param pair: of several relays the same is named for both sides of it, for as long as it is there.
        """

    def keys(self) -> TicketKeys:
        """The keys its tickets are signed with now."""

    def quotas(self, pair: str, side: Side, address: str) -> RelayPair:
        """The claims of a ticket for that side of a pair."""

    def revoke(self, pair: str) -> None:
        """End a pair at once and accept no ticket for it again, even if nobody has shown one yet."""


class NoRelays:
    """For a server without a relay of pairs.

    :param keys: for the tickets the rendezvous itself checks.
    """

    def __init__(self, keys: TicketKeys) -> None:
        self._keys = keys

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:  # noqa: ARG002
        """Nowhere."""
        return None

    def keys(self) -> TicketKeys:
        """Those given."""
        return self._keys

    def quotas(self, pair: str, side: Side, address: str) -> RelayPair:
        """The relay's defaults."""
        return RelayPair(pair=pair, side=side, address=address)

    def revoke(self, pair: str) -> None:
        """There is nothing to end."""


class ReachPort(Protocol):
    """Sends one small packet to an address from a port its owner never sent to."""

    def knock(self, transport: Transport, address: str, port: int, packet: bytes, timeout: float) -> None:
        """Send *packet*, or connect within *timeout* seconds, write it and close. Failures are silent."""


class NoReach:
    """For a server that tests nothing: no address ever counts as verified."""

    def knock(self, transport: Transport, address: str, port: int, packet: bytes, timeout: float) -> None:
        """Nothing."""
