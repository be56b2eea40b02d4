"""What docs/players.md and docs/protocols/forwarding.md show is what the programs do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import msgspec

from wlnet.cli.main import make_parser
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.reports import Report

DOCS = Path(__file__).parents[3] / "docs"
PLAYERS = (DOCS / "players.md").read_text(encoding="utf-8")
FORWARDING = (DOCS / "protocols/forwarding.md").read_text(encoding="utf-8")
KINDS = {one.__struct_config__.tag: one for one in get_args(Report)}


def test_every_event_is_in_the_table_with_its_members() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (?:host|guest|both) \| (.*) \|$", PLAYERS, re.MULTILINE))
    assert set(rows) == set(KINDS)
    for tag, row in rows.items():
        for name in KINDS[tag].__struct_encode_fields__:
            assert f"`{name}`" in row, (tag, name)


def test_the_lines_of_json_are_real() -> None:
    lines = [line.strip() for line in PLAYERS.splitlines() if line.startswith("    {")]
    assert [json.loads(line)["event"] for line in lines] == [
        "listening", "lobby", "joining", "peer", "path", "path", "path", "ended", "peer-gone", "closed",
    ]  # fmt: skip
    for line in lines:
        said = json.loads(line)
        del said["at"]
        assert msgspec.to_builtins(msgspec.convert(said, KINDS[said["event"]])) == said


def test_options_exist() -> None:
    helps = ""
    for command in ("host", "join"):
        (subparsers,) = make_parser(command)._subparsers._group_actions  # type: ignore[union-attr]
        helps += subparsers.choices[command].format_help()  # type: ignore[index]
    for option in re.findall(r"--[a-z][a-z-]*", PLAYERS):
        assert option in (helps + "--help"), option


def test_limits_are_those_of_the_program() -> None:
    limits = ForwardLimits()
    for text in (
        f"| connections | {limits.connections} (a tunnel has 64 streams)",
        f"| {limits.waiting}, for {limits.waiting_time:g} s each |",
        f"| flows | {limits.flows} |",
        f"| {limits.early_datagrams} and {limits.early_bytes // 1024} KiB, the newest |",
        f"after {limits.flow_idle:g} s without datagrams",
        f"takes no connection, within {limits.connect:g} s",
        f"at most every {limits.report_pause:g} s",
    ):
        assert text in FORWARDING, text
