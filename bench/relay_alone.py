#!/usr/bin/env python3
"""wlnet's relay without a lobby: rooms g0, g1, ... with password "pw" are open from the start.

For measurements of the relay alone, with either of its two shells.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.logger import globalLogBeginner, textFileLogObserver

from wlnet.agenda import Agenda
from wlnet.config import schema
from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.budget import QueueBudget
from wlnet.limits.gate import ConnectionGate
from wlnet.metrics import Metrics
from wlnet.protocols.widelands_relay.server import RelayFactory
from wlnet.relay.relay import Relay
from wlnet.service.ticker import Ticker

reactor: Any = installed_reactor  # several interfaces at once


class _Nobody:
    def room_hosted(self, room_id: str) -> None:
        """No lobby is there to be told."""

    def room_closed(self, room_id: str) -> None:
        """No lobby is there to be told."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ready_file", type=Path)
    parser.add_argument("games", type=int)
    parser.add_argument("--plain", action="store_true", help="the shell that uses Twisted's transports")
    options = parser.parse_args()
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    settings = schema.Relay(max_games=options.games, host_timeout=schema.TEN_YEARS)
    limits = schema.Limits()
    agenda = Agenda(time.monotonic)
    relay = Relay(settings, limits, agenda, Metrics(), QueueBudget(limits.total_queues), _Nobody())
    for number in range(options.games):
        if not relay.open_room(f"room{number}", f"g{number}", "pw", ""):
            raise SystemExit("a room could not be opened")
    Ticker(agenda, reactor).startService()
    gate = ConnectionGate(100_000, 100_000, TrustedNetworks(()))
    factory = RelayFactory(relay, gate, lambda _: None, reactor=reactor, direct=not options.plain)
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    place = {"name": "relay", "proto": "tcp", "host": "127.0.0.1", "port": port.getHost().port}
    draft = options.ready_file.with_name("draft")
    draft.write_text(json.dumps({"pid": os.getpid(), "listening": [place]}), encoding="ascii")
    draft.replace(options.ready_file)
    reactor.run()


if __name__ == "__main__":
    main()
