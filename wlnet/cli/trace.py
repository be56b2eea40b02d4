"""``wlnet trace``: what became of attempts to connect a guest with a host, and why."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from pathlib import Path

from wlnet.config.load import add_config_arguments, load
from wlnet.rendezvous.records import AttemptRecord, describe, encode, headline
from wlnet.rendezvous.shell_records import read


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``trace``."""
    parser = commands.add_parser(
        "trace",
        help="show attempts to connect a guest with a host",
        description="Show the last attempts to connect a guest with a host, or all that happened in one. "
        "Reads the file the server writes (rendezvous.trace_file).",
    )
    parser.add_argument(
        "number", metavar="NUMBER", type=int, nargs="?",
        help="of an attempt; the latest of that number, for they begin anew with each start of the server",
    )  # fmt: skip
    parser.add_argument(
        "--last", metavar="COUNT", type=_count, default=20, help="without NUMBER: so many (default: 20)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_config_arguments(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, arguments.set)
    if not config.rendezvous.trace_file:
        print("wlnet: rendezvous.trace_file is empty, so attempts are not recorded", file=sys.stderr)
        return 1
    path = Path(config.server.state_dir) / config.rendezvous.trace_file
    kept: deque[AttemptRecord] = deque(maxlen=1 if arguments.number is not None else arguments.last)
    for record in read(path):
        if arguments.number is None or record.number == arguments.number:
            kept.append(record)
    if arguments.number is not None and not kept:
        print(f"wlnet: there is no record of attempt {arguments.number} in {path}", file=sys.stderr)
        return 1
    for record in kept:
        if arguments.json:
            sys.stdout.write(encode(record).decode())
        elif arguments.number is None:
            print(_printable(headline(record)))
        else:
            for line in describe(record):
                print(_printable(line))
    return 0


def _printable(text: str) -> str:
    """*text* (players chose parts of it) without what a terminal would obey."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _count(text: str) -> int:
    number = int(text)
    if not 0 < number <= 100_000:
        raise ValueError
    return number
