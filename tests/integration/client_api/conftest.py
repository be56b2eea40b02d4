"""A real server for all tests of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server_process import ServerProcess, add_account


@pytest.fixture(scope="session")
def game_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("games")
    add_account(folder, "carol", "correct horse")
    server = ServerProcess(
        folder, {"rendezvous.join_burst": 1000, "limits.command_rate": 0, "limits.games_per_player": 2}
    )
    yield server
    assert server.stop() == 0
    server.check_log()
