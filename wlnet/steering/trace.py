"""The record of an attempt: what was tried, when, what happened; as data and as one sentence."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from wlnet.steering.model import Family, PathKind, Side, Technique, Transport
from wlnet.steering.orders import Skipped, Step


class Event(StrEnum):
    """What can happen in an attempt."""

    BEGUN = "begun"
    CANDIDATES = "candidates"
    PLANNED = "planned"
    STEP = "step"
    SKIPPED = "skipped"
    OPENED = "opened"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    CARRIED = "carried"
    SETTLED = "settled"
    LOST = "lost"
    ENDED = "ended"


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a trace.

    :ivar at: seconds since the attempt began.
    :ivar detail: words of ours, or (of a report) up to 200 characters of a peer.
    """

    at: float
    event: Event
    side: Side | None = None
    step: int | None = None
    technique: Technique | None = None
    transport: Transport | None = None
    family: Family | None = None
    detail: str = ""


class EndReason(StrEnum):
    """Why an attempt is over."""

    CONNECTED = "connected"
    """The best path still possible carries the game."""
    NO_PATH = "no-path"
    HOST_LEFT = "host-left"
    GUEST_LEFT = "guest-left"
    GAME_ENDED = "game-ended"
    REMOVED = "removed"
    REPLACED = "replaced"
    """The guest asked again."""
    SERVER_STOPS = "server-stops"


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of an attempt.

    :ivar step: the best step both sides reported the game's own bytes over; None: there was none.
    :ivar first: seconds until the first such step; *best*: until this one.
    """

    reason: EndReason
    step: Step | None = None
    first: float = 0.0
    best: float = 0.0

    @property
    def path(self) -> PathKind | None:
        """The kind of path that carries the game; None: nothing does."""
        return self.step.kind if self.step is not None else None


class Trace:
    """A bounded list of entries.

    :param limit: entries kept; later ones are counted in :attr:`left_out`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: list[Entry] = []
        self.left_out = 0

    def add(self, entry: Entry) -> None:
        """Write *entry* down. The end is always written."""
        if len(self._entries) < self._limit or entry.event is Event.ENDED:
            self._entries.append(entry)
        else:
            self.left_out += 1

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, in order."""
        return tuple(self._entries)


_LEFT = {
    EndReason.HOST_LEFT: "the host left",
    EndReason.GUEST_LEFT: "the guest left",
    EndReason.GAME_ENDED: "the game ended",
    EndReason.REMOVED: "one of the two was removed from the lobby",
    EndReason.REPLACED: "the guest asked again",
    EndReason.SERVER_STOPS: "the server stopped",
}
_PATHS = {
    PathKind.DIRECT: "directly",
    PathKind.MAPPED: "through a mapped port",
    PathKind.PUNCHED: "directly, through both routers,",
    PathKind.RELAYED: "through the relay",
}


def sentence(outcome: Outcome, failures: tuple[str, ...], skipped: tuple[Skipped, ...]) -> str:
    """What a player is told about an attempt.

    :param failures: of steps that did not work, "<technique> over <transport>".
    """
    if outcome.step is None:
        if outcome.reason is not EndReason.NO_PATH:
            return f"Not connected: {_LEFT.get(outcome.reason, 'it ended')} before a path was found."
        if not failures:
            return f"Not connected: there was nothing to try. {_main_reason(skipped)}".strip()
        return f"Not connected: nothing that was tried worked ({', '.join(failures)})."
    where = _PATHS[outcome.step.kind]
    over = outcome.step.transport.value.upper()
    if outcome.step.family is not None:
        over += f" over IPv{outcome.step.family.value}"
    moved = (
        f"playing after {outcome.first:.1f} s, on this path after {outcome.best:.1f} s"
        if outcome.best > outcome.first
        else f"after {outcome.first:.1f} s"
    )
    text = f"Connected {where} by {over} ({outcome.step.technique}), {moved}."
    if outcome.step.kind is PathKind.RELAYED:
        text += f" {_why_relayed(failures, skipped)}"
    if outcome.reason in _LEFT:
        text += f" Then {_LEFT[outcome.reason]}."
    return text


def _why_relayed(failures: tuple[str, ...], skipped: tuple[Skipped, ...]) -> str:
    if failures:
        return f"No better path worked ({', '.join(failures)})."
    return f"No better path could be tried. {_main_reason(skipped)}".strip()


_TELLING = (Technique.PUNCH, Technique.TCP_PUNCH, Technique.PUBLIC)


def _main_reason(skipped: tuple[Skipped, ...]) -> str:
    for technique in _TELLING:
        for one in skipped:
            if one.technique is technique:
                return one.reason
    return skipped[0].reason if skipped else ""
