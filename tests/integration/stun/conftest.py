"""Servers with two addresses on loopback, and the strangers' programs that ask them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server_process import ServerProcess

PROGRAMS = ("turnutils_stunclient", "turnutils_natdiscovery")
PACKAGES = Path(__file__).with_name("packages.txt")


@pytest.fixture(scope="session")
def strangers() -> None:
    """Coturn's client programs are there (``make test-setup`` installs them). Its server is not started."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (see tests/integration/stun/packages.txt)")


@pytest.fixture(scope="session")
def two_addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """127.0.0.1 and 127.0.0.2; ::1 alone."""
    server = ServerProcess(
        tmp_path_factory.mktemp("two"),
        {
            "stun.listen": ["127.0.0.1", "::1"],
            "stun.second_addresses": ["127.0.0.2"],
            "limits.stun_total_rate": 0,
        },
    )
    yield server
    assert server.stop() == 0
    server.check_log()


@pytest.fixture(scope="session")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """All addresses of this machine by one socket a family and port, and one of them is the second."""
    server = ServerProcess(tmp_path_factory.mktemp("everywhere"), {"stun.second_addresses": ["127.0.0.2"]})
    yield server
    assert server.stop() == 0
    server.check_log()
