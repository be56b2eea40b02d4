"""``wlnet``: the command line beside the server (which is ``twistd wlnet``)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from wlnet import __version__
from wlnet.cli import ban, config, trace, user
from wlnet.config.load import ConfigError

USAGE_ERROR = 2
FAILURE = 1

_EPILOG = """\
The server itself is started by twistd, which comes with Twisted:

  wlnet config init --output wlnet.toml
  twistd --nodaemon wlnet --config wlnet.toml

Exit status: 0 done, 1 failed, 2 wrong usage or configuration.
"""


def make_parser() -> argparse.ArgumentParser:
    """The whole command line. Each command leaves in ``run`` the function to call with the arguments."""
    parser = argparse.ArgumentParser(
        prog="wlnet",
        description="Look after a wlnet server: its configuration, accounts, bans and mutes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wlnet {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (config, user, ban, trace):
        module.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    :param arguments: without the program's name; None for those of this process.
    :returns: the exit status.
    """
    parsed = make_parser().parse_args(arguments)
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
