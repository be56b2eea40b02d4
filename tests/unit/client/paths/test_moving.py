"""Play begins at once, moves to the best path without loss, and survives the end of any path."""

from __future__ import annotations

import pytest

from tests.unit.client.paths.network import SERVER, Peer, World, pair
from wlnet.client.paths import limits
from wlnet.client.paths.words import Failed, MoveReason, PathLost, PathValidated, RelayRefused
from wlnet.protocols.pairs import wire
from wlnet.steering.model import PathKind

D, P, R = PathKind.DIRECT, PathKind.PUNCHED, PathKind.RELAYED


def chatter(world: World, host: Peer, guest: Peer, seconds: float, first: int = 0) -> int:
    """Both send a numbered payload every 20 ms; the number of them."""
    for number in range(first, first + int(seconds / 0.02)):
        for peer in (host, guest):
            peer.paths.send(b"\x40%d" % number, world.now)
        world.run(0.02)
    return int(seconds / 0.02)


def numbers(peer: Peer) -> list[int]:
    return [int(payload[1:]) for _, payload in peer.got]


def test_first_payload_goes_over_the_relay_at_once() -> None:
    world, host, guest = pair("port-restricted", "port-restricted")
    start = world.now
    guest.paths.send(b"\x40first", world.now)
    world.begin()
    assert host.got[0][1] == b"\x40first"
    # Challenge and bind cost two round trips to the relay, the payload one through it.
    assert host.got[0][0] - start < 0.15
    assert (host.kind, guest.kind) == (R, R)


def test_move_without_loss() -> None:
    world, host, guest = pair("port-restricted", "port-restricted")
    world.begin()
    sent = chatter(world, host, guest, 3)
    world.run(0.5)
    assert (host.kind, guest.kind) == (P, P)
    assert sorted(numbers(host)) == sorted(numbers(guest)) == list(range(sent))
    assert [change.reason for _, change in guest.changes()] == [MoveReason.FIRST, MoveReason.BETTER]
    assert [change.reason for _, change in host.changes()] == [MoveReason.FIRST, MoveReason.PEER]
    # The old path stays a reserve.
    assert {path.step.kind for path in guest.paths.paths if path.alive} == {P, R}


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_falls_back_within_two_seconds_and_recovers(loss: float) -> None:
    world, host, guest = pair("port-restricted", "port-restricted", loss=loss)
    world.begin()
    world.run(5)
    assert (host.kind, guest.kind) == (P, P)
    host.got.clear()
    guest.got.clear()
    died = world.now
    world.cut = {"host", "guest"}
    chatter(world, host, guest, 4)
    assert (host.kind, guest.kind) == (R, R)
    for peer in (host, guest):
        back = next(at for at, payload in peer.got if int(payload[1:]) >= 10)
        assert back - died < 2
        lost = [event for at, event in peer.events if at >= died and isinstance(event, PathLost)]
        assert P in [event.kind for event in lost]
    world.cut = set()
    world.run(20)
    assert (host.kind, guest.kind) == (P, P)
    assert host.paths.current is not None
    assert host.paths.current.way.socket in host.sockets


def test_path_that_dies_in_one_direction_only() -> None:
    world, host, guest = pair("port-restricted", "port-restricted")
    world.begin()
    world.run(3)
    died = world.now
    world.cut = {"guest"}
    chatter(world, host, guest, 6)
    # Host to guest goes on working, and all the same both are on the relay.
    assert (host.kind, guest.kind) == (R, R)
    assert all(at - died < 2 for at, change in host.changes() if at > died and change.kind is R)


def test_no_endless_punching() -> None:
    world, _, guest = pair("port-restricted", "port-restricted")
    world.begin()
    world.run(3)
    world.cut = {"host", "guest"}
    world.run(200)
    assert [path.step.kind for path in guest.paths.paths] == [R]
    guest.sent.clear()
    world.run(20)
    assert {transmit.destination.host for _, transmit in guest.sent} == {SERVER}


def test_router_reboots() -> None:
    world, host, guest = pair("port-restricted", "port-restricted")
    world.begin()
    world.run(3)
    guest.nat.reboot()
    world.run(15)
    assert (host.kind, guest.kind) == (P, P)


def test_address_changes_with_the_reboot() -> None:
    """The host hears the guest from another port: it is learned from the authenticated check."""
    world, host, guest = pair("open", "sym-random")
    world.begin()
    world.run(3)
    assert (host.kind, guest.kind) == (D, D)
    before = host.paths.current
    guest.nat.reboot()
    world.run(15)
    assert (host.kind, guest.kind) == (D, D)
    assert before is not None
    assert host.paths.current is not None
    assert host.paths.current.way.remote != before.way.remote


def test_all_paths_die_with_the_mappings_of_one_side() -> None:
    """The relay is bound anew while the other path is still waited for."""
    world, host, guest = pair("port-restricted", "sym-seq")
    world.begin()
    world.run(5)
    assert (host.kind, guest.kind) == (P, P)
    for peer in (host, guest):
        peer.got.clear()
    guest.nat.reboot()
    died = world.now
    chatter(world, host, guest, 4)
    for peer in (host, guest):
        back = min(at for at, _ in peer.got if at > died + 0.1)
        assert back - died < 1.5


