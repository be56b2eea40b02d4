"""``wlnet config``: make, check and show the configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from wlnet.config.load import DEFAULT_FILE, add_config_arguments, load
from wlnet.config.render import effective, effective_json, reference, sample
from wlnet.config.schema import Config

_MODE = 0o640
"""The database URL may hold a password, so the file is not for everybody."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``config`` and its commands."""
    parser = commands.add_parser("config", help="make, check and show the configuration")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    init = _action(actions, "init", _init, "write a commented configuration file with the defaults")
    init.add_argument("--output", metavar="FILE", help="where to (default: standard output)")
    init.add_argument("--force", action="store_true", help="replace FILE if it exists")
    init.add_argument(
        "--set", metavar="SECTION.KEY=VALUE", action="append", default=[],
        help="a setting to write with this value; may be repeated",
    )  # fmt: skip

    check = _action(actions, "check", _check, "say what is wrong with the configuration, or that it is right")
    add_config_arguments(check)

    show = _action(actions, "show", _show, "show all settings in force; those unlike the default are marked")
    show.add_argument("--json", action="store_true", help="as JSON, durations in seconds, sizes in bytes")
    add_config_arguments(show)

    _action(actions, "reference", _reference, "print all settings as Markdown tables (for the documentation)")


def _action(actions: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + "."
    )
    parser.set_defaults(run=run)
    return parser


def _init(arguments: argparse.Namespace) -> int:
    config = load("/dev/null", arguments.set) if arguments.set else Config()
    text = sample(config)
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    file = Path(arguments.output)
    try:
        descriptor = file.open("w" if arguments.force else "x", encoding="utf-8")
    except FileExistsError:
        print(f"{file}: exists already; --force replaces it", file=sys.stderr)
        return 1
    with descriptor:
        file.chmod(_MODE)
        descriptor.write(text)
    print(f"Wrote {file}. Check your changes with: wlnet config check --config {file}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    load(arguments.config, arguments.set)
    name = arguments.config or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else "built-in defaults")
    print(f"{name}: all right")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, arguments.set)
    sys.stdout.write(effective_json(config) if arguments.json else effective(config))
    return 0


def _reference(arguments: argparse.Namespace) -> int:
    del arguments
    sys.stdout.write(reference())
    return 0
