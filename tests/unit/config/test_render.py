"""The written forms of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

from wlnet.config.fields import settings
from wlnet.config.load import load
from wlnet.config.render import (
    REFERENCE_BEGIN,
    REFERENCE_END,
    effective,
    effective_json,
    reference,
    sample,
    toml_value,
)
from wlnet.config.schema import Config

ROOT = Path(__file__).parents[3]


@pytest.fixture
def changed() -> Config:
    return load(
        "/dev/null",
        [
            'lobby.motd="Grüße \\"an\\" alle\\\\, 5 # 3\\nzweite Zeile"',
            "lobby.listen=::1",
            "lobby.ping_interval=1.5s",
            "limits.lobby_queue=100001",
            "relay.max_games=0",
            "logging.shorten_addresses=true",
        ],
    )


def read_back(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "w.toml"
    file.write_text(text, encoding="utf-8")
    return load(str(file))


def test_the_sample_means_the_defaults(tmp_path: Path) -> None:
    assert read_back(tmp_path, sample()) == Config()


def test_the_sample_with_every_comment_removed_means_the_defaults(tmp_path: Path) -> None:
    names = {key for keys in settings().values() for key in keys}
    lines = [
        line[1:] if line.startswith("#") and line[1:].partition(" = ")[0] in names else line
        for line in sample().splitlines()
    ]
    assert sum(not line.startswith(("#", "[")) and bool(line) for line in lines) == sum(
        map(len, settings().values())
    )
    assert read_back(tmp_path, "\n".join(lines)) == Config()


def test_the_sample_of_another_configuration_means_that(tmp_path: Path, changed: Config) -> None:
    assert read_back(tmp_path, sample(changed)) == changed


def test_the_sample_explains_every_setting_on_short_lines() -> None:
    text = " ".join(sample().replace("\n# ", " ").split())
    for keys in settings().values():
        for setting in keys.values():
            assert setting.description, setting.name
            assert " ".join(setting.description.split()) in text, setting.name
    assert max(map(len, sample().splitlines())) <= 110


def test_the_effective_configuration_reads_back(tmp_path: Path, changed: Config) -> None:
    assert read_back(tmp_path, effective(changed)) == changed


def test_differences_are_marked(changed: Config) -> None:
    lines = [line for line in effective(changed).splitlines() if "# default: " in line]
    assert 'ping_interval = "1500ms"  # default: "15s"' in lines
    assert 'listen = ["::1"]  # default: ["0.0.0.0", "::"]' in lines
    assert len(lines) == 6
    assert "# default" not in effective(Config())


def test_json_has_plain_numbers(changed: Config) -> None:
    document = json.loads(effective_json(changed))
    assert document["lobby"]["ping_interval"] == 1.5
    assert document["limits"]["lobby_queue"] == 100001
    assert document["relay"]["listen"] == ["0.0.0.0", "::"]
    assert set(document) == {field.name for field in structs.fields(Config)}


def test_every_default_is_allowed(tmp_path: Path) -> None:
    for keys in settings().values():
        for setting in keys.values():
            text = f"[{setting.section}]\n{setting.key} = {toml_value(setting, setting.default)}\n"
            assert read_back(tmp_path, text) == Config(), setting.name


def test_the_reference_in_the_operators_manual_is_up_to_date() -> None:
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    start, end = text.index(REFERENCE_BEGIN), text.index(REFERENCE_END) + len(REFERENCE_END) + 1
    assert text[start:end] == reference(), "run `make docs`"
