"""The database slow, locked, broken or away: only those who need it notice."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.server.conftest import PASSWORDS, People, Start
from tests.support.server_process import ServerProcess, wlnet
from tests.support.wire_client import LobbyClient, Packet, sha1, wait_for

IMPATIENT = {"database.timeout": 0.5, "database.retry_pause": 0.3, "moderation.refresh_interval": 0.2}


def account_login(people: People, server: ServerProcess, timeout: float = 5.0) -> Packet:
    """What otto hears in the end: LOGIN or the error."""
    guest = people.guest(server)
    guest.timeout = timeout
    guest.send("LOGIN", "6", "otto", "1.2.1", "true", "")
    answer = guest.take()
    if answer[0] == "PWD_CHALLENGE":
        guest.send("PWD_CHALLENGE", sha1(answer[1] + sha1(PASSWORDS["otto"])))
        answer = guest.take()
    if answer[0] == "LOGIN":
        guest.until("TIME")
        guest.leave()
    return answer


def quick_login(people: People, server: ServerProcess) -> LobbyClient:
    """An unregistered player, who must not wait."""
    began = time.monotonic()
    player = people.player(server)
    assert time.monotonic() - began < 1.5
    return player


def check_trouble(people: People, server: ServerProcess) -> None:
    """Unregistered players come and play; accounts get a clear error; account names are not given away."""
    player = quick_login(people, server)
    people.game(server, owner=player)
    began = time.monotonic()
    answer = account_login(people, server)
    assert time.monotonic() - began < 3
    assert answer[0] == "ERROR", answer
    assert answer[1] in ("LOGIN", "PWD_CHALLENGE")
    assert answer[2] != "WRONG_PASSWORD", "the password is right, it is the server's fault"
    for _ in range(3):
        account_login(people, server)
        quick_login(people, server)
    assert player.round_trip() < 0.5


def check_recovery(people: People, server: ServerProcess) -> None:
    wait_for(
        lambda: account_login(people, server) == ("LOGIN", "otto", "REGISTERED"),
        8.0,
        "accounts to work again",
    )


def warned(server: ServerProcess, since: int) -> bool:
    """Whether the log tells of the database."""
    return "database" in server.log[since:].lower()


def test_locked_for_seconds(start: Start, people: People) -> None:
    """Another program writes for long: nobody waits, and a ban given meanwhile is kept."""
    server = start(IMPATIENT)
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    bad: LobbyClient | None = people.player(server, source="127.0.9.1")
    with closing(sqlite3.connect(server.state_dir / "wlnet.sqlite3", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        while time.monotonic() - began < 1:
            quick_login(people, server)
            answer = account_login(people, server)
            assert answer[2] in ("REGISTERED", "ACCOUNTS_UNAVAILABLE"), answer
            guest = people.guest(server)
            guest.send("LOGIN", "6", "erna", "1.2.1", "false", "not erna")
            assert guest.take()[:2] != ("LOGIN", "erna"), (
                "the name of an account, given away while nobody looks"
            )
            if bad is not None:
                boss.send("CMD", "ban", bad.name)
                assert boss.next()[0] == "CHAT"
                bad.last_words()
                bad = None
        guest = people.guest(server, source="127.0.9.1")
        guest.send("LOGIN", "6", "bad", "1.2.1", "false", "n")
        assert guest.last_words() == [("ERROR", "LOGIN", "BANNED")]
        assert boss.round_trip() < 0.5
        lock.execute("ROLLBACK")
    check_recovery(people, server)
    wait_for(
        lambda: "127.0.9.1" in wlnet("ban", "list", state_dir=server.state_dir), 5, "the ban to be stored"
    )


@pytest.mark.parametrize("way", ["garbage", "directory", "empty"])
def test_replaced_by_something_else(start: Start, people: People, way: str) -> None:
    server = start(IMPATIENT)
    file: Path = server.state_dir / "wlnet.sqlite3"
    assert account_login(people, server)[0] == "LOGIN"
    good = [(one, one.read_bytes()) for one in server.state_dir.glob("wlnet.sqlite3*")]
    said = len(server.log)
    for one, _ in good:
        one.unlink()
    if way == "garbage":
        file.write_bytes(b"this is no database, " * 1000)
    elif way == "directory":
        file.mkdir()
    else:
        file.write_bytes(b"")
    time.sleep(0.5)
    if way != "empty":
        check_trouble(people, server)
        assert warned(server, said)
    else:
        quick_login(people, server)
        answer = account_login(people, server)
        assert answer[0] in ("ERROR", "LOGIN")
    if way == "directory":
        file.rmdir()
    for one in server.state_dir.glob("wlnet.sqlite3*"):
        one.unlink()
    for one, content in good:
        one.write_bytes(content)
    check_recovery(people, server)


def test_broken_from_the_start(start: Start, people: People, tmp_path: Path) -> None:
    """The log says so, and everybody without account plays."""
    (tmp_path / "wlnet.sqlite3").write_bytes(b"this is no database, " * 1000)
    server = start(IMPATIENT, state_dir=tmp_path)
    quick_login(people, server)
    assert account_login(people, server)[0] == "ERROR"
    assert warned(server, 0)
