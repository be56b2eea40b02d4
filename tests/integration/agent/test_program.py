"""`wlnet agent` as a program: the game it starts, what it shows, and how it ends. No lobby is needed."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.player_process import PlayerProcess
from tests.support.server_process import PROGRAMS

LOBBY = [
    "agent",
    "--lobby",
    "tcp://127.0.0.1:1",
    "--no-mapping",
    "--user",
    "root",
]  # or it warns if it is root
NOWHERE = [*LOBBY, "--lobby-port", "0", "--relay-port", "0"]


def done(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAMS / "wlnet"), *words],
        capture_output=True, text=True, timeout=20, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def game(folder: Path, body: str) -> str:
    """A program called widelands."""
    file = folder / "widelands"
    file.write_text(f"#!{sys.executable}\nimport json, signal, sys, time\n{body}\n")
    file.chmod(0o755)
    return str(file)


def test_the_game_gets_its_options_and_its_exit_status_is_ours(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    program = game(tmp_path, f"open({str(notes)!r}, 'w').write(json.dumps(sys.argv[1:])); sys.exit(7)")
    ended = done(*NOWHERE, "--json", "--", program, "--fullscreen", "--", "x")
    assert ended.returncode == 7, ended.stderr
    assert ended.stderr == ""
    listening = json.loads(ended.stdout.splitlines()[0])
    assert listening["event"] == "listening"
    assert json.loads(notes.read_text()) == [
        "--fullscreen", "--", "x", "--metaserver=127.0.0.1", f"--metaserverport={listening['lobby_port']}"
    ]  # fmt: skip


def test_a_game_that_dies_of_a_signal(tmp_path: Path) -> None:
    assert done(*NOWHERE, "--", game(tmp_path, "import os; os.kill(os.getpid(), 9)")).returncode == 137


@pytest.mark.parametrize("stubborn", [False, True])
def test_the_game_ends_with_the_agent(tmp_path: Path, stubborn: bool) -> None:
    notes = tmp_path / "notes"
    ignore = "signal.signal(15, signal.SIG_IGN); " if stubborn else ""
    program = game(tmp_path, f"{ignore}open({str(notes)!r}, 'w').write('x'); time.sleep(60)")
    with PlayerProcess(*NOWHERE[:1], "--json", *NOWHERE[1:], "--", program, json=False) as running:
        deadline = time.monotonic() + 10
        while not notes.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        code, took = running.stop(signal.SIGTERM, 12)
        assert code == 0
        assert took < 10


def test_no_such_game() -> None:
    ended = done(*NOWHERE, "--", "/nowhere/widelands")
    assert ended.returncode == 1
    assert ended.stderr == "wlnet: /nowhere/widelands: No such file or directory\n"


def test_a_port_that_is_taken() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.create_server(("::1", taken.getsockname()[1]), family=socket.AF_INET6),
    ):
        port = str(taken.getsockname()[1])
        ended = done(*LOBBY, "--lobby-port", "0", "--relay-port", port)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"wlnet: port 0 or {port} of this machine cannot be used: Address already in use. "
        "Is another agent or a server running?\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--log", "/nowhere/log"], "wlnet: /nowhere/log: No such file or directory\n"),
        (["--ca", "/nowhere/ca"], "/nowhere/ca"),
    ],
)
def test_files_that_are_not_there(words: list[str], message: str) -> None:
    ended = done(*NOWHERE, *words)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stdout == ""


def test_the_log_has_what_is_told(tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    log.write_text("before\n")
    ended = done(*NOWHERE, "--log", str(log), "--", "true")
    assert ended.returncode == 0
    lines = log.read_text().splitlines()
    assert lines[0] == "before"
    told = [line.split(" ", 1)[1] for line in ended.stdout.splitlines()]
    assert told
    assert [line.split(" ", 2)[2] for line in lines[1:]] == told
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .+", line) for line in lines[1:])


def test_a_full_disk_ends_no_game() -> None:
    ended = done(*NOWHERE, "--log", "/dev/full", "--", "true")
    assert ended.returncode == 0
    assert ended.stderr == "wlnet: /dev/full: No space left on device\n"


def test_the_view_on_a_terminal() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [str(PROGRAMS / "wlnet"), *NOWHERE], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE
    ) as running:
        os.close(theirs)
        said, deadline = b"", time.monotonic() + 15
        while said.count(b"Ctrl-C stops") < 4 and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.2)[0]:
                said += os.read(ours, 4096)
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
        assert running.stderr is not None
        assert running.stderr.read() == b""
    os.close(ours)
    text = said.decode()
    assert "wlnet agent · metaserver for the game: 127.0.0.1 port" in text
    assert "\x1b[2F\x1b[J" in text  # the block is drawn anew over itself
    assert "cannot be reached: Connection refused." in text
