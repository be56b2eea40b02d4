#!/usr/bin/env python3
"""Runs the benchmarks: every case on every server, freshly started, in rounds; then the report.

Server and load generator get a core each. A run in which one of them had to wait for its core (other
programs were running) is repeated, and the quietest one is kept. Nothing here runs without a time limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import report
from servers import HERE, SERVERS, running

LOAD_LIMIT = 150.0
"""Seconds one run of a load generator may take."""

RELAY_CASES = {
    "game50": "paced --games 50 --clients 1 --size 5-21 --rate 5.5",
    "game500": "paced --games 500 --clients 1 --size 5-21 --rate 5.5",
    "heavy50": "paced --games 50 --clients 3 --size 200 --rate 10",
    "heavy500": "paced --games 500 --clients 3 --size 200 --rate 10",
    "single": "window --games 64 --clients 1 --size 200 --window 1",
    "fan8": "window --games 16 --clients 8 --senders 1 --size 200 --window 1",
    "fan32": "window --games 4 --clients 32 --senders 1 --size 200 --window 1",
    "saturated20": "window --games 16 --clients 4 --size 20 --window 32",
    "saturated200": "window --games 16 --clients 4 --size 200 --window 32",
    "stall": "stall --games 4 --clients 4 --size 1400 --rate 2000 --warm 2 --secs 6",
    "idle": "idle --games 2000 --clients 3 --warm 2 --secs 2",
}
LOBBY_CASES = {"lobby200": 200, "lobby1000": 1000, "lobby3000": 3000}

Row = dict[str, Any]


def main() -> None:
    options = _options()
    results = Path(options.results)
    if not options.report_only:
        results.parent.mkdir(parents=True, exist_ok=True)
        with results.open("a", encoding="ascii") as file:
            _measure(options, lambda row: print(json.dumps(row), file=file, flush=True))
    print(report.report([json.loads(line) for line in results.read_text("ascii").splitlines()]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["relay", "lobby"])
    parser.add_argument("--cases", help="some of them, with commas between")
    parser.add_argument("--servers", default=",".join(SERVERS), help="of the relay cases: some, with commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tries", type=int, default=4, help="runs until one was not disturbed")
    parser.add_argument(
        "--quiet",
        type=float,
        default=report.QUIET,
        help="share of time waited for a core that is no disturbance",
    )
    parser.add_argument("--limit", type=float, default=2400, help="seconds after which no run is begun")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a short look whether everything works")
    parser.add_argument("--results", help="file the runs are added to (default: a new one in results/)")
    parser.add_argument("--report-only", action="store_true", help="only report what is in --results")
    options = parser.parse_args()
    if options.results is None:
        if options.report_only:
            parser.error("--report-only needs --results")
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        options.results = str(HERE / "results" / f"{options.what}-{stamp}.jsonl")
    return options


def _measure(options: argparse.Namespace, keep: Callable[[Row], None]) -> None:
    end = time.monotonic() + options.limit
    cases = (
        options.cases.split(",")
        if options.cases
        else list(RELAY_CASES if options.what == "relay" else LOBBY_CASES)
    )
    servers = options.servers.split(",") if options.what == "relay" else ["wlnet"]
    for number in range(options.rounds):
        for case in cases:
            for server in random.sample(servers, len(servers)):  # no server always after the same other one
                if time.monotonic() > end:
                    print("the time is over", file=sys.stderr)
                    return
                row = _quietest(options, server, case, end)
                row.update(
                    case=case,
                    server=server,
                    round=number,
                    when=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                print(_line(row), file=sys.stderr)
                keep(row)


def _quietest(options: argparse.Namespace, server: str, case: str, end: float) -> Row:
    best: Row = {}
    for attempt in range(options.tries):
        row = _run(options, server, case)
        row["tries"] = attempt + 1
        if not best or report.disturbance(row) < report.disturbance(best):
            best = row
        if report.disturbance(best) <= options.quiet or time.monotonic() > end:
            break
    return best


def _run(options: argparse.Namespace, server: str, case: str) -> Row:
    if case in LOBBY_CASES:
        command = [sys.executable, str(HERE / "lobby_load.py"), "--clients", str(LOBBY_CASES[case])]
        games = 0
    else:
        command = [str(HERE / "bin" / "relay_load"), *RELAY_CASES[case].split()]
        games = int(command[command.index("--games") + 1])
        if options.quick and "--secs" not in command:
            command += ["--warm", "0.3", "--secs", "0.5"]
    try:
        with running(server, games, options.server_core) as found:
            command += ["--pid", str(found.pid)]
            if case not in LOBBY_CASES:
                command += ["--relay", found.relay]
            if found.lobby is not None:
                command += ["--lobby", found.lobby]
            pinned = ["taskset", "-c", str(options.load_core), *command]
            done = subprocess.run(pinned, stdout=subprocess.PIPE, timeout=LOAD_LIMIT, check=False)
            row: Row = json.loads(done.stdout)
    except (RuntimeError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        return {"error": str(error)}
    row["load"] = round(os.getloadavg()[0], 2)
    return row


def _line(row: Row) -> str:
    waited = f"disturbed {report.disturbance(row):.3f}, tries {row['tries']}"
    problem = row.get("error") or (row.get("errors") and row.get("first_error")) or ""
    value = f"{row['us_per_delivery']:.3f} us" if "us_per_delivery" in row else ""
    return f"{row['round']} {row['case']} {row['server']}: {value} ({waited}) {problem}"


if __name__ == "__main__":
    main()
