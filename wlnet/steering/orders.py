"""A plan: the steps both sides race, and the techniques left out with the reason.

These structs are also what goes over the wire (docs/protocols/rendezvous.md, "Plan"): times are seconds,
a target is ``[address, port]``.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wlnet.steering.model import Family, PathKind, Side, Technique, Transport


class Target(Struct, frozen=True, array_like=True):
    """Where packets go."""

    address: str
    port: int


class Act(StrEnum):
    """What a side does in a step."""

    OPEN = "open"
    """Sends checks to (TCP: connects to) every target in order, and answers what comes."""
    AWAIT = "await"
    """Sends nothing of its own; its sockets named by ``local_ports`` answer what comes."""


class SocketRule(StrEnum):
    """Which socket a side uses."""

    NAMED = "named"
    """The one bound to the first of ``local_ports``: it was made for this attempt and asked STUN only."""
    FRESH = "fresh"
    """A new one on any port, used for this step only."""
    MANY = "many"
    """``sockets`` new ones, each sending to every target."""


class Order(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One side's part in a step.

    :ivar start: seconds after the plan arrived at this side.
    :ivar pacing: seconds between two packets (TCP: connects).
    :ivar repeat: seconds between two rounds over the targets; 0: one round only.
    :ivar primer: this long before the first real packet each target gets one with a TTL too low to reach
        the peer's NAT; 0: none. Never with TCP.
    :ivar spray: random ports (1024-65535, none twice) to try at the first target's address.
    :ivar listen: TCP: listen on the local port as well (SO_REUSEADDR and SO_REUSEPORT before bind).
    :ivar reset_retry: TCP: connect again this long after a reset, and never after anything else.
    :ivar budget: packets (TCP: connects) at most.
    """

    act: Act
    socket: SocketRule = SocketRule.FRESH
    local_ports: tuple[int, ...] = ()
    sockets: int = 1
    targets: tuple[Target, ...] = ()
    start: float = 0.0
    pacing: float = 0.0
    repeat: float = 0.0
    primer: float = 0.0
    spray: int = 0
    listen: bool = False
    reset_retry: float = 0.0
    budget: int = 0


class Step(Struct, frozen=True, kw_only=True):
    """One technique over one transport and family.

    :ivar family: None for relays: each side reaches the relay over the family it has.
    :ivar deadline: seconds after its start at which a side gives the step up.
    :ivar preference: 1 is the best path of the plan; the better of two working ones is used.
    :ivar guess: what was measured does not promise that it works; it is cheap, so it is tried.
    :ivar why: a sentence.
    """

    technique: Technique
    transport: Transport
    family: Family | None
    kind: PathKind
    preference: int
    deadline: float
    guess: bool
    why: str
    host: Order | None
    guest: Order | None

    def order(self, side: Side) -> Order | None:
        """What *side* has to do; None: nothing."""
        return self.host if side is Side.HOST else self.guest


class Skipped(Struct, frozen=True, kw_only=True):
    """A technique that is not tried; *reason* is a sentence."""

    technique: Technique
    transport: Transport
    family: Family | None
    reason: str


class Plan(Struct, frozen=True, kw_only=True):
    """Steps in order of preference, best first; all are raced, each from its start on."""

    steps: tuple[Step, ...]
    skipped: tuple[Skipped, ...]
