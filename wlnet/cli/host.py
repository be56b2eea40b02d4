"""``wlnet host``: others join a game that runs on this machine, through whatever routers there are."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from wlnet.cli.playing import EXIT_STATUS, add_arguments, checked, play

if TYPE_CHECKING:
    from wlnet.cli.board import Amounts
    from wlnet.client.forward.forwarding import Forwarding, Over
    from wlnet.client.forward.reports import Tell
    from wlnet.client.net.network import Network

_EPILOG = f"""\
Start your game first, so that it waits for players at some port; then:

  wlnet host "Ann's duel" --lobby tls://lobby.example.org --name ann --tcp 127.0.0.1:7396
  wlnet host race --lobby tcp://lobby.example.org --udp 127.0.0.1:5029 --json

Others join it with: wlnet join "Ann's duel" --lobby tls://lobby.example.org

Nothing but that one address is ever connected to.

{EXIT_STATUS}
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``host``."""
    from wlnet.client.forward.places import Traffic, parse_target  # noqa: PLC0415 - other commands do without

    parser = commands.add_parser(
        "host",
        help="let others join a game on this machine",
        description="Let others join a game that runs on this machine. It needs no change and no open port.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    target = parser.add_argument_group("your game").add_mutually_exclusive_group(required=True)
    for traffic, what in ((Traffic.TCP, "TCP connections"), (Traffic.UDP, "UDP datagrams")):
        target.add_argument(
            f"--{traffic.value}",
            metavar="ADDR:PORT",
            dest="target",
            type=checked(partial(parse_target, traffic)),
            help=f"it takes {what} there",
        )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    def make(network: Network, tell: Tell, over: Over) -> Forwarding:
        from wlnet.client.forward.host import Host  # noqa: PLC0415

        return Host(network, arguments.game, arguments.target, tell, over, verbose=arguments.verbose)

    return play(arguments, make, f"Hosting {arguments.game} ({arguments.target})", _amounts)


def _amounts(forwarding: Forwarding) -> Amounts:
    from wlnet.client.forward.host import Host  # noqa: PLC0415

    def of(name: str) -> tuple[int, int]:
        if not isinstance(forwarding, Host):
            return 0, 0
        tallies = [guest.tally for guest in forwarding.guests.values() if guest.peer.name == name]
        return sum(one.sent for one in tallies), sum(one.received for one in tallies)

    return of
