"""``wlnet``: the command line beside the server (which is ``twistd wlnet``), for operators and players."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from wlnet import __version__
from wlnet.config.load import ConfigError

USAGE_ERROR = 2
FAILURE = 1

_EPILOG = """\
The server itself is started by twistd, which comes with Twisted:

  wlnet config init --output wlnet.toml
  twistd --nodaemon wlnet --config wlnet.toml

Players find all about host and join in docs/players.md.

Exit status: 0 done, 1 failed, 2 wrong usage or configuration.
"""


COMMANDS = ("host", "join", "agent", "doctor", "config", "user", "ban", "trace")
"""Modules of this package."""


def make_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The command line. Each command leaves in ``run`` the function to call with the arguments.

    :param command: only this one, if it is one: the others need not be loaded for it.
    """
    parser = argparse.ArgumentParser(
        prog="wlnet",
        description="Play with others over a wlnet server, or look after one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wlnet {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in (command,) if command in COMMANDS else COMMANDS:
        import_module(f"wlnet.cli.{name}").add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :param arguments: without the program's name; None for those of this process.
    :returns: the exit status.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    parsed = make_parser(words[0] if words else None).parse_args(words)
    try:
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except OSError as error:
        print(f"wlnet: {error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
