"""The real server as a process of its own, as an operator starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.wire_client import LobbyClient, RelayClient

PROGRAMS = Path(sys.executable).parent
Settings = Mapping[str, str | int | float | bool | list[str]]


def options(state_dir: Path, settings: Settings) -> list[str]:
    """The command line options that make these settings."""
    words = ["--set", f"server.state_dir={state_dir}"]
    for key, value in settings.items():
        words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return words


def wlnet(*words: str, state_dir: Path, stdin: str = "", settings: Settings | None = None) -> str:
    """Run the `wlnet` command, which must succeed; what it printed."""
    done = subprocess.run(
        [str(PROGRAMS / "wlnet"), *words, *options(state_dir, settings or {})],
        input=stdin, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def add_account(state_dir: Path, name: str, password: str, permission: str = "registered") -> None:
    """Make an account, by the command an operator uses."""
    wlnet(
        "user",
        "add",
        name,
        "--permission",
        permission,
        "--password-stdin",
        state_dir=state_dir,
        stdin=password + "\n",
    )


class ServerProcess:
    """`twistd wlnet` with a log file, started now and ready when the constructor returns.

    :param prefix: put before the command; it must end by replacing itself with it.
    """

    def __init__(self, state_dir: Path, settings: Settings | None = None, prefix: Sequence[str] = ()) -> None:
        self._prefix = tuple(prefix)
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "lobby.port": 0, "relay.port": 0, "stun.port": 0, "stun.second_port": 0, "web.port": 0,
            **(settings or {}),
        }  # fmt: skip
        self.log_file = state_dir / "server.log"
        self._ready_file = state_dir / "ready.json"
        self.start()

    def start(self) -> None:
        """Start (again), with the same settings; the log goes on in the same file."""
        self.asked = False
        self._ready_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self._prefix, str(PROGRAMS / "twistd"), "--nodaemon", "--pidfile=", "wlnet",
                    "--ready-file", str(self._ready_file), *options(self.state_dir, self.settings),
                ],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.state_dir,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while not self._ready_file.exists():
            assert self.process.poll() is None, f"the server ended:\n{self.log}"
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server is not ready:\n{self.log}")
            time.sleep(0.02)
        self.ready = json.loads(self._ready_file.read_text())
        assert self.ready["pid"] == self.process.pid

    def keep_ports(self) -> None:
        """Use the ports it got for the next start as well."""
        for name in ("lobby", "relay", "link", "web"):
            if any(entry["name"] == name for entry in self.ready["listening"]):
                self.settings[f"{name}.port"] = self.port(name)
        for name, key in (("stun", "stun.port"), ("stun2", "stun.second_port")):
            if any(entry["name"] == name for entry in self.ready["listening"]):
                self.settings[key] = self.port(name)

    def port(self, name: str) -> int:
        """The port of the lobby, the relay, the link, the web or one of STUN's."""
        ports = {entry["port"] for entry in self.ready["listening"] if entry["name"] == name}
        assert len(ports) == 1, f"one port for both families: {self.ready}"
        return int(ports.pop())

    def lobby(
        self, host: str = "127.0.0.1", *, source: str | None = None, window: int | None = None
    ) -> LobbyClient:
        """A new connection to the lobby."""
        return LobbyClient(host, self.port("lobby"), source=source, window=window)

    def relay(
        self, host: str = "127.0.0.1", *, source: str | None = None, window: int | None = None
    ) -> RelayClient:
        """A new connection to the relay."""
        return RelayClient(host, self.port("relay"), source=source, window=window)

    @property
    def log(self) -> str:
        """All the server has written."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def memory(self) -> int:
        """Bytes of memory in use."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    @property
    def open_files(self) -> int:
        """Descriptors in use."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def runs(self) -> bool:
        """Whether it is still there."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait(10)

    def pause(self) -> None:
        """Keep it from doing anything."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """Send SIGTERM, if it runs and that was not done."""
        if self.runs and not self.asked:
            self.process.send_signal(signal.SIGTERM)
            self.asked = True

    def stop(self, timeout: float = 8.0) -> int:
        """Ask it to end; its exit code."""
        self.ask_to_stop()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop within {timeout} s") from None

    def check_log(self) -> None:
        """No traceback and no critical line in the log."""
        text = self.log
        for bad in ("Traceback", "Unhandled", " critical", "Failure:"):
            at = text.find(bad)
            assert at < 0, f"{bad} in the log:\n{text[max(0, at - 500) : at + 3000]}"
