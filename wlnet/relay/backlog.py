"""What a peer has not taken yet, kept so that it can be cut between two frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_PIECES = 256
"""So many pieces are joined to one chunk: tiny frames must not cost many times their size in memory."""


class Backlog:
    """Bytes waiting for one peer; each piece added is one or several whole frames."""

    __slots__ = ("_chunks", "_offset", "_pieces", "size")

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._pieces: list[bytes] = []
        self._offset = 0
        self.size = 0
        """Bytes waiting."""

    def add(self, piece: bytes) -> None:
        """Queue *piece* behind everything else."""
        self._pieces.append(piece)
        self.size += len(piece)
        if len(self._pieces) >= _PIECES:
            self._join()

    def head(self) -> bytes | memoryview:
        """The next bytes to send; empty if there are none."""
        if not self._chunks:
            if not self._pieces:
                return b""
            self._join()
        first = self._chunks[0]
        return memoryview(first)[self._offset :] if self._offset else first

    def sent(self, count: int) -> None:
        """*count* bytes of the last :meth:`head` are gone."""
        self.size -= count
        self._offset += count
        if self._offset == len(self._chunks[0]):
            self._chunks.popleft()
            self._offset = 0

    def cut(self, end_of_frame: Callable[[bytes, int], int]) -> None:
        """Forget every frame that was not begun.

        :param end_of_frame: given a chunk of whole frames and an offset in it, says where the frame that
            the offset lies in ends (the offset itself, if a frame begins there).
        """
        self._pieces.clear()
        first = self._chunks[0] if self._offset else b""
        self._chunks.clear()
        rest = first[self._offset : end_of_frame(first, self._offset)] if first else b""
        self._offset = 0
        self.size = len(rest)
        if rest:
            self._chunks.append(rest)

    def _join(self) -> None:
        self._chunks.append(b"".join(self._pieces))
        self._pieces.clear()
