"""What ``wlnet host`` and ``wlnet join`` have in common: who plays where, and the life of the program."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import secrets
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wlnet import __version__
from wlnet.cli.signals import ignore_further

if TYPE_CHECKING:
    from wlnet.cli.board import Amounts
    from wlnet.client.forward.forwarding import Forwarding, Over
    from wlnet.client.forward.reports import Report, Tell
    from wlnet.client.net.network import Network
    from wlnet.client.peer.options import PartyOptions

DONE, FAILED, WRONG_USAGE = 0, 1, 2
_LONGEST_PASSWORD = 4096
_LONGEST_IDENTITY = 100
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_STANDARD_INPUT = "-"
_REFRESH = 1.0
_SOCKETS = 8192
_GOODBYES = 1.0
"""Seconds after the end for the router and the lobby to take note."""
_LAST_RESORT = 2.5
"""Seconds after the end until what still holds the process (a look-up of a name, say) is cut off."""

T = TypeVar("T")

EXIT_STATUS = (
    "Exit status: 0 you or the end of the game closed it, 1 no connection came about, 2 wrong usage."
)
EXTRA = "This needs packages that are not installed. Install them with:  pip install 'wlnet[client]'"


class UsageError(Exception):
    """The command cannot be carried out as it was given; the message says what to change."""


Make = Callable[["Network", "Tell", "Over"], "Forwarding"]
"""Makes what is to be run."""


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """*parse* as a type of an argument: what it raises is shown as it is."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of both commands."""
    from wlnet.client.lobby.address import parse_lobby  # noqa: PLC0415 - other commands do without

    parser.add_argument(
        "game", metavar="GAME", type=checked(_text), help="name of the game, as the lobby lists it"
    )
    who = parser.add_argument_group("the lobby")
    who.add_argument(
        "--lobby", metavar="URL", required=True, type=checked(parse_lobby),
        help="tcp://HOST[:PORT] or tls://HOST[:PORT]; the ports are 7395 and 7394 if you name none. "
        "In networks that let out nothing but the web: tls://HOST:443",
    )  # fmt: skip
    who.add_argument(
        "--name", metavar="NAME", default=_own_name(), type=checked(_text),
        help="your name there (default: %(default)s); if it is taken you get a number behind it",
    )  # fmt: skip
    password = who.add_mutually_exclusive_group()
    password.add_argument(
        "--password-file", metavar="FILE",
        help="your account's password is the first line of FILE (- is standard input); "
        "it may also be in the environment as WLNET_PASSWORD",
    )  # fmt: skip
    password.add_argument("--ask-password", action="store_true", help="ask for your account's password")
    who.add_argument(
        "--identity", metavar="FILE",
        help="without an account: what makes you the same player again, made if there is no such file; after "
        "a crash you get your name and your game back at once, and not only minutes later",
    )  # fmt: skip
    who.add_argument(
        "--ca", "--ca-file", metavar="FILE", dest="ca",
        help="with tls://, trust the authorities in this PEM file instead of the system's",
    )  # fmt: skip
    how = parser.add_argument_group("the connection")
    how.add_argument("--no-mapping", action="store_true", help="do not ask your router to open ports")
    how.add_argument(
        "--birthday", action="store_true",
        help="agree to trying up to 1024 random ports, once for each other player, where nothing else can "
        "work; some networks take it for a port scan",
    )  # fmt: skip
    how.add_argument(
        "--relay-only", action="store_true",
        help="play over the server's relay only: nobody but the server learns your address",
    )  # fmt: skip
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    output.add_argument(
        "--verbose", action="store_true", help="with --json: what the lobby tells, too (event \"detail\")"
    )  # fmt: skip


def play(
    arguments: argparse.Namespace, make: Make, title: str, amounts: Callable[[Forwarding], Amounts]
) -> int:
    """Run until the user or the game ends it.

    :param amounts: how much was carried, for the terminal.
    :returns: the exit status.
    """
    try:
        password = read_password(arguments)
        secret = read_identity(arguments.identity)
        check_authorities(arguments.ca)
        program = _Program(arguments, make, title, amounts, password, secret)
    except UsageError as error:
        print(f"wlnet: {error}", file=sys.stderr)
        return WRONG_USAGE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("aioquic", "cryptography", "pylsqpack"):
            print(f"wlnet: {EXTRA}", file=sys.stderr)
            return FAILED
        raise
    return program.run()


