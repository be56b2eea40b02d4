"""The servers that are compared: how each is started, found and stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
_START_LIMIT = 20.0
_STOP_LIMIT = 15.0
_SETTLE = 0.3

_WIDE_OPEN = {
    "limits.relay_connections": 20000,
    "limits.lobby_connections": 10000,
    "lobby.max_players": 10000,
    "lobby.max_games": 5000,
    "relay.max_games": 5000,
}
"""Limits that a load from one machine would meet; all others stay as they are by default."""

SERVERS = {
    "reference": "the reference relay in C",
    "wlnet": "the whole server, games opened through its lobby",
    "relay": "wlnet's relay without a lobby",
    "plain": "the same with the shell of ordinary Twisted transports",
}


@dataclass(frozen=True)
class Running:
    """A started server."""

    pid: int
    relay: str
    lobby: str | None


@contextmanager
def running(name: str, games: int, core: int) -> Iterator[Running]:
    """Run the server *name*, which has to be ready for *games* games, on one core of the machine."""
    with tempfile.TemporaryDirectory(prefix="wlnet-bench-") as folder:
        ready = Path(folder) / "ready"
        with (Path(folder) / "output").open("wb+") as output:
            command = ["taskset", "-c", str(core), *_command(name, games, folder, ready)]
            # This checkout is measured, whatever is installed.
            environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Linux shares the cores among sessions; this is one program more
            )
            try:
                yield _await(process, ready, Path(folder) / "output")
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_LIMIT)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _command(name: str, games: int, folder: str, ready: Path) -> list[str]:
    if name == "reference":
        return [str(HERE / "bin" / "relay_reference"), str(ready), str(games)]
    if name in {"relay", "plain"}:
        alone = [sys.executable, str(HERE / "relay_alone.py"), str(ready), str(games)]
        return [*alone, "--plain"] if name == "plain" else alone
    settings: dict[str, object] = {
        "server.state_dir": folder,
        "lobby.port": 0,
        "relay.port": 0,
        "stun.port": 0,
        "stun.second_port": 0,
        "logging.level": "error",
        **_WIDE_OPEN,
    }
    command = [str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile=", "wlnet"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    return [*command, "--ready-file", str(ready)]


def _await(process: subprocess.Popen[bytes], ready: Path, output: Path) -> Running:
    end = time.monotonic() + _START_LIMIT
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the server did not start: {output.read_text(errors='replace')[-1000:]}")
        time.sleep(0.02)
    time.sleep(_SETTLE)
    # taskset replaces itself by the server, so the process id is the server's.
    ports = {one["name"]: one["port"] for one in json.loads(ready.read_text())["listening"]}
    lobby = f"127.0.0.1:{ports['lobby']}" if "lobby" in ports else None
    return Running(process.pid, f"127.0.0.1:{ports['relay']}", lobby)
