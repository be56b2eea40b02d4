"""The queue budget: bytes waiting for slow receivers, in the whole process."""

from __future__ import annotations


class QueueBudget:
    """Counts the bytes all bounded queues of this process hold together.

    Each queue already has a limit of its own; this one keeps thousands of nearly full queues from
    adding up to more memory than there is. Whoever queues asks :attr:`exhausted` afterwards and, if so,
    drops the peer with the fullest queue (which need not be the one that just queued).

    :param limit: bytes.
    """

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @property
    def exhausted(self) -> bool:
        """More is held than may be."""
        return self.held > self.limit

    def add(self, amount: int) -> None:
        """*amount* more bytes wait; negative when they were sent or dropped."""
        self.held += amount
