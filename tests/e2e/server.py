"""The server under test, as an operator runs it: twistd, and accounts made with the wlnet command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.waiting import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]


def program(name: str) -> str:
    """A program of the environment the tests run in (or of ``WLNET_E2E_BIN``)."""
    return str(Path(os.environ.get("WLNET_E2E_BIN", Path(sys.executable).parent)) / name)


class Server:
    """One server process with a fresh state directory and the default ports."""

    def __init__(self, folder: Path, artifacts: Path, prefix: Sequence[str]) -> None:
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.log_path = artifacts / "server.log"
        self._ready = folder / "ready.json"
        self._prefix = prefix
        self._log = self.log_path.open("wb")
        self.process: subprocess.Popen[bytes] | None = None

    def add_user(self, name: str, password: str, permission: str = "registered") -> None:
        command = [
            program("wlnet"), "user", "add", name, "--permission", permission, "--password-stdin",
            "--set", f"server.state_dir={self.state}",
        ]  # fmt: skip
        done = subprocess.run(
            command,
            check=False,
            input=password + "\n",
            text=True,
            capture_output=True,
            cwd=REPOSITORY,
            timeout=60,
        )
        assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"

    def start(self) -> dict[str, Any]:
        """Start and wait until it listens.

        :returns: what the server wrote to its ready file.
        """
        command = [
            *self._prefix, program("twistd"), "--nodaemon", "--pidfile=", "wlnet",
            "--set", f"server.state_dir={self.state}", "--ready-file", str(self._ready),
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        wait_for(self._is_ready, "the server's ready file", 60)
        ready: dict[str, Any] = json.loads(self._ready.read_text())
        return ready

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        return self._ready.exists() and self._ready.stat().st_size > 0

    def log(self) -> str:
        return self.log_path.read_bytes().decode(errors="replace")

    def stop(self) -> int:
        """Stop it as an operator does.

        :returns: the exit code.
        """
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self._log.close()
