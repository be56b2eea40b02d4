"""The optional packages of setup.cfg."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def extra(name: str) -> set[str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return set(setup["options.extras_require"][name].split("\n")) - {""}


def test_developers_get_all_that_players_get() -> None:
    assert extra("client") <= extra("dev")
