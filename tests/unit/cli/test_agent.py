"""Arguments of `wlnet agent`, its sentences, its JSON, its block on the terminal, and giving up root."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import types
from typing import get_args

import msgspec
import pytest

from wlnet.agent import news
from wlnet.agent.news import News
from wlnet.cli import agent, main
from wlnet.cli.agent_game import with_options
from wlnet.cli.agent_json import line
from wlnet.cli.agent_text import AgentBoard, sentence
from wlnet.cli.playing import UsageError
from wlnet.client.lobby.address import LobbyAddress
from wlnet.client.paths.words import MoveReason
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.steering.model import Family, PathKind, Technique, Transport

LOBBY = ["--lobby", "tls://lobby.example.org"]
OPTIONS = ["--metaserver=127.0.0.1", "--metaserverport=4711"]
PUNCHED = PathNews(
    kind=PathKind.PUNCHED,
    technique=Technique.PUNCH,
    transport=Transport.UDP,
    family=Family.V4,
    rtt=0.0437,
    setup=1.25,
    moved=MoveReason.BETTER,
    reason="The game goes directly, through both routers.",
)
EVERYTHING: list[tuple[News, str]] = [
    (news.Listening(lobby_port=7395, relay_port=7397), "metaserver is 127.0.0.1, port 7395"),
    (news.LobbyKnown(exchange=True), "can connect players directly"),
    (news.LobbyKnown(exchange=False), "nothing but its relay"),
    (news.Online(player="ann"), "ann is in the lobby"),
    (news.Offline(player="ann", reason="Lost.", left=False), "ann: Lost. Games under way go on."),
    (news.Offline(player="ann", reason="Left.", left=True), "ann has left the lobby."),
    (news.Hosting(game="duel"), "'duel' is open"),
    (news.Hosted(game="duel", reason=""), "'duel' is closed."),
    (news.Joining(game="duel", over_path=True, reason=""), "without the public relay"),
    (news.Joining(game="duel", over_path=False, reason="its host has no agent"), "its host has no agent."),
    (news.LeftGame(game="duel", reason=""), "'duel' was left."),
    (
        news.GuestPath(game="duel", other="bob", news=PUNCHED),
        "bob: punched (punch, UDP over IPv4), 44 ms. The",
    ),
    (news.GuestPath(game="duel", other="bob", news=PathGone(reason="Nothing comes.")), "bob: Nothing comes."),
    (news.Parted(game="duel", other="bob", reason="He left."), "bob is gone. He left."),
    (news.Note(text="Something."), "Something."),
]


def parsed(*words: str) -> argparse.Namespace:
    return main.make_parser("agent").parse_args(["agent", *words])


def test_arguments() -> None:
    given = parsed(*LOBBY, "--grace", "300", "--no-mapping", "--", "widelands", "--fullscreen", "--", "x")
    assert given.lobby == LobbyAddress("lobby.example.org", 7394, tls=True)
    assert (given.lobby_port, given.relay_port, given.public_relay_port) == (7395, 7397, 7397)
    assert (given.grace, given.no_mapping, given.relay_only, given.log) == (300.0, True, False, None)
    assert given.command[-4:] == ["widelands", "--fullscreen", "--", "x"]
    assert parsed(*LOBBY).command == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--lobby"),
        (["--lobby", "http://lobby.example.org"], "lobby.example.org"),
        ([*LOBBY, "--lobby-port", "70000"], "is no port"),
        ([*LOBBY, "--relay-port", "x"], "is no port"),
        ([*LOBBY, "--grace", "5"], "15 to 3600"),
        ([*LOBBY, "--grace", "forever"], "15 to 3600"),
    ],
)
def test_wrong_usage(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(*words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_everything_has_a_sentence_and_a_json_line() -> None:
    assert {type(one) for one, _ in EVERYTHING} == set(get_args(News))
    for one, words in EVERYTHING:
        assert words in sentence(one)
        said = json.loads(line(one, 12.3456789))
        assert said["at"] == 12.345679
        if not isinstance(one, news.GuestPath):
            assert said["event"].replace("-", "") == type(one).__name__.lower()
            assert {key for key in said if key not in ("event", "at")} == set(msgspec.structs.asdict(one))


def test_paths_as_json() -> None:
    assert json.loads(line(news.GuestPath(game="duel", other="bob", news=PUNCHED), 1)) == {
        "event": "path",
        "game": "duel",
        "peer": "bob",
        "path": "punched",
        "technique": "punch",
        "transport": "udp",
        "family": 4,
        "rtt_ms": 43.7,
        "setup_ms": 1250.0,
        "moved": "better",
        "reason": "The game goes directly, through both routers.",
        "at": 1.0,
    }
    gone = json.loads(line(news.GuestPath(game="duel", other="bob", news=PathGone(reason="Away.")), 1))
    assert gone == {"event": "path-gone", "game": "duel", "peer": "bob", "reason": "Away.", "at": 1.0}


@pytest.mark.parametrize("evil", ["\x1b[2J\x07", "a\nb", "\udcff\u202e"])
def test_names_cannot_disturb_a_terminal(evil: str) -> None:
    board = AgentBoard(lambda game, other: (0, 0))
    for one in (
        news.Online(player=evil),
        news.Hosting(game=evil),
        news.GuestPath(game=evil, other=evil, news=PathGone(reason=evil)),
        news.Note(text=evil),
    ):
        board.take(one)
        assert sentence(one).isprintable()
        sentence(one).encode()
    assert all(text.isprintable() and text.encode() for text in board.lines(80))


def test_the_block_on_the_terminal() -> None:
    board = AgentBoard(lambda game, other: (23_600, 1_200_000))
    board.take(news.Listening(lobby_port=7395, relay_port=7397))
    board.take(news.Online(player="ann"))
    board.take(news.Hosting(game="duel"))
    board.take(news.GuestPath(game="duel", other="bob", news=PUNCHED))
    assert board.lines(100) == [
        "wlnet agent · metaserver for the game: 127.0.0.1 port 7395",
        "  ann: in the lobby",
        "  game 'duel': hosted here",
        "    bob  punched (punch, UDP over IPv4), 44 ms  23.6 kB sent, 1.2 MB received",
        "      The game goes directly, through both routers.",
        "  Ctrl-C stops",
    ]
    assert max(map(len, board.lines(30))) == 30
    board.take(news.Offline(player="ann", reason="Lost.", left=False))
    assert "  ann: the lobby is away" in board.lines(100)
    board.take(news.GuestPath(game="duel", other="bob", news=PathGone(reason="Nothing comes.")))
    assert any("Nothing comes." in text for text in board.lines(100))
    board.take(news.Parted(game="duel", other="bob", reason=""))
    board.take(news.Hosted(game="duel", reason=""))
    board.take(news.Offline(player="ann", reason="Left.", left=True))
    assert board.lines(100)[1:] == ["  Ctrl-C stops"]


def test_the_block_stays_small() -> None:
    board = AgentBoard(lambda game, other: (0, 0))
    for number in range(100):
        board.take(news.Online(player=f"ann{number}"))
        board.take(news.Joining(game=f"duel{number}", over_path=True, reason=""))
        board.take(news.GuestPath(game="duel", other=f"bob{number}", news=PUNCHED))
    assert len(board.lines(80)) == 1 + 4 + 4 + 2 * 12 + 1
    assert board.size < 200


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["widelands"], ["widelands", *OPTIONS]),
        (["/usr/games/widelands", "--x"], ["/usr/games/widelands", "--x", *OPTIONS]),
        (["Widelands.exe"], ["Widelands.exe", *OPTIONS]),
        (["widelands", "--metaserver=x"], ["widelands", "--metaserver=x"]),
        (["sh", "-c", "true"], ["sh", "-c", "true"]),
    ],
)
def test_the_options_of_the_game(words: list[str], whole: list[str]) -> None:
    assert with_options(words, 4711) == whole


class Rights:
    """The system calls, noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, uid: int = 0, readable: bool = True) -> None:
        self.calls: list[tuple[str, object]] = []
        self._entry = pwd.struct_passwd(("ann", "x", 1001, 1002, "", "/home/ann", "/bin/sh"))
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        monkeypatch.setattr(os, "getgroups", lambda: [0, 4])
        monkeypatch.setattr(os, "getegid", lambda: 0)
        monkeypatch.setattr(os, "access", lambda *_, **__: readable)
        monkeypatch.setattr(pwd, "getpwnam", self._find)
        monkeypatch.setattr(agent, "os", self._os())
        monkeypatch.setenv("HOME", "/root")

    def _find(self, name: str) -> pwd.struct_passwd:
        if name == "root":
            return pwd.struct_passwd(("root", "x", 0, 0, "", "/root", "/bin/sh"))
        if name not in ("ann", "nobody"):
            raise KeyError(name)
        return self._entry

    def _os(self) -> types.SimpleNamespace:
        noted = {
            name: lambda value, name=name: self.calls.append((name, value))
            for name in ("setgroups", "setgid", "setuid", "setegid", "seteuid")
        }
        return types.SimpleNamespace(**{**vars(os), **noted})

    @property
    def final(self) -> list[tuple[str, object]]:
        return [call for call in self.calls if call[0] in ("setgid", "setuid")]


