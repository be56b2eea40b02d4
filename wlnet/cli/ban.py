"""``wlnet ban`` and ``wlnet mute``: who may not come in, who may not talk.

They change the database; a running server notices within ``moderation.refresh_interval``.
"""

from __future__ import annotations

import argparse
import getpass
import time
from typing import Any

import msgspec

from wlnet.accounts.database import SqlDatabase
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
from wlnet.config.units import DURATION_HELP, parse_duration
from wlnet.moderation.sanctions import Kind, Sanction, Sanctions, Target
from wlnet.moderation.shell_ids import new_sanction_id
from wlnet.moderation.store import SqlSanctionStore

_HISTORY = 1_000_000
"""Entries ``list --all`` shows at most."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``ban``, ``mute`` and their commands."""
    _add_kind(commands, Kind.BAN, "bans: keep somebody out", "keep out")
    _add_kind(commands, Kind.MUTE, "mutes: keep somebody from talking", "silence")


def _add_kind(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], kind: Kind, text: str, verb: str
) -> None:
    parser = commands.add_parser(kind.value, help=text)
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    add = _action(actions, "add", kind, _add, f"{verb} an address, a network, an account or a name")
    whom = add.add_mutually_exclusive_group(required=True)
    whom.add_argument("--address", metavar="A", help="an IPv4 address, or an IPv6 address with its whole /64")
    whom.add_argument("--network", metavar="N", help='a network like "203.0.113.0/24" or "2001:db8::/32"')
    whom.add_argument("--account", metavar="A", help="a registered player, by account")
    whom.add_argument("--name", metavar="N", help="any player of that name, registered or not")
    add.add_argument("--for", dest="duration", metavar="DURATION", type=_duration,
                     help='like "30min", "12h" or "7d" (default: for ever)')  # fmt: skip
    add.add_argument("--reason", metavar="TEXT", default="", help="for the record; the player may be told")
    add.add_argument("--by", metavar="WHO", help="who decided it (default: you, by the name of this login)")

    listing = _action(actions, "list", kind, _list, f"list the {kind.value}s in force")
    listing.add_argument("--all", action="store_true", help="those that are over and those lifted too")
    listing.add_argument("--json", action="store_true", help="as JSON, times in seconds since 1970")

    lift = _action(actions, "lift", kind, _lift, f"end a {kind.value} before its time")
    lift.add_argument("id", metavar="ID", help=f"as shown by: wlnet {kind.value} list")
    lift.add_argument("--by", metavar="WHO", help="who decided it (default: you, by the name of this login)")


def _action(actions: Any, name: str, kind: Kind, command: Command, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + "."
    )
    parser.set_defaults(run=with_database(command), kind=kind)
    add_config_arguments(parser)
    return parser


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; write {DURATION_HELP}") from None


def _add(arguments: argparse.Namespace, config: Config, database: SqlDatabase) -> int:
    target = next(target for target in Target if getattr(arguments, target.value) is not None)
    store = SqlSanctionStore(database)
    limit = config.moderation.max_entries
    sanctions = Sanctions(time.time, new_sanction_id, limit)
    snapshot = store.read(None, time.time(), limit)
    sanctions.merge(snapshot.sanctions if snapshot else ())
    try:
        imposed = sanctions.impose(
            arguments.kind,
            target,
            getattr(arguments, target.value),
            reason=arguments.reason,
            by=_by(arguments),
            duration=arguments.duration,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    store.save([imposed])
    print(f"{imposed.id}: {_described(imposed)}, {_until(imposed)}.")
    return DONE


def _list(arguments: argparse.Namespace, config: Config, database: SqlDatabase) -> int:
    store = SqlSanctionStore(database)
    now = time.time()
    if arguments.all:
        found = store.history(_HISTORY)
    else:
        snapshot = store.read(None, now, config.moderation.max_entries)
        found = list(snapshot.sanctions) if snapshot else []
    found = [sanction for sanction in found if sanction.kind is arguments.kind]
    if arguments.json:
        stored = [dict(msgspec.structs.asdict(sanction)) for sanction in found]
        for entry in stored:
            del entry["sweeps"]  # of the moment it was made only, so it is not kept
        print(msgspec.json.format(msgspec.json.encode(stored)).decode())
    elif found:
        rows = [
            (
                sanction.id,
                sanction.target.value,
                sanction.value,
                as_time(sanction.created_at, ""),
                sanction.by,
                _state(sanction, now),
                sanction.reason,
            )
            for sanction in found
        ]
        print(as_table(("ID", "TARGET", "VALUE", "SINCE", "BY", "STATE", "REASON"), rows))
    else:
        print(f"There are no {arguments.kind.value}s{'' if arguments.all else ' in force'}.")
    return DONE


def _lift(arguments: argparse.Namespace, _config: Config, database: SqlDatabase) -> int:
    kind: Kind = arguments.kind
    store = SqlSanctionStore(database)
    by, now = _by(arguments), time.time()
    found = store.get(arguments.id) if arguments.id.isascii() else None
    _check_liftable(found, arguments.id, kind, now)
    lifted = store.lift(arguments.id, by, now)
    if lifted is None or lifted.lifted_at != now:
        raise RefusedError("Somebody else lifted it just now.")
    print(f"Lifted {lifted.id}: {_described(lifted)}.")
    return DONE


def _check_liftable(found: Sanction | None, sanction_id: str, kind: Kind, now: float) -> None:
    if found is None:
        raise RefusedError(
            f'There is no {kind.value} "{ascii(sanction_id)[1:-1]}"; see: wlnet {kind.value} list'
        )
    if found.kind is not kind:
        raise RefusedError(
            f"{found.id} is a {found.kind.value}; use: wlnet {found.kind.value} lift {found.id}"
        )
    if not found.in_force(now):
        raise RefusedError(f"{found.id} is not in force: {_state(found, now)}.")


def _by(arguments: argparse.Namespace) -> str:
    if arguments.by is None:
        try:
            return f"{getpass.getuser()} (command line)"
        except (OSError, KeyError):  # a container's user without a name
            return "command line"
    by: str = arguments.by
    if not by or len(by) > 200 or not by.isprintable():
        raise UsageError("--by: give a name of at most 200 characters that can be shown.")
    return by


def _described(sanction: Sanction) -> str:
    return f"{sanction.kind.value} of the {sanction.target.value} {sanction.value}"


def _until(sanction: Sanction) -> str:
    return "for ever" if sanction.expires_at is None else f"until {as_time(sanction.expires_at, '')}"


def _state(sanction: Sanction, now: float) -> str:
    if sanction.lifted_at is not None:
        return f"lifted {as_time(sanction.lifted_at, '')} by {sanction.lifted_by}"
    return _until(sanction) if sanction.in_force(now) else f"over since {as_time(sanction.expires_at, '')}"
