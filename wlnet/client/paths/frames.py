"""Datagrams over TCP: each follows its length in two bytes."""

from __future__ import annotations


class FrameError(Exception):
    """The stream holds no such frames; close it."""


class Frames:
    """Cuts a stream into frames.

    :param longest: a longer frame, or an empty one, is an error.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames completed by *data*.

        :raises FrameError: one has a wrong length; what came before it is lost as well.
        """
        buffer = self._buffer + data
        frames: list[bytes] = []
        position, end = 0, len(buffer)
        while end - position >= 2:
            length = buffer[position] << 8 | buffer[position + 1]
            if not 0 < length <= self._longest:
                raise FrameError("no frame has that length")
            after = position + 2 + length
            if after > end:
                break
            frames.append(buffer[position + 2 : after])
            position = after
        self._buffer = buffer[position:]
        return frames
