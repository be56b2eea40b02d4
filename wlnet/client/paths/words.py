"""What a path set gives to whoever owns the sockets: packets, wishes and events."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, PathKind, Technique, Transport


class Transmit(NamedTuple):
    """Send *data* from the socket of that number.

    :ivar hops: send it with this TTL (hop limit); None: the usual one.
    """

    socket: int
    data: bytes
    destination: Endpoint
    hops: int | None = None


class OpenDatagram(Struct, frozen=True):
    """Open a UDP socket, or take the one of the attempt that is bound to *local_port* (0: any port)."""

    socket: int
    family: Family
    local_port: int = 0


class OpenStream(Struct, frozen=True):
    """Connect by TCP and say :meth:`~PathSet.connected` or :meth:`~PathSet.closed`.

    :ivar group: not 0: all streams and listeners of the same group share one local port
        (SO_REUSEADDR and SO_REUSEPORT before bind); *local_port* 0 leaves it to the first of them.
    :ivar tls: TLS to the relay, verified against its name or address as usual.
    """

    socket: int
    destination: Endpoint
    local_port: int = 0
    group: int = 0
    tls: bool = False


class Listen(Struct, frozen=True):
    """Listen by TCP and say :meth:`~PathSet.accepted`; *group* as above."""

    socket: int
    family: Family
    local_port: int = 0
    group: int = 0


class Close(Struct, frozen=True):
    """Close that socket; nothing needs to be said."""

    socket: int


Wish = OpenDatagram | OpenStream | Listen | Close


class MoveReason(StrEnum):
    """Why payloads take another path."""

    FIRST = "first"
    BETTER = "better"
    LOST = "lost"
    PEER = "peer"
    """The guest nominated it."""


class PathValidated(Struct, frozen=True, kw_only=True):
    """A path works both ways; said again when it recovered. *remote* is None for the relay."""

    step: int
    kind: PathKind
    technique: Technique
    transport: Transport
    family: Family | None
    rtt: float
    socket: int
    remote: Endpoint | None


class PathChanged(Struct, frozen=True, kw_only=True):
    """Payloads take that path from now on."""

    step: int
    kind: PathKind
    technique: Technique
    transport: Transport
    family: Family | None
    rtt: float
    reason: MoveReason


class PathCarried(Struct, frozen=True, kw_only=True):
    """The first payload came over that step."""

    step: int


class PathLost(Struct, frozen=True, kw_only=True):
    """A path does not work any more. It is tried again for a while if *retried*."""

    step: int
    kind: PathKind
    technique: Technique
    current: bool
    retried: bool


class StepFailed(Struct, frozen=True, kw_only=True):
    """Nothing came of a step until its deadline, or it is not needed any more."""

    step: int
    detail: str


class RelayRefused(Struct, frozen=True, kw_only=True):
    """The relay said no, or ended the pair.

    :ivar word: see docs/protocols/pairs.md, "Reasons".
    :ivar final: it is not asked again until there is a new ticket.
    """

    word: str
    final: bool


class Failed(Struct, frozen=True, kw_only=True):
    """No path, nothing under way that could become one."""


Event = PathValidated | PathChanged | PathCarried | PathLost | StepFailed | RelayRefused | Failed
