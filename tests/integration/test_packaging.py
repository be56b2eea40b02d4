"""What `pip install` of the built package gives on a machine without this folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# As far as anybody else has set these, the tests are about this package and not about that.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def call(*words: str | Path, cwd: Path, timeout: float = 240) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by way of the source distribution, so that one is complete too."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    call(
        folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--root-user-action=ignore", wheel, cwd=folder,
    )  # fmt: skip
    return folder / "bin"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


def test_the_wheel_has_the_plugin_and_every_module(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "wlnet").rglob("*.py")}
    assert modules - names == set()
    assert {"twisted/plugins/wlnet_plugin.py", "wlnet/py.typed"} <= names
    # A package file there would hide all of Twisted.
    assert not {"twisted/__init__.py", "twisted/plugins/__init__.py"} & names
    assert not any(name.startswith("tests/") for name in names)


def test_the_commands(programs: Path, elsewhere: Path) -> None:
    assert "  wlnet  " in call(programs / "twistd", "--help", cwd=elsewhere)
    assert "--ready-file=" in call(programs / "twistd", "wlnet", "--help", cwd=elsewhere)
    assert call(programs / "wlnet", "--version", cwd=elsewhere).startswith("wlnet ")
    call(programs / "wlnet", "config", "init", "--output", "wlnet.toml", cwd=elsewhere)
    assert "all right" in call(programs / "wlnet", "config", "check", cwd=elsewhere)


def test_the_server_starts_and_stops(programs: Path, elsewhere: Path) -> None:
    ready = elsewhere / "ready.json"
    with (elsewhere / "out.txt").open("w") as output:
        process = subprocess.Popen(
            [
                str(programs / "twistd"), "--nodaemon", "--pidfile=", "wlnet", "--ready-file", str(ready),
                "--set", "lobby.port=0", "--set", "relay.port=0",
                "--set", "stun.port=0", "--set", "stun.second_port=0", "--set", "web.port=0",
            ],
            cwd=elsewhere, env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None, (elsewhere / "out.txt").read_text()
            assert time.monotonic() < deadline, (elsewhere / "out.txt").read_text()
            time.sleep(0.05)
        document = json.loads(ready.read_text())
        assert document["pid"] == process.pid
        names = {entry["name"] for entry in document["listening"]}
        assert names == {"lobby", "relay", "stun", "stun2", "web"}
        for entry in document["listening"]:
            host = "::1" if ":" in entry["host"] else "127.0.0.1"
            socket.create_connection((host, entry["port"]), 5).close()
        process.send_signal(signal.SIGTERM)
        process.wait(15)
    finally:
        process.kill()
        process.wait()
    lines = (elsewhere / "out.txt").read_text().splitlines()
    told = [line for line in lines if line.startswith("listening ")]
    assert len(told) == len(document["listening"])
    assert any(line.endswith("service: wlnet stops") for line in lines)
    assert not any("Traceback" in line for line in lines)
