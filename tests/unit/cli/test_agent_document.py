"""What docs/agent.md and the unit for systemd promise."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from tests.support.server_process import PROGRAMS
from wlnet.agent.news import News
from wlnet.agent.options import AgentOptions
from wlnet.cli import main
from wlnet.client.lobby.address import LobbyAddress

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy/systemd/wlnet-agent.service"
TEXT = (ROOT / "docs/agent.md").read_text()
EVENTS = {re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower() for kind in get_args(News)}


def command(words: list[str]) -> argparse.Namespace:
    return main.make_parser("agent").parse_args(words)


def test_all_events_are_listed_and_shown_as_they_are() -> None:
    listed = {
        name for row in re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|", TEXT, re.MULTILINE)
        for name in re.findall(r"`([a-z-]+)`", row)
    }  # fmt: skip
    assert listed - {"--json"} >= (EVENTS - {"guest-path"}) | {"path", "path-gone"}
    for line in re.findall(r"^    (\{.*\})$", TEXT, re.MULTILINE):
        assert json.loads(line)["event"] in EVENTS | {"path"}


def test_all_options_are_explained() -> None:
    helped = set(re.findall(r"--[a-z-]+", _help()))
    for option in helped - {"--help", "--ca-file", "--metaserver"}:
        assert option in TEXT, option


def _help() -> str:
    return subprocess.run(
        [str(PROGRAMS / "wlnet"), "agent", "--help"], capture_output=True, text=True, timeout=20, check=True
    ).stdout


def test_the_commands_can_be_typed() -> None:
    found = re.findall(r"^    wlnet (agent --.*)$", TEXT, re.MULTILINE)
    assert len(found) >= 3
    for words in found:
        command(shlex.split(words))


def test_the_figures() -> None:
    options = AgentOptions(lobby=LobbyAddress("x", 1))
    assert options.grace == 60
    assert options.stream_waiting == 256 * 1024
    assert options.room_waiting == 1024 * 1024
    assert (options.connections, options.streams, options.come, options.hello) == (8, 4, 60, 10)
    assert (options.meet, options.lobby_grace, options.ask_again, options.ask) == (6, 600, 600, 3)
    assert options.relay_silence == 90
    assert options.of_party().max_peers == 32


def test_the_unit(tmp_path: Path) -> None:
    unit = UNIT.read_text()
    (start,) = re.findall(r"^ExecStart=%h/\.local/bin/wlnet (.*)$", unit, re.MULTILINE)
    command(shlex.split(start.replace("%S", "/state")))
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("there is no systemd here")
    copy = tmp_path / UNIT.name
    copy.write_text(unit.replace("%h/.local/bin/wlnet", str(PROGRAMS / "wlnet")))
    done = subprocess.run(
        [verify, "--user", "verify", str(copy)],
        capture_output=True, text=True, timeout=30, check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
