"""Reports that help: ends of all logs and the screenshots with every failure."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.namespace import NoNamespaceError
from tests.e2e.world import World, missing_programs


class Scene(Protocol):
    """Where the steps of a module happen.

    :ivar failed_step: the first one that failed; "" if none did.
    """

    failed_step: str

    def shoot(self, title: str) -> None:
        """Screenshots of all displays."""

    def explain(self) -> str:
        """For a failure report."""


WORLD = pytest.StashKey[Scene]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only when asked for with ``-m e2e``: these tests take minutes and need root."""
    if "e2e" in str(config.option.markexpr):
        return
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.skip(reason="runs with `make e2e`"))


@pytest.fixture(scope="module")
def built_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[World, None, None]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (see tests/e2e/packages.txt)")
    world = World(tmp_path_factory.mktemp("e2e"))
    request.config.stash[WORLD] = world
    try:
        try:
            world.build()
        except NoNamespaceError as error:
            pytest.skip(f"cannot make a network namespace: {error}")
        yield world
    finally:
        world.close()


@pytest.fixture
def world(built_world: World, request: pytest.FixtureRequest) -> World:
    """The world, unless an earlier step left it in a state the next cannot start from."""
    if built_world.failed_step:
        pytest.skip(f"{built_world.failed_step} failed")
    return built_world


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    world = item.config.stash.get(WORLD, None)
    if world is None or not report.failed or item.path.parent != Path(__file__).parent or world.failed_step:
        return report
    world.failed_step = item.name
    try:
        world.shoot("failure")
    except (OSError, subprocess.SubprocessError):
        pass  # the display is what failed
    report.sections.append(("Widelands end-to-end", world.explain()))
    return report
