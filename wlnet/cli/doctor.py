"""``wlnet doctor``: what this network can do, what to expect of it, and what to change."""

from __future__ import annotations

import argparse
import os
import shutil
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO

from wlnet import __version__
from wlnet.cli.playing import EXTRA, FAILED, WRONG_USAGE, checked
from wlnet.cli.signals import ignore_further

if TYPE_CHECKING:
    from wlnet.client.doctor.examination import Examination, Stage
    from wlnet.client.doctor.findings import Findings

FORMAT = 1
"""Of the JSON; grows when a member changes its meaning."""
_TICK = 0.25
_INTERRUPTED = 130
_LAST_RESORT = 2.5
"""Seconds after the end until what still holds the process (a look-up of a name, say) is cut off."""

_EPILOG = """\
It takes about ten seconds, logs in without account, opens no game and tells nobody about you but the server.
Ports it asks your router for are given back.

  wlnet doctor --lobby tls://lobby.example.org
  wlnet doctor --lobby tcp://lobby.example.org --json

Exit status: 0 you can play over this server, 1 you cannot, 2 wrong usage.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``doctor``."""
    from wlnet.client.lobby.address import parse_lobby  # noqa: PLC0415 - other commands do without

    parser = commands.add_parser(
        "doctor",
        help="examine your network",
        description="Find out how others can be connected with you, and what you could change.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--lobby",
        metavar="URL",
        required=True,
        type=checked(parse_lobby),
        help="tcp://HOST[:PORT] or tls://HOST[:PORT], as for host and join",
    )
    parser.add_argument(
        "--ca", "--ca-file", metavar="FILE", dest="ca",
        help="trust the authorities in this PEM file instead of the system's",
    )  # fmt: skip
    parser.add_argument("--no-mapping", action="store_true", help="do not ask your router to open ports")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end, for programs")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.ca is not None:
        try:
            ssl.create_default_context(cafile=arguments.ca)
        except OSError as error:  # ssl.SSLError is one: there is no certificate in it
            print(f"wlnet: {arguments.ca}: {error.strerror or 'no certificate (PEM)'}", file=sys.stderr)
            return WRONG_USAGE
    try:
        program = _Program(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("h11", "ifaddr", "cryptography"):
            print(f"wlnet: {EXTRA}", file=sys.stderr)
            return FAILED
        raise
    return program.run()


class Progress:
    """What is being done: one living line on a terminal, else a line each."""

    def __init__(self, out: TextIO, texts: dict[Stage, str]) -> None:
        self._out = out
        self._texts = texts
        self._live = out.isatty()
        self._begun = time.monotonic()
        self._text = ""

    def begin(self, stage: Stage) -> None:
        """A stage begins."""
        self._text = self._texts[stage]
        if self._live:
            self.tick()
        else:
            self._out.write(f"{self._text} ...\n")
            self._out.flush()

    def tick(self) -> None:
        """A moment has passed."""
        if self._live and self._text:
            seconds = time.monotonic() - self._begun
            self._out.write(f"\r\x1b[K{self._text} ... {seconds:.0f} s")
            self._out.flush()

    def finish(self) -> None:
        """Nothing more is done."""
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()


class _Program:
    """One examination, on Twisted's reactor."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        from wlnet.client.doctor.examination import Stage  # noqa: PLC0415
        from wlnet.client.net.shell_twisted import TwistedNetwork  # noqa: PLC0415

        self._arguments = arguments
        self._reactor: Any = reactor
        self._network = TwistedNetwork(reactor)
        texts = {
            Stage.LOBBY: f"Asking the lobby {arguments.lobby}",
            Stage.NETWORK: "Finding out what your network does to packets",
            Stage.ROUTER: "Asking the relay, and your router for ports",
            Stage.OUTSIDE: "Having the server try to reach you",
        }
        self._progress = None if arguments.json else Progress(sys.stdout, texts)
        self._findings: Findings | None = None
        self._examination: Examination | None = None
        self._left: Any = None

    def run(self) -> int:
        """Until it is over."""
        self._reactor.callWhenRunning(self._begin)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._leave)
        self._reactor.run()
        if self._progress is not None:
            self._progress.finish()
        code = (
            _INTERRUPTED if self._left is not None or self._findings is None else self._show(self._findings)
        )
        timer = threading.Timer(_LAST_RESORT, os._exit, (code,))
        timer.daemon = True
        timer.start()
        return code

    def _begin(self) -> None:
        from wlnet.client.doctor.examination import Examination, ExaminationOptions  # noqa: PLC0415

        options = ExaminationOptions(
            name=f"doctor{self._network.random_bytes(4).hex()}",
            build=f"wlnet-{__version__}",
            mapping=not self._arguments.no_mapping,
            ca_file=self._arguments.ca,
        )
        self._examination = Examination(
            self._network, self._arguments.lobby, options, self._stage, self._done
        )
        if self._progress is not None:
            self._reactor.callLater(_TICK, self._tick)

    def _stage(self, stage: Stage) -> None:
        if self._progress is not None:
            self._progress.begin(stage)

    def _tick(self) -> None:
        if self._progress is not None and self._findings is None:
            self._progress.tick()
            self._reactor.callLater(_TICK, self._tick)

    def _done(self, findings: Findings) -> None:
        self._findings = findings
        if self._left is not None:
            self._left.callback(None)
        else:
            self._reactor.stop()

    def _leave(self) -> Any:
        """The reactor stops: if by a signal, give the router its ports back first."""
        ignore_further()
        from twisted.internet.defer import Deferred  # noqa: PLC0415

        if self._findings is not None or self._examination is None:
            return None
        self._left = Deferred()
        self._examination.cancel()
        return self._left

    def _show(self, findings: Findings) -> int:
        import msgspec  # noqa: PLC0415

        from wlnet.cli.doctor_text import render  # noqa: PLC0415
        from wlnet.client.doctor.report import conclude  # noqa: PLC0415

        report = conclude(findings)
        if self._arguments.json:
            said = {"format": FORMAT, "playable": report.playable, **msgspec.to_builtins(report)}
            print(msgspec.json.encode(said).decode())
        else:
            print("\n".join(["", *render(report, shutil.get_terminal_size((100, 24)).columns)]))
        return 0 if report.playable else FAILED