@pytest.mark.parametrize(("user", "sudo"), [("ann", None), (None, "ann"), (None, None), ("ann", "root")])
def test_root_is_given_up(monkeypatch: pytest.MonkeyPatch, user: str | None, sudo: str | None) -> None:
    rights = Rights(monkeypatch)
    monkeypatch.delenv("SUDO_USER", raising=False)
    if sudo is not None:
        monkeypatch.setenv("SUDO_USER", sudo)
    agent._drop_root(user)
    assert rights.final == [("setgid", 1002), ("setuid", 1001)]  # the group first: later it is too late
    assert rights.calls[-3] == ("setgroups", [])
    assert os.environ["HOME"] == "/home/ann"


def test_who_is_not_root_stays_who_he_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rights = Rights(monkeypatch, uid=1000)
    agent._drop_root(None)
    agent._drop_root("ann")
    assert rights.calls == []


def test_users_who_will_not_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rights = Rights(monkeypatch, readable=False)
    with pytest.raises(UsageError, match="There is no user"):
        agent._drop_root("mallory")
    with pytest.raises(UsageError, match="cannot read the program"):
        agent._drop_root("ann")
    monkeypatch.delenv("SUDO_USER", raising=False)
    agent._drop_root(None)
    assert "runs as root" in capsys.readouterr().err
    assert rights.final == []
    assert rights.calls[-3:] == [("seteuid", 0), ("setegid", 0), ("setgroups", [0, 4])]
