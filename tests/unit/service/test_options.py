"""The command line of `twistd wlnet`."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python import usage

from wlnet.service.options import Options


def parsed(*words: str) -> Options:
    options = Options()
    options.parseOptions(list(words))
    return options


def test_nothing_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = parsed()
    assert options.config.lobby.port == 7395
    assert options.ready_file is None


def test_all_options(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text("[lobby]\nport = 1\nmotd = 'x'\n")
    options = parsed("-c", str(file), "--set", "lobby.port=2", "--set=relay.port=3", "--ready-file", "r")
    assert (options.config.lobby.port, options.config.relay.port, options.config.lobby.motd) == (2, 3, "x")
    assert options.ready_file == "r"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "lobby.prt=1"], "--set lobby.prt: unknown key (did you mean port?)"),
        (["--config", "/nonexistent.toml"], "/nonexistent.toml: there is no such file"),
        (["extra"], "unexpected: extra"),
        (["--nonsense"], "option --nonsense not recognized"),
    ],
)
def test_mistakes(words: list[str], message: str) -> None:
    with pytest.raises(usage.UsageError) as caught:
        parsed(*words)
    assert message in str(caught.value)


def test_the_help_names_every_option() -> None:
    text = Options().getUsage()
    for option in ("--config=", "--set=", "--ready-file=", "--version", "--help"):
        assert option in text
    assert "wlnet config init" in text


def test_a_mistake_in_the_configuration_is_not_buried_under_the_help() -> None:
    options = Options()
    with pytest.raises(usage.UsageError):
        options.parseOptions(["--set", "lobby.prt=1"])
    assert options.getUsage() == ""


def test_the_plugin_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = """
import sys
sys.path.insert(0, ".")
from twisted.plugins import wlnet_plugin
bad = [name for name in sys.modules if name.startswith(("wlnet.", "sqlalchemy", "twisted.internet.reactor"))]
assert not bad, bad
wlnet_plugin.wlnet.options()
assert "twisted.internet.reactor" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, cwd=Path(__file__).parents[3])
