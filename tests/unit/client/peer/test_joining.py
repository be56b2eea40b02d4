"""From a listed game to a game played over the best path there is."""

from __future__ import annotations

import pytest

from tests.unit.client.peer.town import GAME, Town
from wlnet.steering.model import PathKind

D, P, R = PathKind.DIRECT, PathKind.PUNCHED, PathKind.RELAYED


@pytest.mark.parametrize(
    ("host_kind", "guest_kind", "best"),
    [
        ("open", "open", D),
        ("open", "sym-random", D),
        ("port-restricted", "port-restricted", P),
        ("full-cone", "sym-random", P),
        ("sym-seq", "port-restricted", P),
        ("sym-random", "sym-random", R),
        ("udp-blocked", "open", D),
        ("udp-blocked", "sym-random", R),
    ],
)
def test_playing_at_once_and_on_the_best_path_soon(host_kind: str, guest_kind: str, best: PathKind) -> None:
    town = Town()
    host, guest = town.pair(host_kind, guest_kind)
    guest.party.join(GAME)
    assert town.net.run_until(lambda: host.ready and guest.ready, 3) < 1.0
    chat = guest.open()
    chat.send(b"moves")
    assert town.net.run_until(lambda: host.chats and host.chats[0].got == b"moves", 1) < 0.3
    town.net.run_until(lambda: guest.kind is best and host.kind is best, 6)
    town.net.advance(5)
    assert guest.kind is best
    assert host.kind is best
    town.close()
