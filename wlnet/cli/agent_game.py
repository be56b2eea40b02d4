"""The game that is started by the agent, and watched until it ends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

_LOOK = 0.5
"""Seconds between two looks whether it runs; every system can do that."""
_PATIENCE = 5.0


def with_options(words: Sequence[str], lobby_port: int) -> list[str]:
    """The command line of the game; Widelands is told where its metaserver is, unless it was told already."""
    name = PurePath(words[0]).stem.lower()
    told = any(word.startswith("--metaserver") for word in words)
    options = [] if told or not name.startswith("widelands") else [
        "--metaserver=127.0.0.1", f"--metaserverport={lobby_port}"
    ]  # fmt: skip
    return [*words, *options]


class Game:
    """A running game.

    :param over: told its exit status.
    """

    def __init__(self, reactor: Any, process: subprocess.Popen[bytes], over: Callable[[int], None]) -> None:
        self._reactor = reactor
        self._process = process
        self._over = over
        reactor.callLater(_LOOK, self._look)

    def _look(self) -> None:
        code = self._process.poll()
        if code is None:
            self._reactor.callLater(_LOOK, self._look)
        else:
            self._over(code if code >= 0 else 128 - code)

    def end(self) -> None:
        """Ask it to end; it is not waited for longer than a few seconds."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()


def start(reactor: Any, words: Sequence[str], lobby_port: int, over: Callable[[int], None]) -> Game:
    """Start it.

    :raises OSError: there is no such program.
    """
    # Standard output is ours: what the game says there must not get between our lines.
    command = with_options(words, lobby_port)
    process = subprocess.Popen(command, stdout=2)  # noqa: S603 - the player's own command
    return Game(reactor, process, over)
