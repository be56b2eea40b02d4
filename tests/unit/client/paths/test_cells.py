"""The path two peers end on, for pairs of routers of all kinds."""

from __future__ import annotations

import pytest

from tests.unit.client.paths.network import pair
from wlnet.steering.model import PathKind

D, M, P, R = PathKind.DIRECT, PathKind.MAPPED, PathKind.PUNCHED, PathKind.RELAYED

CELLS = [
    ("open", "open", D),
    ("open", "sym-random", D),
    ("sym-random", "open", D),
    ("port-restricted", "open", D),
    ("upnp", "port-restricted", M),
    ("upnp", "sym-random", M),
    ("upnp-sym", "cgn", M),
    ("full-cone", "port-restricted", P),
    ("full-cone", "sym-random", P),
    ("port-restricted", "port-restricted", P),
    ("port-restricted", "restricted", P),
    ("eim-remap", "cgn", P),
    ("open-fw", "port-restricted", P),
    ("restricted", "sym-random", P),
    ("sym-random", "restricted", P),
    ("port-restricted", "sym-seq", P),
    ("sym-seq", "sym-seq", P),
    ("port-restricted", "pr-collide", P),
    ("pr-collide", "pr-collide", P),
    ("sym-random", "sym-random", R),
    ("sym-random", "sym-seq", R),
    ("port-restricted", "udp-blocked", R),  # TCP punching is the kernel's; tests/natlab has that
]


@pytest.mark.parametrize(("host_kind", "guest_kind", "kind"), CELLS)
def test_cell(host_kind: str, guest_kind: str, kind: PathKind) -> None:
    world, host, guest = pair(host_kind, guest_kind)
    blocked = "udp-blocked" in (host_kind, guest_kind)
    world.begin(tcp=blocked)
    world.run(8)
    assert (host.kind, guest.kind) == (kind, kind)
    assert host.paths.current is not None
    assert guest.paths.current is not None
    if kind is not R:
        assert host.paths.current.step.number == guest.paths.current.step.number
    guest.paths.send(b"\x40over", world.now)
    host.paths.send(b"\x40back", world.now)
    world.run(0.5)
    assert [payload for _, payload in host.got] == [b"\x40over"]
    assert [payload for _, payload in guest.got] == [b"\x40back"]


def test_birthday() -> None:
    world, host, guest = pair("port-restricted", "sym-random", seed=3)
    world.begin(birthday=True)
    world.run(16)
    assert (host.technique, guest.technique) == ("birthday", "birthday")
    # What is of no use any more is closed again: the winner, the kept one, the relay's.
    assert len(guest.sockets) <= 4


def test_tcp_direct_where_udp_is_blocked() -> None:
    world, host, guest = pair("open", "udp-blocked")
    world.begin(tcp=True)
    world.run(8)
    assert (host.kind, guest.kind) == (D, D)
    guest.paths.send(b"\x40over", world.now)
    host.paths.send(b"\x40back", world.now)
    world.run(0.5)
    assert [payload for _, payload in host.got] == [b"\x40over"]
    assert [payload for _, payload in guest.got] == [b"\x40back"]
