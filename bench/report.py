"""Tables of medians and ratios from the runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

QUIET = 0.08
"""A run is disturbed if server or generator waited for a core for a larger share of the time."""

Row = dict[str, Any]
Figure = Callable[[Row], float | None]


def disturbance(row: Row) -> float:
    """The larger of both shares; a run that failed counts as disturbed throughout."""
    if "error" in row:
        return 1.0
    return float(max(row.get("server_waited", 0), row.get("generator_waited", 0)))


def machine() -> str:
    """Where and with what this was measured."""
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return (
        f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, CPython {platform.python_version()}, "
        f"Twisted {version('Twisted')}"
    )


def report(rows: list[Row]) -> str:
    """All tables, as Markdown."""
    parts = [machine()]
    for case in dict.fromkeys(row["case"] for row in rows):
        of_case = [row for row in rows if row["case"] == case]
        table = _lobby_table if case.startswith("lobby") else _TABLES.get(case, _message_table)
        parts.append(f"### {case}\n\n{table(of_case)}")
    return "\n\n".join(parts)


def _by_server(rows: list[Row]) -> dict[str, list[Row]]:
    servers: dict[str, list[Row]] = {}
    for row in rows:
        servers.setdefault(row["server"], []).append(row)
    order = ["reference", "wlnet", "relay", "plain"]
    return {name: servers[name] for name in order if name in servers}


def _median(rows: list[Row], figure: Figure) -> float | None:
    """Of the undisturbed runs if there are any, else of all."""
    good = [row for row in rows if "error" not in row]
    quiet = [row for row in good if disturbance(row) <= QUIET] or good
    values = [value for value in map(figure, quiet) if value is not None]
    return median(values) if values else None


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def _runs(rows: list[Row]) -> str:
    """How many runs, how many of them disturbed, how many failed."""
    disturbed = sum(1 for row in rows if "error" not in row and disturbance(row) > QUIET)
    failed = sum(1 for row in rows if "error" in row or row.get("errors"))
    return f"{len(rows)} / {disturbed} / {failed}"


def _table(head: list[str], lines: list[list[str]]) -> str:
    head = [*head, "runs / disturbed / with errors"]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def _message_table(rows: list[Row]) -> str:
    servers = _by_server(rows)
    base = _median(servers.get("reference", []), lambda row: row.get("us_per_delivery"))
    lines = []
    for name, runs in servers.items():
        cost = _median(runs, lambda row: row.get("us_per_delivery"))
        lines.append([
            name,
            _number(base / cost, 2) if base and cost else "-",
            _number(cost),
            _number(_median(runs, lambda row: row["deliveries_per_s"])),
            _number(_median(runs, lambda row: row["server_cores"])),
            _number(_median(runs, lambda row: row["round_trip"]["p50_us"])),
            _number(_median(runs, lambda row: row["round_trip"]["p99_us"])),
            _runs(runs),
        ])  # fmt: skip
    return _table(
        ["server", "CPU speed, reference = 1", "CPU us per delivery", "deliveries/s", "server's cores",
         "round trip p50 us", "p99 us"],
        lines,
    )  # fmt: skip


def _stall_table(rows: list[Row]) -> str:
    lines = []
    for name, runs in _by_server(rows).items():

        def p99(key: str, runs: list[Row] = runs) -> float | None:
            return _median(runs, lambda row: row[key]["p99_us"])

        lines.append([
            name,
            _number(p99("same_game_before")),
            _number(p99("same_game_until_cut")),
            _number(p99("same_game_after_cut")),
            _number(p99("others_before")),
            _number(p99("others_during")),
            _number(_median(runs, lambda row: row["longest_silence_ms"])),
            _number(_median(runs, lambda row: row["cut_after_s"])),
            _number(_median(runs, lambda row: row["memory_growth_kib"] / 1024)),
            _runs(runs),
        ])  # fmt: skip
    return _table(
        ["server", "same game p99 us before", "until the slow one is cut", "afterwards", "other games before",
         "other games during", "longest silence ms", "cut after s", "memory growth MiB"],
        lines,
    )  # fmt: skip


def _idle_table(rows: list[Row]) -> str:
    lines = [
        [
            name,
            _number(_median(runs, lambda row: row["bytes_per_connection"])),
            _number(_median(runs, lambda row: row["join_us_per_connection"])),
            _number(_median(runs, lambda row: row["server_cores"])),
            _runs(runs),
        ]
        for name, runs in _by_server(rows).items()
    ]
    return _table(
        ["server", "bytes of memory per connection", "CPU us per connection joined", "idle server's cores"],
        lines,
    )


def _lobby_table(rows: list[Row]) -> str:
    single = _median(rows, lambda row: row["single_cpu_ms"])
    burst = _median(rows, lambda row: row["burst_cpu_ms"])
    joins = _median(rows, lambda row: row["burst_joins"]) or 0
    line = [
        _number(_median(rows, lambda row: row["bytes_per_client"])),
        _number(single),
        _number(_median(rows, lambda row: row["single_mb"])),
        _number(_median(rows, lambda row: row["single_lists"])),
        _number(_median(rows, lambda row: row["single_spread_s"])),
        _number(burst),
        _number(burst / (joins * single), 2) if burst and single and joins else "-",
        _number(_median(rows, lambda row: row["burst_lists_per_client"])),
        _runs(rows),
    ]
    return _table(
        ["memory per idle client B", "one join: CPU ms", "MB sent", "lists sent", "s until all have it",
         f"{joins:.0f} joins within 1 s: CPU ms", "as a share of single joins", "lists per client"],
        [line],
    )  # fmt: skip


_TABLES: dict[str, Callable[[list[Row]], str]] = {"stall": _stall_table, "idle": _idle_table}