def test_router_that_forgets_quickly() -> None:
    world = pair("port-restricted", "port-restricted")[0]
    for peer in world.peers:
        peer.nat.timeout = 16
    world.begin()
    world.run(120)
    assert all(peer.kind is P for peer in world.peers)
    assert not [event for peer in world.peers for _, event in peer.events if isinstance(event, PathLost)]


def test_relay_goes_and_comes_back() -> None:
    world, host, guest = pair("sym-random", "sym-random")
    world.begin()
    world.run(3)
    world.relay.up = False
    world.run(6)
    assert {peer.kind for peer in world.peers} == {None}
    world.relay.up = True
    world.run(20)
    assert (host.kind, guest.kind) == (R, R)


def test_relay_forgets_us() -> None:
    world, host, guest = pair("sym-random", "sym-random")
    world.begin()
    world.run(3)
    world.relay.sides.clear()
    world.run(8)
    assert (host.kind, guest.kind) == (R, R)


def test_relay_refuses_the_ticket_and_a_new_one_helps() -> None:
    world, host, guest = pair("sym-random", "sym-random")
    world.begin()
    world.run(12)
    leg = next(transmit for _, transmit in reversed(guest.sent) if transmit.data[0] == wire.DATA)
    closing = b"\x2e" + leg.data[1:9] + b"REVOKED"
    guest.paths.receive(leg.socket, closing, leg.destination, world.now)
    world.run(4)
    assert [event for _, event in guest.events if isinstance(event, RelayRefused)] == [
        RelayRefused(word="REVOKED", final=True)
    ]
    assert [event for _, event in guest.events if isinstance(event, Failed)]
    assert guest.paths.current is None
    guest.paths.set_ticket(b"guest", world.now)
    world.run(5)
    assert (host.kind, guest.kind) == (R, R)


def test_new_ticket_for_a_side_that_belongs_to_the_old_one() -> None:
    world, host, guest = pair("sym-random", "sym-random")
    world.begin()
    world.run(12)
    world.relay.up = False
    world.run(3)
    world.relay.up = True
    world.relay.taken = b"guest"
    world.relay.sides.clear()
    guest.paths.set_ticket(b"guest-2", world.now)
    world.run(10)
    assert (host.kind, guest.kind) == (R, R)


def test_one_bind_a_connection() -> None:
    world, host, guest = pair("udp-blocked", "udp-blocked")
    world.delay = 0.8
    world.begin(tcp=True)
    world.run(12)
    assert (host.kind, guest.kind) == (R, R)
    for peer in (host, guest):
        binds = [one.socket for _, one in peer.sent if one.data[2:3] == bytes([wire.BIND])]
        assert len(binds) == len(set(binds)) == 1


def test_payload_over_both_paths_while_one_is_suspect() -> None:
    world, host, guest = pair("port-restricted", "port-restricted")
    world.begin()
    world.run(3)
    world.cut = {"guest"}
    world.run(limits.CURRENT_INTERVAL + limits.SUSPECT_AFTER + 0.1)
    assert guest.kind is P
    guest.paths.send(b"\x40hedged", world.now)
    world.run(0.2)
    assert [payload for _, payload in host.got] == [b"\x40hedged"]


def test_no_duplicates_unless_allowed() -> None:
    world, host, guest = pair("port-restricted", "port-restricted")
    guest.paths._duplicates = False
    world.begin()
    world.run(3)
    world.cut = {"guest"}
    world.run(limits.CURRENT_INTERVAL + limits.SUSPECT_AFTER + 0.1)
    guest.paths.send(b"\x40alone", world.now)
    world.run(0.2)
    assert host.got == []


def test_validated_paths_are_reported_with_their_round_trip() -> None:
    world, _, guest = pair("port-restricted", "port-restricted")
    world.begin()
    world.run(3)
    validated = [event for _, event in guest.events if isinstance(event, PathValidated)]
    assert [event.kind for event in validated] == [R, P]
    assert validated[1].rtt == pytest.approx(2 * world.delay)
    assert validated[0].rtt == pytest.approx(4 * world.delay)


def test_close_closes_everything() -> None:
    world, _, guest = pair("port-restricted", "port-restricted")
    world.begin()
    world.run(3)
    guest.paths.close()
    world.pump()
    assert guest.sockets == {}
    assert guest.paths.next_deadline() is None
    assert guest.paths.send(b"\x40late", world.now) is False


def test_every_open_path_is_used_every_fifteen_seconds() -> None:
    world, host, guest = pair("open", "sym-random")
    world.begin()
    world.run(4)
    start = world.now
    world.run(60)
    ways = [path.way for path in guest.paths.paths if path.alive and path.way.remote is not None]
    assert len(ways) > 1
    for way in ways:
        times = [at for at, one in guest.sent if at > start and (one.socket, one.destination) == way]
        gaps = [later - at for at, later in zip([start, *times], [*times, world.now], strict=True)]
        assert max(gaps) <= 15
    assert host.kind is D
