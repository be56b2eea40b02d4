"""Asks the system for its routes. This blocks: call it in a thread."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from wlnet.client.mapping.gateway import (
    Gateways,
    parse_linux_v4,
    parse_linux_v6,
    parse_netstat,
    parse_route_print,
)

TIMEOUT = 3.0
LARGEST = 1 << 20

_NETSTAT = ("/usr/sbin/netstat", "-rn")
_NETSTAT_ELSEWHERE = ("netstat", "-rn")
_ROUTE_PRINT = ("route", "print")


def read_gateways() -> Gateways:
    """The default gateways as the system has them now; empty where it does not say."""
    if platform.system() == "Linux":
        return Gateways(
            parse_linux_v4(_read("/proc/net/route")), parse_linux_v6(_read("/proc/net/ipv6_route"))
        )
    if os.name == "nt":
        return parse_route_print(_run(_ROUTE_PRINT))
    return parse_netstat(_run(_NETSTAT) or _run(_NETSTAT_ELSEWHERE))


def _read(path: str) -> str:
    try:
        with Path(path).open(encoding="ascii", errors="replace") as table:
            return table.read(LARGEST)
    except OSError:
        return ""


def _run(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout[:LARGEST].decode("latin-1")
