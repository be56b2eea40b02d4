"""Figures of the policy and the frame a technique is judged in."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from wlnet.steering.model import Behaviour, Family, Side, Transport
from wlnet.steering.orders import Order
from wlnet.steering.view import PeerView, same_site


class RelayPlace(Struct, frozen=True, kw_only=True):
    """Where the pair relay listens; a port of 0 is not offered."""

    addresses: tuple[str, ...]
    udp_port: int = 0
    tcp_port: int = 0
    tls_port: int = 0


class PlanOptions(Struct, frozen=True, kw_only=True):
    """What a plan may use. Durations are seconds.

    :ivar relay: None: there is no pair relay.
    :ivar birthday_spent: this pair had its birthday attempt.
    :ivar margin: both sides start a punch this long after the slower one has the plan.
    :ivar primer_lead: between a primer and the packets that are to arrive.
    """

    relay: RelayPlace | None = None
    birthday_spent: bool = False
    margin: float = 0.05
    primer_lead: float = 0.1
    one_sided_deadline: float = 3.0
    punch_deadline: float = 5.0
    tcp_punch_deadline: float = 10.0
    relay_deadline: float = 10.0
    relay_stagger: float = 0.15
    check_interval: float = 0.1
    pacing: float = 0.02
    reset_retry: float = 0.05
    predicted_udp: int = 16
    predicted_tcp: int = 8
    farthest_step: int = 16
    birthday_sockets: int = 256
    birthday_ports: int = 1024
    birthday_rate: float = 100.0
    birthday_start: float = 2.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A technique that can work, and how."""

    host: Order | None
    guest: Order | None
    why: str
    deadline: float
    guess: bool = False


Verdict = Draft | str
"""A draft, or the reason (a sentence) why the technique is left out."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """One pair of peers over one transport and family."""

    host: PeerView
    guest: PeerView
    transport: Transport
    family: Family
    options: PlanOptions

    def peer(self, side: Side) -> PeerView:
        """The view of *side*."""
        return self.host if side is Side.HOST else self.guest

    def behaviour(self, side: Side) -> Behaviour:
        """What was measured of *side* on this transport and family."""
        return self.peer(side).behaviour(self.transport, self.family)

    @property
    def tcp(self) -> bool:
        """Connections, not datagrams."""
        return self.transport is Transport.TCP

    @property
    def same_site(self) -> bool:
        """Both are seen at one public address."""
        return same_site(self.host, self.guest, self.family)

    def hairpin_problem(self) -> str | None:
        """Why two peers behind one address cannot meet at their outer endpoints, if so."""
        if not self.same_site:
            return None
        for side in Side:
            if self.behaviour(side).hairpin is False:
                return "Both are behind the same public address, whose router does not send packets back in."
        return None

    def start_together(self, side: Side) -> float:
        """Seconds *side* waits after the plan arrived so that both begin in the same instant.

        The plan takes half a round trip to each; the slower one begins *margin* after it has it.
        """
        slowest = max(self.host.round_trip, self.guest.round_trip) / 2
        return round(slowest - self.peer(side).round_trip / 2 + self.options.margin, 4)

    def deadline(self) -> float:
        """How long a two-sided punch is tried."""
        return self.options.tcp_punch_deadline if self.tcp else self.options.punch_deadline


def other(side: Side) -> Side:
    """The other side."""
    return Side.GUEST if side is Side.HOST else Side.HOST
