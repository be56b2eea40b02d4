"""``wlnet user``, ``wlnet ban`` and ``wlnet mute`` as an operator meets them: real processes, a real file."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wlnet.accounts.database import open_database
from wlnet.accounts.store import SqlAccountStore
from wlnet.config import schema
from wlnet.lobby.ports import Account, Permission

DEADLINE = 60
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "wlnet.toml").write_text(f'[server]\nstate_dir = "{tmp_path}"\n')

    def run(*arguments: str, stdin: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [sys.executable, "-m", "wlnet.cli.main", *arguments, "--config", str(tmp_path / "wlnet.toml")],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=DEADLINE,
            env={**os.environ, **environment},
            check=False,
        )
        out, err = ended.stdout.decode(), ended.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(ended.args, ended.returncode, out, err)

    return run


def accounts(folder: Path) -> SqlAccountStore:
    return SqlAccountStore(
        open_database(schema.Database(), schema.Server(state_dir=str(folder))),
        name_length=40,
        password_length=128,
    )


def listed(run: Run, *arguments: str) -> list[dict[str, Any]]:
    ended = run(*arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


# -- wlnet user -----------------------------------------------------------------------------------


def test_the_life_of_an_account(run: Run, tmp_path: Path) -> None:
    made = run("user", "add", "otto", "--permission", "registered", "--password-stdin", stdin="abc\n")
    assert (made.returncode, made.stdout, made.stderr) == (0, "Made the registered account otto.\n", "")
    digest = "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert accounts(tmp_path).find("otto") == Account("otto", Permission.REGISTERED, digest)

    assert run("user", "permission", "otto", "superuser").returncode == 0
    assert run("user", "passwd", "otto", "--password-stdin", stdin="other").returncode == 0
    found = accounts(tmp_path).find("otto")
    assert found is not None
    assert found.permission is Permission.SUPERUSER
    assert accounts(tmp_path).password_matches("otto", "other")

    [entry] = listed(run, "user", "list")
    assert (entry["name"], entry["permission"]) == ("otto", "SUPERUSER")
    assert "otto  superuser" in run("user", "list").stdout

    assert run("user", "remove", "otto", "--yes").returncode == 0
    assert "There are no accounts" in run("user", "list").stdout


def test_a_database_file_is_made_for_the_owner_only(run: Run, tmp_path: Path) -> None:
    run("user", "list")
    assert (tmp_path / "wlnet.sqlite3").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "says"),
    [
        (["user", "add", "otto", "--password-stdin"], "abc", 1, "an account otto already"),
        (["user", "add", "two words", "--password-stdin"], "abc", 2, "letters, digits"),
        (["user", "add", "team", "--password-stdin"], "abc", 2, "reserved"),
        (["user", "add", "x" * 41, "--password-stdin"], "abc", 2, "longer than 40"),
        (["user", "add", "new", "--password-stdin"], "", 2, "password is empty"),
        (["user", "add", "new", "--password-stdin"], b"\xff\xfe", 2, "not UTF-8"),
        (["user", "add", "new"], "abc", 2, "--password-stdin"),
        (["user", "add", "new", "--permission", "king"], "abc", 2, "invalid choice"),
        (["user", "passwd", "nobody", "--password-stdin"], "abc", 1, "no account nobody"),
        (["user", "passwd", "Otto", "--password-stdin"], "abc", 1, "small letters count"),
        (["user", "remove", "otto"], "y\n", 2, "--yes"),
        (["user", "remove", "nobody", "--yes"], "", 1, "no account nobody"),
        (["user", "permission", "nobody", "registered"], "", 1, "no account nobody"),
        (["user", "list", "--set", "database.url=sqlite:////nowhere/at/all/x.db"], "", 1, "create it"),
        (["user", "list", "--set", "database.url=nosuch://x/y"], "", 2, "database.url"),
        (["user", "list", "--set", "database.threads=no"], "", 2, "database.threads"),
        (["user"], "", 2, "usage"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Run, tmp_path: Path, arguments: list[str], stdin: str | bytes, status: int, says: str
) -> None:
    accounts(tmp_path).add("otto", Permission.REGISTERED, "first")
    ended = run(*arguments, stdin=stdin)
    assert ended.returncode == status, ended.stderr
    assert says in ended.stderr
    assert ended.stdout == ""
    assert [entry.name for entry in accounts(tmp_path).entries()] == ["otto"]
    assert accounts(tmp_path).password_matches("otto", "first")


@pytest.mark.parametrize("name", [b"\xff", b"\x1b[31m"])
@pytest.mark.parametrize(
    "command", [["passwd", "--password-stdin"], ["remove", "--yes"], ["add", "--password-stdin"]]
)
def test_names_that_are_no_text(run: Run, name: bytes, command: list[str]) -> None:
    ended = run("user", *command, os.fsdecode(name), stdin="abc")
    assert ended.returncode in (1, 2)
    assert "\x1b" not in ended.stderr


def test_a_damaged_database_says_what_to_do(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wlnet.sqlite3").write_bytes(b"garbage" * 1000)
    ended = run("user", "list")
    assert ended.returncode == 1
    assert "restore a back-up" in ended.stderr


def test_a_newer_database_says_what_to_do(run: Run, tmp_path: Path) -> None:
    run("user", "list")
    with sqlite3.connect(tmp_path / "wlnet.sqlite3") as raw:
        raw.execute("UPDATE schema_version SET version = 99")
    ended = run("ban", "list")
    assert ended.returncode == 1
    assert "newer" in ended.stderr


def on_a_terminal(
    tmp_path: Path, arguments: list[str], dialogue: list[tuple[bytes, bytes]]
) -> tuple[int, bytes]:
    """Run a command on a terminal of its own; *dialogue* is what to wait for and what to type then."""
    command = [sys.executable, "-m", "wlnet.cli.main", *arguments, "--set", f"server.state_dir={tmp_path}"]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, command)
    shown = b""
    deadline = time.monotonic() + DEADLINE
    seen = 0
    while time.monotonic() < deadline:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the child has ended
            break
        if dialogue and dialogue[0][0] in shown[seen:]:
            seen = len(shown)
            os.write(terminal, dialogue.pop(0)[1])
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    asked = [(b"Password: ", b"hush-hush\n"), (b"again: ", b"hush-hush\n")]
    status, shown = on_a_terminal(tmp_path, ["user", "add", "otto"], asked)
    assert status == 0, shown
    assert b"hush-hush" not in shown
    assert accounts(tmp_path).password_matches("otto", "hush-hush")


def test_two_passwords_that_differ_change_nothing(tmp_path: Path) -> None:
    status, shown = on_a_terminal(
        tmp_path, ["user", "add", "otto"], [(b"Password: ", b"one\n"), (b"again: ", b"two\n")]
    )
    assert status == 2
    assert b"differ" in shown
    assert accounts(tmp_path).find("otto") is None


@pytest.mark.parametrize(("typed", "status", "left"), [(b"y\n", 0, 0), (b"\n", 1, 1)])
def test_removing_asks(tmp_path: Path, typed: bytes, status: int, left: int) -> None:
    accounts(tmp_path).add("otto", Permission.REGISTERED, "abc")
    assert on_a_terminal(tmp_path, ["user", "remove", "otto"], [(b"[y/N]", typed)])[0] == status
    assert len(accounts(tmp_path).entries()) == left


# -- wlnet ban, wlnet mute ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ban", "mute"])
def test_the_life_of_a_sanction(run: Run, kind: str) -> None:
    added = run(kind, "add", "--address", "2001:db8::7", "--for", "2h", "--reason", "größer", "--by", "chief")
    assert added.returncode == 0, added.stderr
    sanction_id = added.stdout.partition(":")[0]
    [entry] = listed(run, kind, "list")
    assert entry["id"] == sanction_id
    assert (entry["kind"], entry["target"], entry["value"]) == (kind, "address", "2001:db8::/64")
    assert (entry["reason"], entry["by"]) == ("größer", "chief")
    assert entry["expires_at"] - entry["created_at"] == 7200
    table = run(kind, "list").stdout
    assert sanction_id in table
    assert "größer" in table

    lifted = run(kind, "lift", sanction_id, "--by", "mercy")
    assert lifted.returncode == 0, lifted.stderr
    assert listed(run, kind, "list") == []
    [entry] = listed(run, kind, "list", "--all")
    assert entry["lifted_by"] == "mercy"
    again = run(kind, "lift", sanction_id)
    assert again.returncode == 1
    assert "by mercy" in again.stderr


@pytest.mark.parametrize(
    ("target", "value", "kept"),
    [
        ("address", "::ffff:192.0.2.1", "192.0.2.1"),
        ("network", "192.0.2.7/24", "192.0.2.0/24"),
        ("account", "Peter", "Peter"),
        ("name", "otto", "otto"),
    ],
)
def test_every_target(run: Run, target: str, value: str, kept: str) -> None:
    assert run("ban", "add", f"--{target}", value).returncode == 0
    [entry] = listed(run, "ban", "list")
    assert (entry["target"], entry["value"], entry["expires_at"]) == (target, kept, None)
    assert entry["by"].endswith("command line)") or entry["by"] == "command line"
    assert listed(run, "mute", "list") == []


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["add"], 2, "one of the arguments"),
        (["add", "--name", "a", "--account", "b"], 2, "not allowed with"),
        (["add", "--address", "nonsense"], 2, "no IP address"),
        (["add", "--address", "192.0.2.0/24"], 2, "network"),
        (["add", "--network", "0.0.0.0/0"], 2, "too wide"),
        (["add", "--name", "otto", "--for", "soon"], 2, "soon"),
        (["add", "--name", "otto", "--for", "0s"], 2, "more than 0"),
        (["add", "--name", "otto", "--reason", "x" * 501], 2, "500"),
        (["add", "--name", "otto", "--reason", "a\x1b[2Jb"], 2, "cannot be shown"),
        (["add", "--name", "otto", "--by", ""], 2, "--by"),
        (["add", "--name", "otto", "--set", "moderation.max_entries=1"], 1, "max_entries"),
        (["lift", "nothing"], 1, 'no ban "nothing"'),
        (["lift", os.fsdecode(b"\xff\x1b")], 1, "no ban"),
        (["lift", "themute"], 1, "wlnet mute lift themute"),
    ],
)
def test_what_cannot_be_banned_is_said(
    run: Run, tmp_path: Path, arguments: list[str], status: int, says: str
) -> None:
    run("mute", "add", "--name", "talker")
    with sqlite3.connect(tmp_path / "wlnet.sqlite3") as raw:
        raw.execute("UPDATE sanctions SET id = 'themute'")
    ended = run("ban", *arguments)
    assert ended.returncode == status, ended.stderr
    assert says in ended.stderr
    assert "\x1b" not in ended.stderr
    assert listed(run, "ban", "list") == []
    assert len(listed(run, "mute", "list")) == 1


def test_a_terminal_without_the_letters(run: Run) -> None:
    run("ban", "add", "--name", "otto", "--reason", "größer")
    ended = run("ban", "list", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert r"gr\xf6\xdfer" in ended.stdout
