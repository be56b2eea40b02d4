"""Everything one run needs, made in order and removed in the opposite order."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.client import BINARY, Client, Identity
from tests.e2e.namespace import Namespace
from tests.e2e.observer import Observer
from tests.e2e.recorder import LOBBY_PORT, Recorder
from tests.e2e.server import Server

PROGRAMS = (BINARY, "Xvfb", "xdotool", "import", "convert", "tesseract", "ip", "ss", "setpriv")
TAIL = 40


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def artifacts_folder(part: str = "") -> Path:
    """Where screenshots, logs and the transcript go; those of an earlier run are removed."""
    folder = Path(os.environ.get("WLNET_E2E_ARTIFACTS", "artifacts")).resolve() / part
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("[0-9][0-9]-*.png", "failure-*.png", "*.log", "*.jsonl", "transcript.txt"):
        for old in folder.glob(pattern):
            old.unlink()
    return folder


def explain(artifacts: Path) -> str:
    """Ends of the logs in a folder, and its pictures."""
    parts = []
    for path in sorted([*artifacts.glob("*.log"), *artifacts.glob("*.jsonl")]):
        lines = path.read_text(errors="replace").splitlines()[-TAIL:]
        parts.append("\n".join([f"--- end of {path}", *lines]))
    pictures = sorted(artifacts.glob("*.png"), key=lambda path: path.stat().st_mtime)
    return "\n".join([*parts, "--- screenshots, newest last:", *map(str, pictures)])


class World:
    """A namespace with the server, an observer and two players' clients in it."""

    def __init__(self, folder: Path) -> None:
        self.artifacts = artifacts_folder()
        self.failed_step = ""
        self._stack = ExitStack()
        self._folder = folder

    def build(self) -> None:
        """Start everything.

        :raises NoNamespaceError: this machine or user may not make a network namespace.
        """
        namespace = Namespace()
        self._stack.callback(namespace.close)
        namespace.enter()
        self.recorder = Recorder(self.artifacts / "transcript.txt")
        self._stack.callback(self.recorder.close)
        self.server = Server(self._folder, self.artifacts, namespace.prefix)
        self._stack.callback(self.server.close)
        # One player over IPv4 and without an account, one over IPv6 and with an account.
        alice = Identity("alicenubu", "127.0.0.1", LOBBY_PORT)
        bob = Identity("bobrakelo", "localhost", LOBBY_PORT, password="a fine password")
        self.server.add_user(bob.name, bob.password)
        self.ready = self.server.start()
        self.observer = Observer("watcher", "127.0.0.1", LOBBY_PORT)
        self._stack.callback(self.observer.close)
        self.alice = self._client(alice, namespace)
        self.bob = self._client(bob, namespace)

    def _client(self, who: Identity, namespace: Namespace) -> Client:
        client = Client(who, self._folder, self.artifacts, namespace.prefix)
        self._stack.callback(client.close)
        return client

    def shoot(self, title: str) -> None:
        """A screenshot of both players' displays."""
        for client in self.clients():
            client.shoot(title)

    def clients(self) -> list[Client]:
        return [getattr(self, name) for name in ("alice", "bob") if hasattr(self, name)]

    def explain(self) -> str:
        """For a failure report: ends of the logs, and where the pictures are."""
        return f"{explain(self.artifacts)}\n--- what was sent: {self.artifacts / 'transcript.txt'}"

    def close(self) -> None:
        self._stack.close()
