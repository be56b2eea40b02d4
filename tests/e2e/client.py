"""One real Widelands client: its process, its display and its log."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import IO

from tests.e2e.screen import Screen
from tests.e2e.waiting import TimedOutError, wait_for

BINARY = "/usr/games/widelands"
FAST_AND_QUIET = ("--nosound", "--xres=800", "--yres=600", "--language=en", "--maxfps=10", "--verbose")


@dataclass(frozen=True)
class Identity:
    """Who logs in, and where; if `host` is empty, whoever starts the client tells it that."""

    name: str
    host: str
    port: int
    password: str = ""


class Client:
    """A client in its own home directory on its own display."""

    def __init__(self, who: Identity, folder: Path, artifacts: Path, prefix: Sequence[str]) -> None:
        self.who = who
        self.artifacts = artifacts
        home = folder / who.name
        home.mkdir(parents=True)
        self.log_path = artifacts / f"client-{who.name}.log"
        self._log: IO[bytes] = self.log_path.open("wb")
        self.screen = Screen(self._log)
        command = [
            *prefix, BINARY, f"--homedir={home}", *FAST_AND_QUIET,
            f"--nickname={who.name}", f"--realname={who.name}",
        ]  # fmt: skip
        if who.host:
            command += [f"--metaserver={who.host}", f"--metaserverport={who.port}"]
        if who.password:
            digest = sha1(who.password.encode()).hexdigest()
            command += ["--registered=true", f"--password_sha1={digest}"]
        environment = {
            **os.environ,
            "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "DISPLAY": self.screen.display,
            "SDL_AUDIODRIVER": "dummy", "LIBGL_ALWAYS_SOFTWARE": "1", "LP_NUM_THREADS": "1",
            "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        self.process = subprocess.Popen(
            command, env=environment, cwd=home, stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """Of the game itself, which another program may have started."""
        for pid in (self.process.pid, *_children(self.process.pid)):
            if Path(f"/proc/{pid}/exe").resolve() == Path(BINARY).resolve():
                return pid
        raise AssertionError(f"no game of {self.who.name} runs")

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.screen.close()
        self._log.close()

    def log(self) -> str:
        """All complete lines so far."""
        text = self.log_path.read_bytes()
        return text[: text.rfind(b"\n") + 1].decode(errors="replace")

    def mark(self) -> int:
        """The present end of the log: later searches can start here."""
        return len(self.log())

    def count(self, pattern: str, since: int = 0) -> int:
        return len(re.findall(pattern, self.log()[since:]))

    def wait_log(self, pattern: str, since: int = 0, timeout: float = 30.0, times: int = 1) -> None:
        def condition() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the client of {self.who.name} ended with {self.process.returncode}")
            return self.count(pattern, since) >= times

        wait_for(condition, f"{pattern!r} ({times} times) in the log of {self.who.name}", timeout)

    def numbers(self, pattern: str, since: int = 0) -> list[int]:
        """What a pattern's group matched in the log, as numbers."""
        return [int(found) for found in re.findall(pattern, self.log()[since:])]

    def shoot(self, title: str) -> Path:
        """A screenshot among the artifacts: ``NN-title-name.png``."""
        return self.screen.shoot(self.artifacts / f"{title}-{self.who.name}.png")

    def insist(self, action: Callable[[], object], effect: Callable[[], object], what: str,
               tries: int = 5, patience: float = 8.0) -> None:  # fmt: skip
        """Repeat an action until its effect is seen: a busy client may lose a click."""
        for _ in range(tries):
            action()
            try:
                wait_for(effect, what, patience)
            except TimedOutError:
                continue
            return
        raise TimedOutError(f"{self.who.name}: {what} did not happen after {tries} tries")


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children")
        for child in tasks.read_text().split()
    ]
