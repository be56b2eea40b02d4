"""Strangers, liars and floods: nothing of them reaches the game, and nothing grows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.client.peer.town import GAME, Player, Town, identity, numbered
from wlnet.client.paths.limits import Dropped
from wlnet.client.peer.peer import Peer
from wlnet.client.tunnel.tunnel import TunnelError
from wlnet.protocols.stun.wire import Endpoint
from wlnet.rendezvous.events import Begin, Told
from wlnet.steering.model import Family, PathKind, Side

P, R = PathKind.PUNCHED, PathKind.RELAYED
SMALLEST_PATH = 1280
"""Bytes every IPv6 path takes; an IPv6 and a UDP header are 48 of them."""


def begun(player: Player, change: dict[str, object]) -> None:
    """The lobby tells that player beginnings with something changed."""
    told = player.party.lobby_told

    def lied(one: Told) -> None:
        told(replace(one, **change) if isinstance(one, Begin) else one)

    player.party.lobby_told = lied  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("victim", ["host", "guest"])
def test_who_shows_another_certificate_is_not_played_with(victim: str) -> None:
    town = Town()
    host, guest = town.pair("open", "open")
    begun(host if victim == "host" else guest, {"fingerprint": identity(99).fingerprint})
    guest.party.join(GAME)
    town.net.advance(8)
    assert not guest.ready
    assert not guest.chats + host.chats + guest.datagrams + host.datagrams
    town.net.run_until(lambda: guest.said("refused join"), 70)
    town.net.advance(40)
    assert not host.party.peers
    assert not guest.party.peers
    town.close()


def test_who_does_not_know_the_secret_is_not_even_heard() -> None:
    town = Town()
    host, guest = town.pair("open", "open")
    begun(host, {"secret": "ab" * 32})
    guest.party.join(GAME)
    town.net.advance(10)
    assert not host.ready
    assert not guest.ready
    for peer in host.party.peers:
        assert peer.path is None
    guest.party.close(lambda: None)
    town.players.remove(guest)
    town.close()


@pytest.mark.parametrize("secret", ["", "zz" * 32, "ab" * 31])
def test_a_lobby_that_tells_nonsense(secret: str) -> None:
    town = Town()
    host, guest = town.pair("open", "open")
    begun(host, {"secret": secret})
    guest.party.join(GAME)
    town.net.advance(2)
    assert not host.party.peers
    assert "nonsense" in str(host.said("line")[0])
    guest.party.close(lambda: None)
    town.players.remove(guest)
    town.close()


def test_beginnings_nobody_asked_for_are_left() -> None:
    town = Town()
    host, guest = town.pair("open", "open")
    begin = Begin(
        attempt=77,
        side=Side.GUEST,
        game="other",
        traffic="tcp",
        peer="eve",
        fingerprint="e" * 64,
        secret="ab" * 32,
        gather=2.0,
        relay=None,
    )
    sockets = guest.machine.open
    for number in range(100):
        guest.party.lobby_told(replace(begin, attempt=100 + number))
        host.party.lobby_told(replace(begin, attempt=100 + number, side=Side.HOST))
    assert not guest.party.peers
    assert not host.party.peers
    assert guest.machine.open == sockets
    town.close()


def test_no_more_guests_than_allowed() -> None:
    town = Town()
    host = town.player("ann", "open", max_peers=2)
    host.party.host(GAME)
    guests = [town.player(f"guest{number}", "open") for number in range(3)]
    town.net.run_until(lambda: host.said("published") and all(one.said("ready") for one in guests))
    for guest in guests:
        guest.party.join(GAME)
        town.net.advance(2)
    assert [bool(guest.ready) for guest in guests] == [True, True, False]
    assert len(host.party.peers) == 2
    guests[0].party.close(lambda: None)
    town.net.run_until(lambda: guests[2].ready, 30)  # it kept asking
    town.players.remove(guests[0])
    town.close()


def test_a_flood_of_junk_disturbs_nobody() -> None:
    town = Town()
    host, guest = town.joined("open", "open")
    town.net.run_until(lambda: guest.kind is PathKind.DIRECT and host.kind is PathKind.DIRECT, 5)
    eve = town.net.host("eve", ["198.51.100.66"])
    socket = eve.open_datagram(Family.V4, lambda data, source: None)
    ports = [one.local.port for one in host.machine.datagram_sockets]
    packets = [bytes([first]) + numbered(32 if first in (0x21, 0x22) else 200, first) for first in range(256)]
    chat = guest.open()
    data = numbered(100_000)
    chat.send(data, end=True)
    for turn in range(40):
        for port in ports:
            for packet in packets:
                socket.send(packet, Endpoint("198.51.100.1", port))
        town.net.advance(0.05)
        assert turn < 2 or host.peer.path is not None
    town.net.run_until(lambda: host.chats[0].is_ended, 5)
    assert host.chats[0].got == data
    dropped = host.peer._routes.carrier.paths.dropped
    assert dropped[Dropped.STRANGE] + dropped[Dropped.JUNK] > 1000
    assert all(
        path.way.remote is None or path.way.remote.host != "198.51.100.66"
        for path in host.peer._routes.carrier.paths.paths
    )
    town.close()


def test_a_peer_who_opens_streams_without_end_and_reads_nothing() -> None:
    town = Town()
    host, guest = town.joined("open", "open")
    mine = [guest.open() for _ in range(guest.party.options.tunnel.streams - 1)]  # one was the greeting
    with pytest.raises(TunnelError, match="too many"):
        guest.open()
    town.net.advance(1)
    chat = host.chats[0]
    chat.reads = False
    mine[0].send(numbered(3_000_000))
    town.net.advance(20)
    limit = host.party.options.tunnel.stream_window
    assert 0 < len(chat.got) <= limit
    host.chats[1].send(b"others are not held up")
    town.net.run_until(lambda: mine[1].got == b"others are not held up", 2)
    chat.read_on()
    town.net.run_until(lambda: len(chat.got) == 3_000_000, 60)
    town.close()


def test_a_game_may_refuse_a_stream_and_break_one_off() -> None:
    town = Town()
    host, guest = town.joined("open", "open")
    host.peer_stream = lambda peer, stream: None  # type: ignore[method-assign]
    refused = guest.open()
    town.net.run_until(lambda: refused.broken, 2)
    del host.peer_stream
    taken = guest.open()
    taken.send(b"x")
    town.net.run_until(lambda: host.chats, 2)
    assert host.chats[0].stream is not None
    host.chats[0].stream.reset()
    town.net.run_until(lambda: taken.broken, 2)
    assert taken.stream is not None
    assert taken.stream.write(b"more") == 0
    assert guest.peer.ready
    with pytest.raises(ValueError, match="purpose"):
        guest.open(purpose=255)
    town.close()


def test_packets_fit_into_every_path_also_within_the_relay() -> None:
    town = Town()
    largest = 0

    def seen(name: str, source: Endpoint, destination: Endpoint, data: bytes) -> None:
        nonlocal largest
        largest = max(largest, len(data))

    host, guest = town.joined("sym-random", "sym-random")
    town.net.taps.append(seen)
    guest.open().send(numbered(300_000), end=True)
    guest.peer.send_datagram(numbered(60_000))
    town.net.run_until(lambda: host.chats and host.chats[0].is_ended and host.datagrams, 60)
    assert guest.kind is R
    assert 1200 < largest <= SMALLEST_PATH - 48
    town.close()


def test_the_lobby_hears_only_what_is_true() -> None:
    """A path counts when bytes of the other came out of the tunnel, on both sides."""
    town = Town()
    _, guest = town.pair("open", "open")
    begun(guest, {"fingerprint": identity(99).fingerprint})  # the handshake cannot end well
    guest.party.join(GAME)
    town.net.advance(10)
    for meeting in town.server.desk._meetings:
        outcome = meeting.attempt.outcome
        assert outcome is None or outcome.step is None
    guest.party.close(lambda: None)
    town.players.remove(guest)
    town.close()


def test_a_host_refused_by_the_lobby_hears_why() -> None:
    town = Town()
    _, guest = town.pair("open", "open")
    guest.party.host(GAME)
    town.net.run_until(lambda: guest.said("refused publish"), 2)
    guest.party.join("nothing of that name")
    town.net.run_until(lambda: guest.said("refused join"), 2)
    assert "no peer game" in str(guest.said("refused join")[0])
    town.close()


def test_a_mistake_of_the_user_stops_nothing_but_itself() -> None:
    town = Town()
    host, guest = town.joined("open", "open")

    def mistake(peer: Peer, data: bytes) -> None:
        host.datagrams.append(data)
        if data == b"two":
            raise ZeroDivisionError

    host.peer_datagram = mistake  # type: ignore[method-assign]
    for data in (b"one", b"two", b"three"):
        guest.peer.send_datagram(data)
    with pytest.raises(ZeroDivisionError):
        town.net.advance(1)
    town.net.advance(1)
    assert host.datagrams == [b"one", b"two", b"three"]
    town.net.advance(30)
    guest.open().send(b"on")
    town.net.run_until(lambda: host.chats and host.chats[0].got == b"on", 1)
    town.close()
