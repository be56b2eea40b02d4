"""What to do about a refusal of the rendezvous, for players."""

from __future__ import annotations

from wlnet.rendezvous.events import Refusal

_JOIN = {
    Refusal.NO_SUCH_GAME: "Ask its host for the exact name; capital and small letters count.",
    Refusal.OWN_GAME: "Join it from another computer, or under another name with --name.",
    Refusal.HOST_AWAY: "Wait until the host is back, then try again.",
    Refusal.HOST_BUSY: "Try again in a moment.",
    Refusal.SERVER_FULL: "Try again in a few minutes.",
    Refusal.TOO_MANY_ATTEMPTS: "Leave one of the others first.",
    Refusal.TOO_FAST: "Try again in a minute.",
}
_PUBLISH = {
    Refusal.GAME_EXISTS: "Somebody hosts a game of that name; take another one.",
    Refusal.GAME_NAME: "Take a name of 1 to 80 bytes without control characters.",
    Refusal.TOO_MANY_GAMES: "You host a game already: close it, or use another name with --name.",
    Refusal.SERVER_FULL: "The lobby has no room for more games now; try again later.",
}


def advice(of: str, code: Refusal | None) -> str:
    """A sentence, or "" if there is nothing to be done.

    :param of: ``join`` or ``publish``.
    """
    if code is None:
        return ""
    return (_JOIN if of == "join" else _PUBLISH).get(code, "")
