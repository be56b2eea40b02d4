"""What is said to players about paths and ends."""

from __future__ import annotations

from wlnet.client.paths.words import MoveReason
from wlnet.client.tunnel.events import Closed, CloseReason
from wlnet.steering.model import PathKind

_CARRIERS = {
    PathKind.DIRECT: "The game goes directly to the other player.",
    PathKind.MAPPED: "The game goes through a port the router opened.",
    PathKind.PUNCHED: "The game goes directly, through both routers.",
    PathKind.RELAYED: "The game goes through the relay.",
}
_ENDINGS = {
    CloseReason.HERE: "You ended it",
    CloseReason.THERE: "The other player ended it",
    CloseReason.SILENCE: "The connection is lost",
    CloseReason.HANDSHAKE_TIME: "No connection came about",
    CloseReason.WRONG_PEER: "This is not the player the lobby named",
    CloseReason.REFUSED_BY_PEER: "The other player refused",
    CloseReason.BROKEN_PEER: "The other player's program misbehaved",
}
NOTHING = "Nothing comes through any more; trying to reconnect."


def about_path(moved: MoveReason, kind: PathKind, why: str) -> str:
    """Why the game takes a path.

    :param why: the plan's reason for it.
    """
    if moved is MoveReason.LOST:
        return f"The path before was lost. {_CARRIERS[kind]}"
    return f"{_CARRIERS[kind]} {why}".strip()


def about_end(closed: Closed) -> str:
    """How a tunnel ended."""
    words = _ENDINGS[closed.reason]
    return f"{words}: {closed.text}." if closed.text else f"{words}."
