"""What a party tells its user."""

from __future__ import annotations

from msgspec import Struct

from wlnet.client.paths.words import MoveReason
from wlnet.steering.model import Family, PathKind, Technique, Transport


class PathNews(Struct, frozen=True, kw_only=True):
    """The game takes this path from now on.

    :ivar rtt: round trip, seconds.
    :ivar setup: seconds from the beginning of the attempt until bytes of the game could be sent over it.
    :ivar moved: why the path was taken.
    :ivar reason: a sentence for the player.
    """

    kind: PathKind
    technique: Technique
    transport: Transport
    family: Family | None
    rtt: float
    setup: float
    moved: MoveReason
    reason: str


class PathGone(Struct, frozen=True, kw_only=True):
    """Nothing carries the game at present; it is being mended.

    :ivar reason: a sentence for the player.
    """

    reason: str
