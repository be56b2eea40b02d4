"""What a forwarding tells its user: one report at a time, each a JSON object by its tag ``event``.

docs/players.md shows them all. Durations are seconds where they do not say otherwise, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field


class _Report(Struct, frozen=True, kw_only=True, tag_field="event"):
    pass


class Lobby(_Report, frozen=True, kw_only=True, tag="lobby"):
    """Logged in, as *name*."""

    name: str


class LobbyLost(_Report, frozen=True, kw_only=True, tag="lobby-lost"):
    """The lobby is not there; the next try is in *again* seconds. Games go on."""

    reason: str
    again: float


class Note(_Report, frozen=True, kw_only=True, tag="note"):
    """The lobby says something to its players."""

    text: str


class Hosting(_Report, frozen=True, kw_only=True, tag="hosting"):
    """The game is listed; others may join."""

    game: str
    traffic: str


class Joining(_Report, frozen=True, kw_only=True, tag="joining"):
    """The wish to join is with the lobby."""

    game: str


class Listening(_Report, frozen=True, kw_only=True, tag="listening"):
    """The guest's game finds the other player there.

    :ivar traffic: ``tcp``, ``udp``, or ``any`` until the host's kind is known.
    """

    traffic: str
    address: str
    port: int


class PeerHere(_Report, frozen=True, kw_only=True, tag="peer"):
    """The other player proved who he is; the game can be played."""

    peer: str
    traffic: str


class PathTaken(_Report, frozen=True, kw_only=True, tag="path"):
    """The game with *peer* takes that path from now on.

    :ivar kind: ``direct``, ``mapped``, ``punched`` or ``relayed``; called ``path`` in JSON.
    :ivar rtt_ms: round trip, milliseconds.
    :ivar setup_ms: from the beginning of the attempt until the game could go over it, milliseconds.
    :ivar moved: ``first``, ``better``, ``lost`` (the one before) or ``peer`` (the other side chose it).
    :ivar reason: a sentence.
    """

    peer: str
    kind: str = field(name="path")
    technique: str
    transport: str
    family: int | None
    rtt_ms: float
    setup_ms: float
    moved: str
    reason: str


class PathLost(_Report, frozen=True, kw_only=True, tag="path-gone"):
    """Nothing carries the game with *peer* at present."""

    peer: str
    reason: str


class SteeringEnded(_Report, frozen=True, kw_only=True, tag="ended"):
    """The lobby has done what it can for an attempt; *text* sums it up. A path goes on."""

    peer: str
    attempt: int
    reason: str
    kind: str | None
    text: str


class PeerGone(_Report, frozen=True, kw_only=True, tag="peer-gone"):
    """The game with *peer* is over or interrupted; how much was carried."""

    peer: str
    reason: str
    sent: int
    received: int


class Trouble(_Report, frozen=True, kw_only=True, tag="warning"):
    """Something did not work; what, and what to do."""

    text: str


class Detail(_Report, frozen=True, kw_only=True, tag="detail"):
    """With ``--verbose``: a message of the exchange with the lobby, as it is.

    :ivar direction: ``said`` or ``told``.
    """

    direction: str
    message: object


class Closed(_Report, frozen=True, kw_only=True, tag="closed"):
    """The last one.

    :ivar code: exit status of the program.
    """

    reason: str
    code: int


Report = (
    Lobby
    | LobbyLost
    | Note
    | Hosting
    | Joining
    | Listening
    | PeerHere
    | PathTaken
    | PathLost
    | SteeringEnded
    | PeerGone
    | Trouble
    | Detail
    | Closed
)

Tell = Callable[[Report], None]
