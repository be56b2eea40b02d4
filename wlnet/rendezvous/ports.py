"""What the rendezvous needs of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wlnet.steering.model import Side, Transport
from wlnet.steering.rules import RelayPlace
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair


class StunPlace(Struct, frozen=True, kw_only=True):
    """Where STUN is answered, and observation packets taken."""

    addresses: tuple[str, ...]
    port: int
    second_port: int


class PairRelays(Protocol):
    """The relay of pairs, wherever it runs. What it knows of a pair it has from the tickets shown to it."""

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:
        """Where players find it whose lobby connection arrived at *reached_at*; None: there is none now.

        :param pair: of several relays the same is named for both sides of it, for as long as it is there.
        """

    def stun(self, reached_at: str) -> StunPlace | None:
        """Where such players find STUN; None: nowhere."""

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        """All addresses of servers of ours that such players may be told."""

    def keys(self) -> TicketKeys:
        """The keys its tickets are signed with now."""

    def quotas(self, pair: str, side: Side, address: str) -> RelayPair:
        """The claims of a ticket for that side of a pair."""

    def revoke(self, pair: str) -> None:
        """End a pair at once and accept no ticket for it again, even if nobody has shown one yet."""


class NoRelays:
    """For a server without a relay of pairs.

    :param keys: for the tickets the rendezvous itself checks.
    :param stun: see :meth:`PairRelays.stun`, which may be there nevertheless.
    """

    def __init__(
        self, keys: TicketKeys, stun: Callable[[str], StunPlace | None] = lambda _reached_at: None
    ) -> None:
        self._keys = keys
        self._stun = stun

    def place(self, reached_at: str, pair: str = "") -> RelayPlace | None:  # noqa: ARG002
        """Nowhere."""
        return None

    def stun(self, reached_at: str) -> StunPlace | None:
        """Where it was said."""
        return self._stun(reached_at)

    def addresses(self, reached_at: str) -> tuple[str, ...]:
        """Those of STUN."""
        place = self._stun(reached_at)
        return () if place is None else place.addresses

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
