"""Real server, real `wlnet host` and `wlnet join`, all kinds of homes: each pair gets the best path there is.

A few cells that stand for all techniques; with ``--matrix`` all of them, and docs/nat-matrix.md is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.natlab.matrix import plans, report
from tests.natlab.matrix.cells import Cell, as_json
from tests.natlab.matrix.runner import Progress, Runner
from tests.natlab.matrix.world import opened

pytestmark = pytest.mark.natlab

KEPT = report.ROOT / "artifacts/nat-matrix"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    everything = metafunc.config.getoption("matrix", default=False)
    cells = plans.everything() if everything else plans.sample()
    metafunc.parametrize("cell", cells, ids=str)


@pytest.fixture(scope="module")
def runner(possible: None, request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Plays the cells asked for side by side; the tests wait for their outcomes."""
    everything = request.config.getoption("matrix", default=False)
    wanted = set(asked_for(request.session.items))
    cells = [cell for cell in (plans.everything() if everything else plans.sample()) if cell in wanted]
    folder = empty(KEPT)
    with opened(folder) as stage:
        runner = Runner(stage, cells)
        try:
            yield runner
        finally:
            runner.stop()
    outcomes = runner.wait()
    (folder / "outcomes.json").write_text(as_json(outcomes))
    if everything and len(outcomes) == len(plans.everything()):
        report.write(outcomes)


def asked_for(items: list[pytest.Item]) -> Iterator[Cell]:
    """The cells whose tests run."""
    for item in items:
        call = getattr(item, "callspec", None)
        cell = call.params.get("cell") if call is not None else None
        if isinstance(cell, Cell):
            yield cell


def empty(folder: Path) -> Path:
    """Nothing of an earlier run is left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return folder


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Progress:
    """Writes lines past pytest's capturing."""
    plugins = request.config.pluginmanager
    capture, terminal = plugins.get_plugin("capturemanager"), plugins.get_plugin("terminalreporter")

    def write(text: str) -> None:
        assert capture is not None
        assert terminal is not None
        with capture.global_and_fixture_disabled():
            terminal.write_line(text)

    return write


def test_cell(runner: Runner, cell: Cell, progress: Progress) -> None:
    """Connected, on the best kind of path, in time, nothing lost."""
    outcome = runner.outcome(cell, progress)
    assert not outcome.problems, f"{outcome}; see artifacts/nat-matrix"
