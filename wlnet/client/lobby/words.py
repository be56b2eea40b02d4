"""What the lobby's refusals mean for the player, in sentences, and whether trying again can help."""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

_SHOWN = 200


class Ending(Enum):
    """How a connection to the lobby ended."""

    LEFT = auto()
    """We left."""
    LOST = auto()
    """It broke, or the lobby was silent: worth another try."""
    BUSY = auto()
    """The lobby said no for now: worth another try, but later."""
    REFUSED = auto()
    """The lobby said no, and will again."""


class Refusal(Struct, frozen=True):
    """A sentence for an error of the lobby."""

    ending: Ending
    text: str


_NO_EXTENSION = Refusal(
    Ending.REFUSED,
    "This lobby cannot bring players together directly: it does not know the WLNET extension. "
    "Ask for the address of a wlnet lobby.",
)

_LOGIN = {
    "WRONG_PASSWORD": Refusal(
        Ending.REFUSED,
        "The lobby did not accept the name and password. Check both; "
        "without an account leave the password out.",
    ),
    "BANNED": Refusal(Ending.REFUSED, "You are banned from this lobby. Ask its operators how long."),
    "TOO_MANY_WRONG_PASSWORDS": Refusal(
        Ending.REFUSED, "There were too many wrong passwords from your address. Wait a few minutes."
    ),
    "INVALID_NAME": Refusal(
        Ending.REFUSED,
        "The lobby does not accept this name: use 1 to 40 letters, digits and the characters @ . + - _",
    ),
    "INVALID_FIELD": Refusal(Ending.REFUSED, "The lobby did not accept what this program says of itself."),
    "UNSUPPORTED_PROTOCOL": Refusal(
        Ending.REFUSED, "The lobby does not speak this program's version of the protocol."
    ),
    "NO_FREE_NAME": Refusal(
        Ending.REFUSED, "The name is taken and so are the numbered ones. Take another name."
    ),
    "ACCOUNTS_UNAVAILABLE": Refusal(Ending.BUSY, "The lobby cannot look up accounts at present."),
    "SERVER_FULL": Refusal(Ending.BUSY, "The lobby is full."),
}

_DISCONNECTED = {
    "CLIENT_TIMEOUT": Refusal(Ending.LOST, "The lobby did not hear from us in time."),
    "KICKED": Refusal(Ending.REFUSED, "You were kicked from the lobby."),
    "BANNED": _LOGIN["BANNED"],
}


def login_refusal(word: str) -> Refusal:
    """What ``ERROR LOGIN word`` or ``ERROR PWD_CHALLENGE word`` means."""
    known = _LOGIN.get(word)
    return known or Refusal(Ending.REFUSED, f"The lobby refused the login: {shown(word)}.")


def disconnection(word: str) -> Refusal:
    """What ``DISCONNECT word`` means."""
    known = _DISCONNECTED.get(word)
    return known or Refusal(Ending.REFUSED, f"The lobby ended the connection: {shown(word)}.")


def garbage(word: str, *, negotiating: bool) -> Refusal:
    """What ``ERROR GARBAGE_RECEIVED word`` means."""
    if negotiating and word == "INVALID_CMD":
        return _NO_EXTENSION
    return Refusal(Ending.REFUSED, f"The lobby did not understand this program: {shown(word)}.")


def shown(text: str) -> str:
    """*text* of a stranger as it may be shown: one line, bounded."""
    return "".join(character if character.isprintable() else " " for character in text[:_SHOWN]).strip()
