"""Forgetting all flows of a namespace, as a router does when it restarts."""

from __future__ import annotations

import socket
import struct

from tests.natlab.namespace import LabError, Namespace

NETLINK_NETFILTER = 12
_CTNETLINK_DELETE = (1 << 8) | 2
_REQUEST_AND_ACKNOWLEDGE = 1 | 4
_ERROR = 2


def flush(namespace: Namespace) -> None:
    """Delete every entry of the connection tracking table (one netlink message without attributes)."""
    payload = struct.pack("!BBH", socket.AF_UNSPEC, 0, 0)
    header = struct.pack("=IHHII", 16 + len(payload), _CTNETLINK_DELETE, _REQUEST_AND_ACKNOWLEDGE, 1, 0)

    def work() -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
            netlink.settimeout(5)
            netlink.send(header + payload)
            answer = netlink.recv(4096)
        kind, code = struct.unpack_from("=4xH10xi", answer)
        if kind != _ERROR or code:
            raise LabError(f"conntrack flush in {namespace.name}: {code}")

    namespace.call(work)
