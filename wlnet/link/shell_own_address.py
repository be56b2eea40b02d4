"""Asks the operating system which of its addresses it would use towards the world."""

from __future__ import annotations

import socket

# Documentation networks (RFC 5737, RFC 3849): routed like the rest of the world, and nothing is sent.
_WORLD = {4: (socket.AF_INET, "192.0.2.1"), 6: (socket.AF_INET6, "2001:db8::1")}


def own_address(family: int) -> str | None:
    """This machine's own address of *family* (4 or 6), or None if it has no route there."""
    kind, target = _WORLD[family]
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))  # binds to the address a packet would leave from, sends none
            return str(probe.getsockname()[0])
    except OSError:
        return None
