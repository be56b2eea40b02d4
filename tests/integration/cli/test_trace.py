"""`wlnet trace` reads what a real server has written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.test_config_command import run
from tests.support.server_process import ServerProcess
from tests.support.wire_client import LobbyClient, wait_for
from wlnet.protocols.exchange.messages import Join, Leave, Publish, decode_told, encode
from wlnet.rendezvous.events import Begin


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path / "state")
    try:
        yield server
        assert server.stop() == 0
    finally:
        server.kill()
    server.check_log()


def speaker(server: ServerProcess, name: str) -> LobbyClient:
    client = server.lobby().log_in(name)
    client.send("WLNET", "1")
    client.next()
    return client


def test_of_attempts_that_have_ended(server: ServerProcess, tmp_path: Path) -> None:
    def trace(*words: str) -> str:
        done = run(tmp_path, "trace", *words, "--set", f"server.state_dir={server.state_dir}")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert trace() == ""
    with speaker(server, "ann") as host, speaker(server, "bob") as guest:
        host.send("WLNET", encode(Publish(game="duel", traffic="tcp", fingerprint="a" * 64)))
        host.next()
        for number in (1, 2):
            guest.send("WLNET", encode(Join(game="duel", fingerprint="b" * 64)))
            while not isinstance(begin := decode_told(guest.next()[1]), Begin):
                pass
            assert begin.attempt == number
            guest.send("WLNET", encode(Leave(attempt=number)))
        wait_for(lambda: "attempt 2, bob to ann" in server.log, 5.0, "the log to tell of it")
    sentence = "Not connected: the guest left before a path was found."
    assert sentence in server.log
    lines = trace().splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert all(line.endswith(f"bob to ann, game duel: {sentence}") for line in lines)
    assert trace("--last", "1").splitlines() == lines[1:]
    text = trace("2")
    assert text.startswith("Attempt 2, ended ")
    assert sentence in text
    assert " planned " in text
    record = json.loads(trace("2", "--json"))
    assert (record["number"], record["game"], record["reason"]) == (2, "duel", "guest-left")

    done = run(tmp_path, "trace", "77", "--set", f"server.state_dir={server.state_dir}")
    assert done.returncode == 1
    assert "no record of attempt 77" in done.stderr


def test_when_nothing_is_recorded(tmp_path: Path) -> None:
    done = run(tmp_path, "trace", "--set", "rendezvous.trace_file=")
    assert (done.returncode, done.stdout) == (1, "")
    assert "rendezvous.trace_file is empty" in done.stderr
    assert run(tmp_path, "trace", "--last", "0").returncode == 2
