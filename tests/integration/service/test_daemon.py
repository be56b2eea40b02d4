"""`twistd wlnet` in the background, as twistd does it by default."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TWISTD = str(Path(sys.executable).parent / "twistd")
FREE_PORTS = ("lobby.port=0", "relay.port=0", "stun.enabled=false", "web.enabled=false")


def start(
    folder: Path, *words: str, settings: tuple[str, ...] = FREE_PORTS
) -> subprocess.CompletedProcess[str]:
    sets = [word for setting in settings for word in ("--set", setting)]
    return subprocess.run(
        [TWISTD, "--pidfile", str(folder / "w.pid"), *words, "wlnet", "--ready-file", "ready.json", *sets],
        cwd=folder, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def stop(folder: Path) -> None:
    pid_file = folder / "w.pid"
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    wait_until(lambda: not pid_file.exists(), "it stops")


def test_it_logs_to_a_file_and_relative_paths_count_from_the_run_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    done = start(tmp_path, "--rundir", str(run), settings=(*FREE_PORTS, "server.state_dir=state"))
    assert (done.returncode, done.stderr) == (0, "")
    try:
        wait_until((tmp_path / "ready.json").exists, "it is ready")
        document = json.loads((tmp_path / "ready.json").read_text())
        assert document["pid"] == int((tmp_path / "w.pid").read_text())
        (run / "state" / "wlnet.log").rename(run / "state" / "wlnet.log.1")
    finally:
        stop(tmp_path)
    assert "wlnet stops" in (run / "state" / "wlnet.log").read_text()
    assert {file.name for file in (run / "state").iterdir()} >= {"wlnet.log", "wlnet.log.1", "wlnet.sqlite3"}
    assert {file.name for file in tmp_path.iterdir()} == {"run", "ready.json"}
    assert {file.name for file in run.iterdir()} == {"state"}


def test_who_starts_it_is_told_that_it_could_not(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = start(
            tmp_path,
            settings=(
                "lobby.listen=127.0.0.1",
                f"lobby.port={port}",
                "relay.port=0",
                "stun.enabled=false",
                "web.enabled=false",
            ),
        )
    assert done.returncode == 1
    assert f"lobby.port: 127.0.0.1:{port} is in use" in done.stderr
    assert f"127.0.0.1:{port} is in use by another program" in (tmp_path / "wlnet.log").read_text()
    assert not (tmp_path / "w.pid").exists()
    assert not (tmp_path / "ready.json").exists()


def test_a_log_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    done = start(tmp_path, settings=(*FREE_PORTS, "logging.file=none/w.log"))
    assert done.returncode == 1
    assert "none/w.log: cannot be written: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_twistds_own_log_options_win(tmp_path: Path) -> None:
    assert start(tmp_path, "--logfile", str(tmp_path / "mine.log")).returncode == 0
    wait_until((tmp_path / "ready.json").exists, "it is ready")
    stop(tmp_path)
    assert "Server Shut Down" in (tmp_path / "mine.log").read_text()
    assert not (tmp_path / "wlnet.log").exists()