def read_password(arguments: argparse.Namespace) -> str | None:
    """Of the account, if there is one.

    :raises UsageError: it cannot be read.
    """
    if arguments.ask_password:
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked here; use --password-file.")
        return getpass.getpass("Password: ")
    if arguments.password_file is None:
        return os.environ.get("WLNET_PASSWORD") or None
    try:
        if arguments.password_file == _STANDARD_INPUT:
            line = sys.stdin.buffer.readline(_LONGEST_PASSWORD)
        else:
            with Path(arguments.password_file).open("rb") as file:
                line = file.readline(_LONGEST_PASSWORD)
        password = line.decode().rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"{arguments.password_file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{arguments.password_file}: the password is not UTF-8.") from None
    if not password:
        raise UsageError(f"{arguments.password_file}: its first line is empty.")
    return password


def read_identity(file: str | None) -> str:
    """The secret in *file*, which is made if it is not there; None: one for this time.

    :raises UsageError: there is something else in the file, or it cannot be read or made.
    """
    if file is None:
        return secrets.token_hex(16)
    try:
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            with Path(file).open("rb") as reader:
                text = reader.read(_LONGEST_IDENTITY).decode("ascii", "replace").strip()
            if not _IDENTITY.fullmatch(text):
                raise UsageError(f"{file}: this is no file of --identity.") from None
            return text
        with os.fdopen(descriptor, "w") as writer:
            secret = secrets.token_hex(16)
            writer.write(secret + "\n")
            return secret
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None


def check_authorities(file: str | None) -> None:
    """What ``--ca`` names is usable.

    :raises UsageError: it is not.
    """
    if file is None:
        return
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise UsageError(f"{file}: there is no certificate (PEM) in it.") from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None


def _text(text: str) -> str:
    """What can be said to the lobby."""
    if not text or not text.isprintable():  # a byte that is no UTF-8 is not printable either
        raise ValueError(f"{text!r} is no name: it is empty, or not all of it can be shown.")
    return text


