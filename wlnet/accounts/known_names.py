"""Names known to be accounts', remembered for the time when the database cannot be asked."""

from __future__ import annotations

from collections import OrderedDict


class KnownNames:
    """A bounded set of names; the one not seen for the longest time makes room.

    :param limit: names held at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._names: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str) -> None:
        """*name* was just seen to be an account's."""
        self._names[name] = None
        self._names.move_to_end(name)
        while len(self._names) > self._limit:
            self._names.popitem(last=False)

    def discard(self, name: str) -> None:
        """*name* was just seen not to be an account's."""
        self._names.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)
