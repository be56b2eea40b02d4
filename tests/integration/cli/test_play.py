"""`wlnet host` and `wlnet join` with a real server on loopback, and games that echo."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.player_process import EchoGame, PlayerProcess, exchange
from tests.support.server_process import PROGRAMS, ServerProcess, add_account

MEGABYTE = Random(1).randbytes(1_000_000)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    add_account(folder, "otto", "geheim")
    certificate, key = authority.issue()
    running = ServerProcess(
        folder,
        {
            "tls.certificate": str(certificate),
            "tls.key": str(key),
            "tls.lobby_port": 0,
            "tls.pairs_port": 0,
        },
    )
    try:
        yield running
        assert running.stop() == 0
    finally:
        running.kill()
    running.check_log()


class Players:
    """Starts programs and games, and ends them.

    :ivar name: of a game nobody had before: one whose host was killed stays listed for a while.
    """

    _numbers = count(1)

    def __init__(self, server: ServerProcess, stack: ExitStack) -> None:
        self.name = f"duel {next(self._numbers)}"
        self.lobby = f"tcp://127.0.0.1:{server.port('lobby')}"
        self._stack = stack

    def game(self, traffic: str) -> EchoGame:
        return self._stack.enter_context(EchoGame(traffic))

    def run(
        self, *words: str, json: bool = True, environment: dict[str, str] | None = None, stdin: str = ""
    ) -> PlayerProcess:
        lobby = () if "--lobby" in words else ("--lobby", self.lobby)
        process = PlayerProcess(*words, *lobby, json=json, environment=environment, stdin=stdin)
        return self._stack.enter_context(process)

    def host(self, traffic: str, place: str, *words: str) -> PlayerProcess:
        host = self.run("host", self.name, "--name", "ann", f"--{traffic}", place, "--no-mapping", *words)
        host.event("hosting")
        return host

    def join(self, *words: str, name: str = "bob") -> tuple[PlayerProcess, int]:
        join = self.run("join", self.name, "--name", name, "--no-mapping", *words)
        return join, int(join.event("listening")["port"])


@pytest.fixture
def players(server: ServerProcess) -> Iterator[Players]:
    with ExitStack() as stack:
        yield Players(server, stack)


def test_a_megabyte_through_tcp_a_half_close_and_goodbye(players: Players) -> None:
    game = players.game("tcp")
    host = players.host("tcp", game.place)
    join, port = players.join("--listen", "tcp:127.0.0.1:0")
    assert exchange(port, MEGABYTE) == MEGABYTE
    assert exchange(port, b"once more") == b"once more"
    path = join.event("path")
    assert path["peer"].startswith("ann")
    assert path["path"] in ("relayed", "direct")
    assert path["family"] in (4, 6)
    assert path["reason"].endswith(".")
    join.until(lambda: any(one["path"] == "direct" for one in join.said("path")))
    assert join.event("ended", 60)["reason"] == "connected"
    code, seconds = join.stop()
    assert (code, seconds < 2.5) == (0, True)
    assert join.events[-1]["event"] == "closed"
    assert join.events[-1]["code"] == 0
    gone = host.event("peer-gone")
    assert gone["received"] == 1_000_009
    code, seconds = host.stop(signal.SIGTERM)
    assert (code, seconds < 2.5) == (0, True)
    assert host.events[-1]["event"] == "closed"
    at = [event["at"] for event in host.events]
    assert at == sorted(at)


def test_datagrams_of_several_programs(players: Players) -> None:
    game = players.game("udp")
    players.host("udp", game.place)
    _, port = players.join("--listen", "udp:127.0.0.1:0")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(50)]
        for number, one in enumerate(sockets):
            one.settimeout(10)
            for size in (0, 10, 1400, 9000):
                said = number.to_bytes(2, "big") + bytes(size)
                one.sendto(said, ("127.0.0.1", port))
                assert one.recv(65536) == said
    assert len(game.sources) == 50


def test_fifty_connections_at_once(players: Players) -> None:
    game = players.game("tcp")
    players.host("tcp", game.place)
    _, port = players.join("--listen", "tcp:127.0.0.1:0")
    contents = [Random(number).randbytes(20_000) for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(lambda data: exchange(port, data), contents)) == contents
    assert game.connections == 50


def test_a_host_who_crashed_gets_name_and_game_back(players: Players, tmp_path: Path) -> None:
    game = players.game("tcp")
    words = ("--identity", str(tmp_path / "identity"))
    first = players.host("tcp", game.place, *words)
    name = first.event("lobby")["name"]
    first.kill()
    second = players.host("tcp", game.place, *words)
    assert second.event("lobby")["name"] == name
    _, port = players.join()
    assert exchange(port, b"hello") == b"hello"


def test_a_game_that_connects_before_there_is_a_host(players: Players) -> None:
    game = players.game("tcp")
    host = players.host("tcp", game.place)
    join, port = players.join()
    assert join.said("path") == []
    assert exchange(port, b"early") == b"early"
    host.process.send_signal(signal.SIGINT)
    assert join.wait(15) == 0
    assert "over" in join.said("closed")[0]["reason"]


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_games_that_speak_ipv6_on_both_sides(players: Players, kind: int) -> None:
    with socket.socket(socket.AF_INET6, kind) as game, socket.socket(socket.AF_INET6, kind) as mine:
        game.bind(("::1", 0))
        game.settimeout(10)
        mine.settimeout(10)
        traffic = "tcp" if kind == socket.SOCK_STREAM else "udp"
        players.host(traffic, f"[::1]:{game.getsockname()[1]}")
        join, port = players.join("--listen", "[::1]:0")
        if traffic == "tcp":
            game.listen()
        mine.connect(("::1", port))
        mine.send(b"question")
        assert join.event("listening")["address"] == "::1"
        if traffic == "tcp":
            other, _ = game.accept()
            with other:
                assert other.recv(100) == b"question"
                other.send(b"answer")
        else:
            data, source = game.recvfrom(100)
            assert data == b"question"
            game.sendto(b"answer", source)
        assert mine.recv(100) == b"answer"


def test_no_game_at_the_host(players: Players) -> None:
    with socket.socket() as nothing:
        nothing.bind(("127.0.0.1", 0))
        host = players.host("tcp", f"127.0.0.1:{nothing.getsockname()[1]}")
        join, port = players.join()
        with pytest.raises(ConnectionResetError):
            exchange(port, b"hello")
        assert "Is it running" in host.event("warning")["text"]
        assert "is the game running there" in join.event("warning")["text"]


def test_over_tls_with_an_account(
    players: Players, server: ServerProcess, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("geheim\n")
    game = players.game("tcp")
    lobby = ("--lobby", f"tls://127.0.0.1:{server.port('lobby-tls')}", "--ca", str(authority.file))
    host = players.run(
        "host", players.name, "--name", "otto", "--password-file", str(tmp_path / "password"),
        "--tcp", game.place, *lobby,
    )  # fmt: skip
    assert host.event("lobby")["name"] == "otto"
    host.event("hosting")
    _, port = players.join(*lobby, "--relay-only")
    assert exchange(port, b"hello") == b"hello"


def test_a_certificate_nobody_vouches_for(players: Players, server: ServerProcess) -> None:
    lobby = f"tls://127.0.0.1:{server.port('lobby-tls')}"
    join = players.run("join", "duel", "--lobby", lobby)
    assert join.wait() == 1
    assert "certificate" in join.said("closed")[0]["reason"]
    assert "--ca" in join.said("closed")[0]["reason"]


@pytest.mark.parametrize(
    ("how", "words", "reason"),
    [
        ({"stdin": "falsch\n"}, ("--name", "otto", "--password-file", "-"), "name and password"),
        ({"environment": {"WLNET_PASSWORD": "falsch"}}, ("--name", "otto"), "name and password"),
        ({}, ("--name", "sp ace"), "does not accept this name"),
        ({}, (), "Ask its host for the exact name"),
    ],
)
def test_what_fails_says_what_to_do(
    players: Players, how: dict[str, Any], words: tuple[str, ...], reason: str
) -> None:
    join = players.run("join", "nothing", *words, **how)
    assert join.wait(45) == 1
    assert reason in join.said("closed")[0]["reason"]
    assert join.events[-1]["event"] == "closed"


def test_a_port_that_is_taken(players: Players) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"tcp:127.0.0.1:{taken.getsockname()[1]}"
        join = players.run("join", "duel", "--listen", place)
        assert join.wait() == 1
    assert "Choose another one" in join.said("closed")[0]["reason"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("join", "duel"), "--lobby"),
        (("join", "duel", "--lobby", "http://x"), "begins with tcp:// or tls://"),
        (("join", "duel", "--lobby", "tcp://x", "--listen", "7396"), "no address and port"),
        (("join", "duel", "--lobby", "tcp://x", "--listen", "0.0.0.0:7396"), "--expose"),
        (("join", "duel", "--lobby", "tcp://x", "--rejoin", "soon"), "no number of seconds"),
        (("host", "duel", "--lobby", "tcp://x"), "--tcp --udp is required"),
        (("host", "duel", "--lobby", "tcp://x", "--tcp", "127.0.0.1:0"), "from 1 to 65535"),
        (("host", "duel", "--lobby", "tcp://x", "--tcp", "127.0.0.1:1", "--ca", "/none"), "No such file"),
        (
            ("host", "duel", "--lobby", "tcp://x", "--tcp", "127.0.0.1:1", "--ca", "/dev/null"),
            "no certificate",
        ),
        (
            ("host", "duel", "--lobby", "tcp://x", "--tcp", "127.0.0.1:1", "--password-file", "/none"),
            "No such file",
        ),
    ],
)
def test_wrong_usage(words: tuple[str, ...], complaint: str) -> None:
    with PlayerProcess(*words) as process:
        assert process.wait() == 2
        assert complaint in process.errors
        assert process.lines == []


def test_without_the_packages_for_players_it_says_which_to_install(tmp_path: Path) -> None:
    (tmp_path / "aioquic.py").write_text("raise ModuleNotFoundError('no', name='aioquic')\n")
    words = ("host", "duel", "--lobby", "tcp://localhost", "--tcp", "127.0.0.1:1")
    with PlayerProcess(*words, environment={"PYTHONPATH": str(tmp_path)}) as process:
        assert process.wait() == 1
        assert "pip install 'wlnet[client]'" in process.errors


def test_asked_twice_it_leaves_once(players: Players) -> None:
    game = players.game("tcp")
    host = players.host("tcp", game.place)
    join, port = players.join()
    assert exchange(port, b"hello") == b"hello"
    host.process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    host.process.send_signal(signal.SIGTERM)
    assert host.wait() == 0
    assert host.said("closed")
    assert host.errors == ""
    assert join.wait() in (0, 1)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_lobby_that_says_nothing_keeps_nobody(players: Players, how: signal.Signals) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        lobby = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        join = players.run("join", "duel", "--lobby", lobby)
        join.event("listening")
        code, seconds = join.stop(how)
        assert (code, seconds < 2.5) == (0, True)
    join.until(lambda: join.events[-1]["event"] == "closed")


def test_asked_twice_it_ends_no_later(players: Players) -> None:
    game = players.game("tcp")
    host = players.host("tcp", game.place)
    join, port = players.join()
    assert exchange(port, b"hello") == b"hello"
    join.process.send_signal(signal.SIGINT)
    code, seconds = join.stop(signal.SIGINT)
    assert (code, seconds < 2.5) == (0, True)
    host.event("peer-gone")


def test_sentences_where_nobody_draws(players: Players) -> None:
    game = players.game("tcp")
    host = players.run("host", players.name, "--name", "ann", "--tcp", game.place, json=False)
    host.until(lambda: f"Your game {players.name!r} is listed; others can join it." in host.lines)
    join = players.run("join", players.name, "--name", "bob", json=False)
    join.until(lambda: any("the game can be played" in line for line in join.lines))
    join.until(lambda: any(": direct (lan, " in line for line in join.lines))
    assert join.stop()[0] == 0
    join.until(lambda: join.lines[-1] == "You left.")
    assert host.stop()[0] == 0
    assert not any("\x1b" in line for line in [*host.lines, *join.lines])


def test_nobody_reads_the_output(players: Players) -> None:
    with subprocess.Popen(
        [str(PROGRAMS / "wlnet"), "join", "x", "--lobby", "tcp://127.0.0.1:1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(45) in (0, 1)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_terminal_gets_a_block_that_is_drawn_anew(players: Players) -> None:
    game = players.game("tcp")
    players.host("tcp", game.place)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [str(PROGRAMS / "wlnet"), "join", players.name, "--lobby", players.lobby, "--name", "bob"],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(follower)
        seen = bytearray()
        reader = threading.Thread(target=_read_all, args=(leader, seen), daemon=True)
        reader.start()
        try:
            _wait(lambda: b"  direct (lan, " in seen)
            _wait(lambda: seen.count(b"Ctrl-C leaves") > 5)
            process.send_signal(signal.SIGINT)
            assert process.wait(5) == 0
            reader.join(5)
        finally:
            process.kill()
            os.close(leader)
    text = seen.decode()
    assert "F\x1b[J" in text
    last = text.rsplit("\x1b[J", 1)[1]
    assert "Ctrl-C" not in last
    assert "You left." in text


def _read_all(descriptor: int, into: bytearray) -> None:
    try:
        while data := os.read(descriptor, 65536):
            into += data
    except OSError:
        pass


def _wait(what: Callable[[], object], limit: float = 20.0) -> None:
    end = time.monotonic() + limit
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)
