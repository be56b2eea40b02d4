"""What promises are broken with. The text of each is a sentence for the player, except where it says so."""

from __future__ import annotations


class ClientError(Exception):
    """Base of all of them."""


class LobbyError(ClientError):
    """The lobby refused us for good, cannot be reached, or did not answer."""


class RefusedError(ClientError):
    """The lobby would not list the game or let us join it."""


class OverError(ClientError):
    """The player, stream or game is closed, by either side, or the client is."""


class TooMuchWaitingError(ClientError):
    """Written without waiting until too much was waiting; for developers."""


class WrongUseError(ClientError):
    """A mistake of the calling program, named for its developers."""
