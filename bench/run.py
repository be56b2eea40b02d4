#!/usr/bin/env python3
"""Runs the benchmarks: every case on every server, freshly started, in rounds; then the report.

Server and load generator get a core each. A run begins when the machine is quiet, and if one of the two had
to wait for its core (other programs were running) there is another one. Nothing runs without a time limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import report
from servers import HERE, SERVERS, running

LOAD_LIMIT = 150.0
"""Seconds one run of a load generator may take."""
_BUSY = 0.05
"""Share of the processor that others may use when a run is begun."""

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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server is stopped as well
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
    parser.add_argument("--tries", type=int, default=4, help="rounds at most, for each one wanted")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for a quiet machine")
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
    """Go through all cases again and again until each has enough undisturbed runs on each server."""
    end = time.monotonic() + options.limit
    known = RELAY_CASES if options.what == "relay" else LOBBY_CASES
    cases = options.cases.split(",") if options.cases else list(known)
    servers = options.servers.split(",") if options.what == "relay" else ["wlnet"]
    quiet: Counter[tuple[str, str]] = Counter()
    for number in range(options.rounds * options.tries):
        for case in cases:
            for server in random.sample(servers, len(servers)):  # no server always after the same other one
                if quiet[case, server] >= options.rounds:
                    continue
                _await_quiet(options.patience)
                if time.monotonic() > end:
                    print("the time is over", file=sys.stderr)
                    return
                row = _run(options, server, case)
                now = datetime.now(UTC).isoformat(timespec="seconds")
                row.update(case=case, server=server, round=number, when=now)
                quiet[case, server] += report.disturbance(row) <= report.QUIET
                print(_line(row), file=sys.stderr)
                keep(row)


def _await_quiet(patience: float) -> None:
    """Wait, but not for ever, until other programs leave the processor alone."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        busy, idle = _processor()
        time.sleep(0.4)
        more_busy, more_idle = _processor()
        if more_busy - busy < _BUSY * (more_busy - busy + more_idle - idle):
            return


def _processor() -> tuple[int, int]:
    """Clock ticks of all cores so far: busy and idle."""
    fields = [int(field) for field in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, idle


def _run(options: argparse.Namespace, server: str, case: str) -> Row:
    if case in LOBBY_CASES:
        command = [sys.executable, str(HERE / "lobby_load.py"), "--clients", str(LOBBY_CASES[case])]
        games = 0
    else:
        command = [str(HERE / "bin" / "relay_load"), *RELAY_CASES[case].split()]
        games = int(command[command.index("--games") + 1])
        if "--secs" not in command:
            command += (
                ["--warm", "0.3", "--secs", "0.5"] if options.quick else ["--warm", "0.7", "--secs", "2"]
            )
    try:
        with running(server, games, options.server_core) as found:
            command += ["--pid", str(found.pid)]
            if case not in LOBBY_CASES:
                command += ["--relay", found.relay]
            if found.lobby is not None:
                command += ["--lobby", found.lobby]
            pinned = ["taskset", "-c", str(options.load_core), *command]
            done = subprocess.run(
                pinned, stdout=subprocess.PIPE, timeout=LOAD_LIMIT, check=False, start_new_session=True
            )
            row: Row = json.loads(done.stdout)
    except (RuntimeError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        return {"error": str(error)}
    row["load"] = round(os.getloadavg()[0], 2)
    return row


def _line(row: Row) -> str:
    waited = f"disturbed {report.disturbance(row):.3f}"
    problem = row.get("error") or (row.get("errors") and row.get("first_error")) or ""
    value = f"{row['us_per_delivery']:.3f} us" if "us_per_delivery" in row else ""
    return f"{row['round']} {row['case']} {row['server']}: {value} ({waited}) {problem}"


if __name__ == "__main__":
    main()
