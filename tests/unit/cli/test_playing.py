"""Arguments of `wlnet host` and `wlnet join`, and where the password comes from."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from pathlib import Path

import pytest

from wlnet.cli import main
from wlnet.cli.playing import UsageError, read_identity, read_password
from wlnet.client.forward.places import Place, Target, Traffic
from wlnet.client.lobby.address import LobbyAddress

LOBBY = ["--lobby", "tls://lobby.example.org"]


def parsed(*words: str) -> argparse.Namespace:
    return main.make_parser(words[0]).parse_args(words)


def test_what_a_host_says() -> None:
    given = parsed("host", "duel", *LOBBY, "--udp", "127.0.0.1:5029", "--name", "ann", "--birthday")
    assert (given.game, given.name, given.birthday, given.json) == ("duel", "ann", True, False)
    assert given.lobby == LobbyAddress("lobby.example.org", 7394, tls=True)
    assert given.target == Target(Traffic.UDP, ("127.0.0.1",), 5029)


def test_what_a_guest_says() -> None:
    given = parsed("join", "duel", *LOBBY)
    assert given.listen == Place(None, "127.0.0.1", 0)
    assert (given.rejoin, given.expose, given.ca) == (120.0, False, None)
    assert parsed("join", "duel", *LOBBY, "--ca-file", "x").ca == "x"


@pytest.mark.parametrize("user", ["Jürgen Müller", "", "x" * 100])
def test_the_name_of_the_user_is_one_the_lobby_takes(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: user)
    name = parsed("join", "duel", *LOBBY).name
    assert 1 <= len(name) <= 40
    assert name.isascii()
    assert name.isalnum()


@pytest.mark.parametrize("word", ["", "a\nb", "\udcff", "\x1b[2J"])
def test_names_nobody_could_read(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("join", word, *LOBBY), ("join", "duel", *LOBBY, "--name", word)):
        with pytest.raises(SystemExit) as ended:
            parsed(*words)
        assert ended.value.code == 2
        assert "is no name" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["host", "join"])
def test_help_is_complete(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(command, "--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for word in ("--lobby", "--relay-only", "--password-file", "Exit status", f"wlnet {command} "):
        assert word in text


def test_a_player_does_not_load_what_operators_need() -> None:
    program = (
        "import sys; from wlnet.cli.main import make_parser; make_parser('join');"
        "print([name for name in ('sqlalchemy', 'aioquic', 'twisted') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "[]\n"


class TestPassword:
    def of(self, *words: str) -> str | None:
        return read_password(parsed("join", "duel", *LOBBY, *words))

    def test_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WLNET_PASSWORD", raising=False)
        assert self.of() is None

    def test_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WLNET_PASSWORD", "geheim")
        assert self.of() == "geheim"

    def test_of_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "p").write_bytes("gänz geheim\r\nmore\n".encode())
        assert self.of("--password-file", str(tmp_path / "p")) == "gänz geheim"

    def test_of_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"geheim\n")))
        assert self.of("--password-file", "-") == "geheim"

    @pytest.mark.parametrize(("content", "complaint"), [(b"\n", "empty"), (b"\xff\n", "UTF-8")])
    def test_of_a_file_without_one(self, tmp_path: Path, content: bytes, complaint: str) -> None:
        (tmp_path / "p").write_bytes(content)
        with pytest.raises(UsageError, match=complaint):
            self.of("--password-file", str(tmp_path / "p"))

    def test_nobody_to_be_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("geheim\n"))
        with pytest.raises(UsageError, match="Nobody can be asked"):
            self.of("--ask-password")


class TestIdentity:
    def test_a_new_one_each_time(self) -> None:
        assert len(read_identity(None)) == 32
        assert read_identity(None) != read_identity(None)

    def test_kept_in_a_file_nobody_else_reads(self, tmp_path: Path) -> None:
        file = tmp_path / "identity"
        first = read_identity(str(file))
        assert read_identity(str(file)) == first
        assert file.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("content", [b"", b"hello", b"0" * 200, b"\xff" * 32])
    def test_a_file_of_something_else(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "identity"
        file.write_bytes(content)
        with pytest.raises(UsageError, match="no file of --identity"):
            read_identity(str(file))
        assert file.read_bytes() == content

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="No such file"):
            read_identity(str(tmp_path / "none" / "identity"))
