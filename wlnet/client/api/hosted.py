"""A game we host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from wlnet.client.api.errors import OverError
from wlnet.client.api.player import Player
from wlnet.client.api.promises import Mailbox, Promises


class HostedGame:
    """A listed game; guests come one by one.

    :param unlist: takes it off the list.
    :ivar name: of the game.
    """

    def __init__(self, name: str, promises: Promises, most: int, unlist: Callable[[], None]) -> None:
        self.name = name
        self._unlist = unlist
        self._over: str | None = None
        self._guests: Mailbox[Player] = Mailbox(promises, most)

    @property
    def is_listed(self) -> bool:
        """Guests may come; also while the lobby is away for a moment."""
        return self._over is None

    def accept(self) -> Awaitable[Player]:
        """The next guest, connected.

        :raises OverError: the game is not listed any more, and all who came were taken.
        """
        return self._guests.take()

    def close(self) -> None:
        """Take it off the list. Who plays goes on playing; who was not accepted is sent away."""
        if self._over is None:
            self._unlist()
            self.on_over("You took the game off the list.")
            for guest in self._guests.end(OverError("")):
                guest.close("the game is closed")
            self._guests.clear()

    # -- used by the client ----------------------------------------------------------------------

    def on_guest(self, player: Player) -> None:
        """One is ready."""
        if self._over is not None:
            player.close("the game is closed")
            return
        for forgotten in self._guests.put(player):
            forgotten.close("nobody opened the door")

    def on_over(self, text: str) -> None:
        """It is not listed any more."""
        if self._over is None:
            self._over = text
            self._guests.end(OverError(text))
