"""The programs of a cell as a player starts them, `wlnet host` and `wlnet join`, and what they tell."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.natlab.matrix.ceiling import OF_TECHNIQUE
from tests.natlab.site import Host
from tests.support.server_process import PROGRAMS
from wlnet.steering.model import Technique

Event = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """The game takes another path: when (monotonic seconds), which."""

    at: float
    letter: str
    kind: str
    technique: str
    transport: str
    family: int | None


class PeerProcess:
    """A `wlnet` command with ``--json`` on somebody's computer; its events are read as they come."""

    def __init__(self, place: Host, words: Sequence[str], state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.words = list(words)
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._errors = (state / "stderr").open("w+")
        self.process = place.popen(
            [str(PROGRAMS / "wlnet"), *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=state,
        )
        self._namespace = place.namespace
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "no-json", "line": line}
            event.setdefault("at", time.monotonic())
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def find(self, name: str) -> Event | None:
        """The first event of that name so far."""
        return next((event for event in self.events if event.get("event") == name), None)

    def wait_for(self, condition: Callable[[], Any], limit: float) -> bool:
        """Wait until it is true; False after `limit` seconds or when the process has ended."""
        with self._changed:
            return bool(
                self._changed.wait_for(lambda: condition() or not self._reader.is_alive(), limit)
                and condition()
            )

    @property
    def steps(self) -> list[Step]:
        """The paths the game took, in order."""
        found = []
        for event in list(self.events):
            if event.get("event") == "path":
                technique = Technique(event["technique"])
                found.append(
                    Step(
                        event["at"],
                        OF_TECHNIQUE[technique],
                        event["path"],
                        technique.value,
                        event["transport"],
                        event.get("family"),
                    )
                )
        return found

    @property
    def carried_by(self) -> str | None:
        """Letter of the path that carries the game now; None if none does."""
        for event in reversed(list(self.events)):
            if event.get("event") == "path":
                return OF_TECHNIQUE[Technique(event["technique"])]
            if event.get("event") == "path-gone":
                return None
        return None

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        self._errors.flush()
        return Path(self._errors.name).read_text(errors="replace")

    def stop(self, limit: float = 5.0) -> int | None:
        """Ask it to end as a player does (Ctrl-C); its exit status, None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self) -> None:
        """End it without warning; harmless if it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(2)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()
        if self.process in self._namespace.processes:
            self._namespace.processes.remove(self.process)
