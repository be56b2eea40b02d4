"""One laboratory for all tests of a module; skipped, with the reason, where none can be built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.natlab.lab import Lab, why_not


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", action="store_true", help="all cells of the NAT matrix; write its document")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only when asked for with ``-m natlab``: these tests need root and take a minute."""
    if "natlab" in str(config.option.markexpr):
        return
    for item in items:
        if item.get_closest_marker("natlab"):
            item.add_marker(pytest.mark.skip(reason="runs with `make natlab`"))


@pytest.fixture(scope="session")
def possible() -> None:
    reason = why_not()
    if reason:
        pytest.skip(f"no NAT laboratory: {reason}")


@pytest.fixture
def lab(possible: None) -> Iterator[Lab]:
    with Lab() as made:
        yield made
