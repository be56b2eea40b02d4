"""`wlnet config` as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wlnet import __version__
from wlnet.config.load import load
from wlnet.config.render import reference, sample
from wlnet.config.schema import Config

WLNET = str(Path(sys.executable).parent / "wlnet")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [WLNET, *words], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert "Traceback" not in done.stderr
    return done


def test_help_is_complete(tmp_path: Path) -> None:
    text = run(tmp_path, "--help").stdout
    for word in ("config", "user", "ban", "mute", "--version", "twistd --nodaemon wlnet --config wlnet.toml"):
        assert word in text
    text = run(tmp_path, "config", "--help").stdout
    for word in ("init", "check", "show", "reference"):
        assert word in text


def test_version(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout == f"wlnet {__version__}\n"


@pytest.mark.parametrize("words", [[], ["nonsense"], ["config"], ["config", "init", "--nonsense"]])
def test_wrong_usage(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: wlnet")


def test_from_init_to_check(tmp_path: Path) -> None:
    done = run(tmp_path, "config", "init", "--output", "wlnet.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "wlnet config check --config wlnet.toml" in done.stdout
    file = tmp_path / "wlnet.toml"
    assert load(str(file)) == Config()
    assert file.stat().st_mode & 0o007 == 0
    done = run(tmp_path, "config", "check")
    assert (done.returncode, done.stdout) == (0, "wlnet.toml: all right\n")


def test_init_does_not_replace_a_file_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("mine")
    done = run(tmp_path, "config", "init", "--output", "x.toml")
    assert (done.returncode, done.stderr) == (1, "x.toml: exists already; --force replaces it\n")
    assert file.read_text() == "mine"
    assert run(tmp_path, "config", "init", "--output", "x.toml", "--force").returncode == 0
    assert file.read_text() == sample()


def test_init_with_settings(tmp_path: Path) -> None:
    run(tmp_path, "config", "init", "--output", "x.toml", "--set", "server.state_dir=var")
    assert load(str(tmp_path / "x.toml")).server.state_dir == "var"


def test_init_to_standard_output_and_to_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert run(tmp_path, "config", "init").stdout == sample()
    done = run(tmp_path, "config", "init", "--output", "none/x.toml")
    assert (done.returncode, done.stderr) == (1, "wlnet: none/x.toml: No such file or directory\n")


def test_check_tells_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[lobby]\nprot = 1\nport = 70000\n")
    done = run(tmp_path, "config", "check", "--config", "x.toml", "--set", "relay.port=x")
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["x.toml:2", "lobby.prot"],
        ["x.toml:3", "lobby.port"],
        ["--set relay.port", '"x" is text (allowed'],
    ]


def test_show(tmp_path: Path) -> None:
    done = run(tmp_path, "config", "show", "--set", "lobby.port=7000")
    assert "port = 7000  # default: 7395" in done.stdout.splitlines()
    (tmp_path / "shown.toml").write_text(done.stdout)
    assert load(str(tmp_path / "shown.toml")) == load("/dev/null", ["lobby.port=7000"])
    document = json.loads(run(tmp_path, "config", "show", "--json").stdout)
    assert document["lobby"]["ping_interval"] == 15


def test_a_reader_that_goes_away_is_no_accident(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"'{WLNET}' config show | head -n 1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[server]\n", "")


def test_reference(tmp_path: Path) -> None:
    assert run(tmp_path, "config", "reference").stdout == reference()
