"""Which id a client of a room gets (docs/protocols/relay.md, "Client ids")."""

from __future__ import annotations

from collections import OrderedDict

FIRST_CLIENT_ID = 2
LAST_CLIENT_ID = 249


class ClientIds:
    """Hands out the ids 2 to 249: each once before any second use, then the one free for the longest time.

    A host ignores a newcomer whose id it has not forgotten yet, and its late word about the former owner
    would hit the new one. So an id stays in quarantine until the host has confirmed the end of its
    owner, or until so much time has passed that no such word can be on its way.

    :param quarantine: seconds.
    """

    __slots__ = ("_free_since", "_next_unused", "_quarantine")

    def __init__(self, quarantine: float) -> None:
        self._quarantine = quarantine
        self._next_unused = FIRST_CLIENT_ID
        self._free_since: OrderedDict[int, float | None] = OrderedDict()

    def take(self, now: float) -> int | None:
        """The id for a newcomer; None if there is none."""
        if self._next_unused <= LAST_CLIENT_ID:
            self._next_unused += 1
            return self._next_unused - 1
        for client_id, since in self._free_since.items():
            if since is None or now - since >= self._quarantine:
                del self._free_since[client_id]
                return client_id
        return None

    def release(self, client_id: int, now: float, *, confirmed: bool = False) -> None:
        """The owner is gone; *confirmed* if the host itself wanted or knows it."""
        self._free_since[client_id] = None if confirmed else now

    def confirm(self, client_id: int) -> None:
        """The host said that it is done with the former owner; any other id is ignored."""
        if client_id in self._free_since:
            self._free_since[client_id] = None
