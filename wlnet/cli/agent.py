"""``wlnet agent``: direct and punched paths for an unmodified Widelands on this machine."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wlnet.cli.playing import (
    DONE,
    EXTRA,
    FAILED,
    WRONG_USAGE,
    UsageError,
    check_authorities,
    checked,
    cut_off,
    log_mistakes,
)
from wlnet.cli.signals import ignore_further

if TYPE_CHECKING:
    from wlnet.agent.agent import Agent
    from wlnet.agent.news import News

_REFRESH = 1.0
_GOODBYES = 4.0
"""Seconds at most for leaving games, lobby and router politely."""
_NARROWEST = 20
_SHORTEST_GRACE, _LONGEST_GRACE = 15, 3600

_EPILOG = """\
  wlnet agent --lobby tls://lobby.example.org
  wlnet agent --lobby tcp://lobby.example.org -- widelands

The first form waits for games you start yourself, with the metaserver 127.0.0.1 in their options. The second
one starts the game with the right options, and ends when the game does.

Exit status: 0 ended by you or with the game (then the game's own), 1 failed, 2 wrong usage.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``agent``."""
    from wlnet.client.lobby.address import parse_lobby  # noqa: PLC0415 - other commands do without

    parser = commands.add_parser(
        "agent",
        help="give an unmodified Widelands on this machine direct connections",
        description="Stands in for metaserver and relay on this machine, and carries the games of an "
        "unmodified Widelands over the best path there is.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--lobby", metavar="URL", required=True, type=checked(parse_lobby),
        help="the real metaserver: tcp://HOST[:PORT] or tls://HOST[:PORT]",
    )  # fmt: skip
    parser.add_argument(
        "--ca", "--ca-file", metavar="FILE", dest="ca",
        help="with tls://, trust the authorities in this PEM file instead of the system's",
    )  # fmt: skip
    how = parser.add_argument_group("the connection")
    how.add_argument("--no-mapping", action="store_true", help="do not ask your router to open ports")
    how.add_argument(
        "--birthday",
        action="store_true",
        help="agree to trying up to 1024 random ports where nothing else helps",
    )
    how.add_argument("--relay-only", action="store_true", help="let nobody but the server learn your address")
    how.add_argument(
        "--grace", metavar="SECONDS", type=checked(_grace), default=60.0,
        help="keep a game so long while nothing gets through between its players; the other player's agent "
        "must be as patient (default: %(default)g)",
    )  # fmt: skip
    here = parser.add_argument_group("this machine")
    here.add_argument(
        "--lobby-port", metavar="PORT", type=checked(_port), default=7395,
        help="where the game finds the metaserver (default: %(default)s)",
    )  # fmt: skip
    here.add_argument(
        "--relay-port", metavar="PORT", type=checked(_port), default=7397,
        help="where it finds the relay; released games look at 7397 only (default: %(default)s)",
    )  # fmt: skip
    here.add_argument(
        "--public-relay-port", metavar="PORT", type=checked(_port), default=7397,
        help="of the lobby's own relay (default: %(default)s)",
    )  # fmt: skip
    here.add_argument(
        "--user", metavar="NAME",
        help="who to be if root started it (default: who called sudo, else nobody); it needs no rights",
    )  # fmt: skip
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    output.add_argument("--log", metavar="FILE", help="append what happens to FILE as well, with the time")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- GAME ...",
        help="start this game with the options it needs, and end with it",
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ValueError(f"{text!r} is no port: a number from 0 to 65535.")
    return int(text)


def _grace(text: str) -> float:
    if not (text.isascii() and text.isdigit() and _SHORTEST_GRACE <= int(text) <= _LONGEST_GRACE):
        raise ValueError(f"{text!r}: whole seconds, {_SHORTEST_GRACE} to {_LONGEST_GRACE}.")
    return float(text)


def _run(arguments: argparse.Namespace) -> int:
    try:
        _drop_root(arguments.user)
        check_authorities(arguments.ca)
        from wlnet.agent import agent  # noqa: PLC0415, F401 - the packages of the extra must be there

        log = Path(arguments.log).open("a", encoding="utf-8") if arguments.log else None  # noqa: SIM115
    except UsageError as error:
        print(f"wlnet: {error}", file=sys.stderr)
        return WRONG_USAGE
    except OSError as error:
        print(f"wlnet: {arguments.log}: {error.strerror or error}", file=sys.stderr)
        return WRONG_USAGE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("aioquic", "cryptography", "pylsqpack"):
            print(f"wlnet: {EXTRA}", file=sys.stderr)
            return FAILED
        raise
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return _Program(arguments, log).run()


class _Program:
    """One run, on Twisted's reactor."""

    def __init__(self, arguments: argparse.Namespace, log: Any) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        from wlnet.cli.agent_text import AgentBoard  # noqa: PLC0415

        self._arguments = arguments
        self._log = log
        self._reactor: Any = reactor
        self._agent: Agent | None = None
        self._network: Any = None
        self._lobby_port = arguments.lobby_port
        self._board = AgentBoard(self._amounts)
        self._terminal = not arguments.json and sys.stdout.isatty()
        self._drawn = 0
        self._code = DONE
        self._over = False
        self._game: Any = None

    def run(self) -> int:
        """Until it is over."""
        log_mistakes()
        self._reactor.callWhenRunning(self._begin)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._leave)
        self._reactor.run()
        return self._code

    def _begin(self) -> None:
        from wlnet.agent.agent import Agent  # noqa: PLC0415
        from wlnet.agent.options import AgentOptions  # noqa: PLC0415
        from wlnet.client.gather.words import GatherOptions  # noqa: PLC0415
        from wlnet.client.mapping.mapper import PortMapper  # noqa: PLC0415
        from wlnet.client.net.shell_twisted import TwistedNetwork  # noqa: PLC0415
        from wlnet.client.peer.options import PartyOptions  # noqa: PLC0415

        arguments = self._arguments
        network = TwistedNetwork(self._reactor)
        gather = GatherOptions(
            birthday=arguments.birthday, relay_only=arguments.relay_only, mappings=not arguments.no_mapping
        )
        options = AgentOptions(
            lobby=arguments.lobby,
            lobby_port=arguments.lobby_port,
            relay_port=arguments.relay_port,
            public_relay_port=arguments.public_relay_port,
            grace=arguments.grace,
            party=PartyOptions(tls_ca=arguments.ca, gather=gather, join_timeout=30.0),
        )
        mapper = None if arguments.no_mapping or arguments.relay_only else PortMapper(network)
        self._network = network
        self._agent = Agent(network, options, self._show, mapper)
        try:
            self._agent.start()
        except OSError as error:
            print(
                f"wlnet: port {arguments.lobby_port} or {arguments.relay_port} of this machine cannot be "
                f"used: {error.strerror or error}. Is another agent or a server running?",
                file=sys.stderr,
            )
            self._code, self._agent = FAILED, None
            self._reactor.stop()
            return
        self._reactor.callLater(_REFRESH, self._refresh)
        words = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
        if words:
            self._start_game(words)

    def _start_game(self, words: list[str]) -> None:
        from wlnet.cli.agent_game import start  # noqa: PLC0415

        try:
            self._game = start(self._reactor, words, self._lobby_port, self._game_over)
        except OSError as error:
            print(f"wlnet: {words[0]}: {error.strerror or error}", file=sys.stderr)
            self._code = FAILED
            self._reactor.stop()

    def _game_over(self, code: int) -> None:
        self._game = None
        if not self._over:
            self._code = code
            self._reactor.stop()

    # -- output ----------------------------------------------------------------------------------

    def _show(self, news: News) -> None:
        from wlnet.agent.news import Listening  # noqa: PLC0415
        from wlnet.cli.agent_text import sentence  # noqa: PLC0415

        if isinstance(news, Listening):
            self._lobby_port = news.lobby_port
        self._board.take(news)
        text = sentence(news)
        if self._log is not None:
            try:
                self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
                self._log.flush()
            except OSError as error:
                print(f"wlnet: {self._arguments.log}: {error.strerror or error}", file=sys.stderr)
                self._log = None
        try:
            if self._arguments.json:
                from wlnet.cli.agent_json import line  # noqa: PLC0415

                print(line(news, time.monotonic()), flush=True)
            elif self._terminal:
                self._draw(text)
            else:
                print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
        except OSError:  # nobody reads what we write
            self._terminal = False

    def _refresh(self) -> None:
        if not self._over:
            if self._terminal:
                self._draw(None)
            self._reactor.callLater(_REFRESH, self._refresh)

    def _draw(self, text: str | None) -> None:
        width = max(_NARROWEST, shutil.get_terminal_size().columns - 1)
        lines = self._board.lines(width)
        above = f"{time.strftime('%H:%M:%S')} {text}\n" if text is not None else ""
        erase = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        sys.stdout.write(erase + above + "".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        self._drawn = len(lines)

    def _amounts(self, game: str, other: str) -> tuple[int, int]:
        if self._agent is None:
            return (0, 0)
        return self._agent.carried(game, other)

    # -- the end ---------------------------------------------------------------------------------

    def _leave(self) -> Any:
        """The reactor is to stop, by a signal or with the game."""
        ignore_further()
        from twisted.internet.defer import Deferred  # noqa: PLC0415

        self._over = True
        if self._game is not None:
            self._game.end()
        agent, self._agent = self._agent, None
        if agent is None:
            return None
        left: Deferred[None] = Deferred()

        def done() -> None:
            if not left.called:
                cut_off(self._code)
                left.callback(None)

        agent.close(lambda: self._network.when_quiet(done))
        self._reactor.callLater(_GOODBYES, done)
        return left


def _drop_root(user: str | None) -> None:
    """A program for players needs no rights.

    :raises UsageError: there is no such user, or he cannot read the program.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    import pwd  # noqa: PLC0415 - not on Windows

    name = user or os.environ.get("SUDO_USER") or "nobody"
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"There is no user {name!r} (--user).") from None
    if entry.pw_uid == 0:
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    readable = all(os.access(file, os.R_OK, effective_ids=True) for file in (os.__file__, __file__))
    os.seteuid(0)
    os.setegid(group)
    os.setgroups(groups)
    if readable:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        os.environ.update(HOME=entry.pw_dir, USER=name, LOGNAME=name)  # for the game
    elif user is None:
        print(
            f"wlnet: this runs as root, for {name} cannot read the program. Start it as yourself, or name "
            "somebody who can with --user.",
            file=sys.stderr,
        )
    else:
        raise UsageError(f"{name} cannot read the program (--user).")