def _own_name() -> str:
    """Of the user of this machine, as far as the lobby takes it."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # KeyError until Python 3.12
        name = ""
    allowed = "".join(one for one in name if one.isascii() and (one.isalnum() or one in "@.+-_"))
    return allowed[:40] or "player"


class _Program:
    """One run, on Twisted's reactor."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        make: Make,
        title: str,
        amounts: Callable[[Forwarding], Amounts],
        password: str | None,
        secret: str,
    ) -> None:
        # Only here: a wrong option is told without loading an event loop and QUIC.
        from twisted.internet import reactor  # noqa: PLC0415

        from wlnet.cli.board import Board  # noqa: PLC0415
        from wlnet.cli.screen import screen_for  # noqa: PLC0415
        from wlnet.client.forward import forwarding  # noqa: PLC0415, F401 - it must be importable
        from wlnet.client.net.shell_twisted import TwistedNetwork  # noqa: PLC0415

        self._arguments = arguments
        self._password = password
        self._secret = secret
        self._make = make
        self._reactor: Any = reactor
        self._network = TwistedNetwork(reactor)
        self._forwarding: Forwarding | None = None
        self._board = Board(title, self._amounts)
        self._amounts_of = amounts
        self._screen = screen_for(self._board, json=arguments.json)
        self._code = FAILED
        self._over = False
        self._left: Any = None
        self._is_gone = False
        self._mapper: Any = None

    def run(self) -> int:
        """Until it is over."""
        log_mistakes()
        _allow_sockets()
        self._reactor.callWhenRunning(self._begin)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._leave)
        self._reactor.run()
        return self._code

    def _begin(self) -> None:
        try:
            self._forwarding = self._make(self._network, self._tell, self._ended)
        except OSError as error:
            self._refuse(f"The port cannot be used: {error.strerror or error}. Choose another one.")
            return
        try:
            self._forwarding.begin(self._party(self._forwarding))
        except ValueError as error:
            self._refuse(f"This cannot be said to the lobby: {error}.")
            return
        self._reactor.callLater(_REFRESH, self._refresh)

    def _party(self, forwarding: Forwarding) -> Any:
        from wlnet.client.forward.forwarding import WatchedParty  # noqa: PLC0415
        from wlnet.client.lobby.session import Login  # noqa: PLC0415
        from wlnet.client.mapping.mapper import PortMapper  # noqa: PLC0415

        arguments = self._arguments
        login = Login(
            name=arguments.name,
            password=self._password,
            secret=self._secret,
            build=f"wlnet-{__version__}",
        )
        if not (arguments.no_mapping or arguments.relay_only):
            self._mapper = PortMapper(self._network)
        party = WatchedParty(
            self._network, arguments.lobby, login, forwarding, _options(arguments), mapper=self._mapper
        )
        party.watcher = forwarding
        return party

    # -- reports ---------------------------------------------------------------------------------

    def _tell(self, report: Report) -> None:
        self._show(lambda: self._screen.show(report))

    def _refresh(self) -> None:
        if not self._over:
            self._show(self._screen.refresh)
            self._reactor.callLater(_REFRESH, self._refresh)

    def _show(self, call: Callable[[], None]) -> None:
        try:
            call()
        except OSError:  # nobody reads what we write
            if self._forwarding is not None:
                self._reactor.callLater(0, self._forwarding.close, "Nobody reads the output.")

    def _amounts(self, name: str) -> tuple[int, int]:
        return self._amounts_of(self._forwarding)(name) if self._forwarding is not None else (0, 0)

    # -- the end ---------------------------------------------------------------------------------

    def _refuse(self, text: str) -> None:
        from wlnet.client.forward.reports import Closed  # noqa: PLC0415

        self._tell(Closed(reason=text, code=FAILED))
        self._ended(FAILED)

    def _ended(self, code: int) -> None:
        self._code = code
        self._over = True
        self._show(self._screen.finish)
        cut_off(code)
        # What was opened at the router is given back, and goodbyes reach the lobby, before we are gone.
        if self._mapper is not None:
            self._mapper.close(lambda: self._network.when_quiet(self._gone))
        else:
            self._network.when_quiet(self._gone)
        self._reactor.callLater(_GOODBYES, self._gone)

    def _gone(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        if self._left is not None:
            self._left.callback(None)
        else:
            self._reactor.stop()

    def _leave(self) -> Any:
        """The reactor is to stop, by a signal or by us."""
        ignore_further()
        from twisted.internet.defer import Deferred  # noqa: PLC0415

        if self._over or self._forwarding is None:
            return None
        self._left = Deferred()
        self._forwarding.close("You left.")
        return self._left


def _options(arguments: argparse.Namespace) -> PartyOptions:
    from wlnet.client.gather.words import GatherOptions  # noqa: PLC0415
    from wlnet.client.peer.options import PartyOptions  # noqa: PLC0415

    gather = GatherOptions(
        birthday=arguments.birthday, relay_only=arguments.relay_only, mappings=not arguments.no_mapping
    )
    return PartyOptions(tls_ca=arguments.ca, gather=gather)


def log_mistakes() -> None:
    """Mistakes of ours are shown on standard error; nothing else is logged."""
    from twisted.logger import (  # noqa: PLC0415
        FilteringLogObserver,
        LogLevel,
        LogLevelFilterPredicate,
        globalLogBeginner,
        textFileLogObserver,
    )

    errors = FilteringLogObserver(
        textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)]
    )
    globalLogBeginner.beginLoggingTo([errors], redirectStandardIO=False, discardBuffer=True)


def _allow_sockets() -> None:
    """Many systems allow 1024 open files unless one asks for more; a host with many guests needs more."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _SOCKETS if hard == resource.RLIM_INFINITY else min(_SOCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cut_off(code: int) -> None:
    """A thread that looks a name up cannot be stopped, and must not keep us."""
    timer = threading.Timer(_LAST_RESORT, os._exit, (code,))
    timer.daemon = True
    timer.start()
