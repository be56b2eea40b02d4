"""``wlnet join``: a game on this machine finds another player's game on a local port."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from wlnet.cli.playing import EXIT_STATUS, WRONG_USAGE, add_arguments, checked, play

if TYPE_CHECKING:
    from wlnet.cli.board import Amounts
    from wlnet.client.forward.forwarding import Forwarding, Over
    from wlnet.client.forward.reports import Tell
    from wlnet.client.net.network import Network

_EPILOG = f"""\
  wlnet join "Ann's duel" --lobby tls://lobby.example.org --name bob
  wlnet join race --lobby tcp://lobby.example.org --listen udp:127.0.0.1:5029 --json

Then let your game connect to the address that is shown. It may do so at once: it waits until there is a way.

If the host is lost, wlnet tries to get back to him for --rejoin seconds.

{EXIT_STATUS}
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``join``."""
    from wlnet.client.forward.places import parse_place  # noqa: PLC0415 - other commands do without

    parser = commands.add_parser(
        "join",
        help="join a game that somebody hosts with wlnet host",
        description="Join a game that somebody hosts with wlnet host; your game finds it on a local port.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    here = parser.add_argument_group("your game")
    here.add_argument(
        "--listen", metavar="[tcp:|udp:]ADDR:PORT", default="127.0.0.1:0", type=checked(parse_place),
        help="where your game connects to; port 0 picks a free one, which is shown; without tcp: or udp: "
        "it is whichever the host's game speaks (default: %(default)s)",
    )  # fmt: skip
    here.add_argument(
        "--expose", action="store_true",
        help="allow --listen at an address other computers reach: all of them can play as you then",
    )  # fmt: skip
    here.add_argument(
        "--rejoin", metavar="SECONDS", type=checked(_seconds), default=120.0,
        help="how long to try to get back to a host who was lost (default: %(default)g)",
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86400:
        raise ValueError(f"{text!r} is no number of seconds from 0 to 86400.")
    return value


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.listen.is_loopback and not arguments.expose:
        print(
            f"wlnet: {arguments.listen.address} can be reached by other computers, which could play as you. "
            "Listen at 127.0.0.1, or add --expose if that is what you want.",
            file=sys.stderr,
        )
        return WRONG_USAGE

    def make(network: Network, tell: Tell, over: Over) -> Forwarding:
        from wlnet.client.forward.guest import Guest  # noqa: PLC0415

        return Guest(
            network,
            arguments.game,
            arguments.listen,
            tell,
            over,
            rejoin=arguments.rejoin,
            verbose=arguments.verbose,
        )

    return play(arguments, make, f"Joining {arguments.game}", _amounts)


def _amounts(forwarding: Forwarding) -> Amounts:
    from wlnet.client.forward.guest import Guest  # noqa: PLC0415

    def of(name: str) -> tuple[int, int]:  # noqa: ARG001 - there is only the host
        tally = forwarding.tally if isinstance(forwarding, Guest) else None
        return (tally.sent, tally.received) if tally is not None else (0, 0)

    return of
