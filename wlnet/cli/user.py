"""``wlnet user``: accounts of registered players and superusers."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

import msgspec

from wlnet.accounts.database import SqlDatabase
from wlnet.accounts.store import SqlAccountStore
from wlnet.cli.database import (
    DONE,
    Command,
    RefusedError,
    UsageError,
    as_table,
    as_time,
    with_database,
)
from wlnet.config.load import add_config_arguments
from wlnet.config.schema import Config
from wlnet.lobby.ports import Permission

_PERMISSIONS = {"registered": Permission.REGISTERED, "superuser": Permission.SUPERUSER}
_LONGEST_LINE = 4096


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``user`` and its commands."""
    parser = commands.add_parser("user", help="accounts: add, passwd, list, remove, permission")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    add = _action(actions, "add", _add, "make an account")
    _name(add)
    add.add_argument(
        "--permission", choices=_PERMISSIONS, default="registered",
        help="superusers may kick, ban and make announcements (default: %(default)s)",
    )  # fmt: skip
    _password(add)

    passwd = _action(actions, "passwd", _passwd, "change the password of an account")
    _name(passwd)
    _password(passwd)

    listing = _action(actions, "list", _list, "list the accounts")
    listing.add_argument("--json", action="store_true", help="as JSON, times in seconds since 1970")

    remove = _action(actions, "remove", _remove, "remove an account; anybody may use the name afterwards")
    _name(remove)
    remove.add_argument("--yes", action="store_true", help="do not ask")

    permission = _action(actions, "permission", _permission, "make a player a superuser, or no longer")
    _name(permission)
    permission.add_argument("permission", choices=_PERMISSIONS)


def _action(actions: Any, name: str, command: Command, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + "."
    )
    parser.set_defaults(run=with_database(command))
    add_config_arguments(parser)
    return parser


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the account; capital and small letters count")


def _password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true",
        help="read the password from the first line of standard input instead of asking for it",
    )  # fmt: skip


def _add(arguments: argparse.Namespace, config: Config, database: SqlDatabase) -> int:
    store = _store(config, database)
    store.check()  # before anybody types a password in vain
    store.add(arguments.name, _PERMISSIONS[arguments.permission], _read_password(arguments))
    print(f"Made the {arguments.permission} account {arguments.name}.")
    return DONE


def _passwd(arguments: argparse.Namespace, config: Config, database: SqlDatabase) -> int:
    store = _store(config, database)
    store.check()
    store.set_password(arguments.name, _read_password(arguments))
    print(f"Changed the password of {arguments.name}; it is asked for at the next login.")
    return DONE


def _list(arguments: argparse.Namespace, config: Config, database: SqlDatabase) -> int:
    entries = _store(config, database).entries()
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(entries)).decode())
    elif entries:
        rows = [
            (
                entry.name,
                entry.permission.lower(),
                as_time(entry.created_at, ""),
                as_time(entry.changed_at, ""),
            )
            for entry in entries
        ]
        print(as_table(("NAME", "PERMISSION", "MADE", "CHANGED"), rows))
    else:
        print("There are no accounts. Make one with: wlnet user add NAME")
    return DONE


def _remove(arguments: argparse.Namespace, config: Config, database: SqlDatabase) -> int:
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked here; add --yes to remove the account without a question.")
        if input(f"Remove the account {arguments.name} for ever? [y/N] ").strip().lower() not in ("y", "yes"):
            raise RefusedError("Nothing was removed.")
    _store(config, database).remove(arguments.name)
    print(f"Removed the account {arguments.name}.")
    return DONE


def _permission(arguments: argparse.Namespace, config: Config, database: SqlDatabase) -> int:
    _store(config, database).set_permission(arguments.name, _PERMISSIONS[arguments.permission])
    print(f"{arguments.name} is {arguments.permission} from the next login on.")
    return DONE


def _store(config: Config, database: SqlDatabase) -> SqlAccountStore:
    limits = config.limits
    return SqlAccountStore(database, name_length=limits.name_length, password_length=limits.nonce_length)


def _read_password(arguments: argparse.Namespace) -> str:
    if arguments.password_stdin:
        line = sys.stdin.buffer.readline(_LONGEST_LINE)
        try:
            return line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError("The password on standard input is not UTF-8.") from None
    if not sys.stdin.isatty():
        raise UsageError("Nobody can be asked here; add --password-stdin and write the password to it.")
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("The same again: ")
    except EOFError:
        raise UsageError("No password was given.") from None
    if password != again:
        raise UsageError("The two passwords differ; nothing was changed.")
    return password
