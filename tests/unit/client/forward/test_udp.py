"""UDP games carried between simulated machines: flows, sizes, expiry, bounds."""

from __future__ import annotations

import errno

import pytest

from tests.support.simnet import SimDatagramSocket, SimHost
from tests.unit.client.forward.village import GAME_PORT, UdpGame, Village, clean
from wlnet.client.forward.limits import ForwardLimits
from wlnet.client.forward.reports import Listening, PeerGone, Trouble
from wlnet.client.net.network import Received
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family


def door(guest_port: int) -> Endpoint:
    return Endpoint("127.0.0.1", guest_port)


def test_datagrams_of_two_programs_are_kept_apart() -> None:
    village = Village()
    ann, host, bob, guest = village.joined("udp")
    game = UdpGame(ann.machine, GAME_PORT, echoes=True)
    one, two = UdpGame(bob.machine), UdpGame(bob.machine)
    for number in range(100):
        one.socket.send(b"one %d" % number, door(guest.local.port))
        two.socket.send(b"two %d" % number, door(guest.local.port))
        village.net.advance(0.02)
    village.net.advance(1)
    assert one.data == [b"one %d" % number for number in range(100)]
    assert two.data == [b"two %d" % number for number in range(100)]
    assert {source for _, source in one.got} == {door(guest.local.port)}
    sources = {data[:3]: source for data, source in game.got}
    assert len({source for _, source in game.got}) == 2
    assert sources[b"one"] != sources[b"two"]
    assert guest.udp is not None
    assert guest.udp.flows == 2
    assert (guest.tally.flows, guest.tally.sent, guest.tally.dropped) == (2, guest.tally.received, {})
    guest.close("enough")
    host.close("enough")
    village.until(lambda: ann.code == 0 and bob.code == 0, 2.01)
    for socket in (game, one, two):
        socket.socket.close()
    village.net.advance(20)
    clean(ann)
    clean(bob)
    (gone,) = ann.said(PeerGone)
    assert gone.sent == gone.received == 100 * 2 * len(b"one 10") - 20


@pytest.mark.parametrize("size", [0, 1, 1150, 1200, 20_000, 65_507])
def test_any_size_a_game_can_send(size: int) -> None:
    village = Village()
    ann, _, bob, guest = village.joined("udp")
    UdpGame(ann.machine, GAME_PORT, echoes=True)
    mine = UdpGame(bob.machine)
    village.net.advance(5)
    mine.socket.send(b"z" * size, door(guest.local.port))
    village.until(lambda: mine.got, 5)
    assert mine.data == [b"z" * size]


def test_the_newest_datagrams_wait_for_the_path() -> None:
    village = Village()
    ann, _ = village.listed(traffic="udp")
    game = UdpGame(ann.machine, GAME_PORT)
    bob, guest = village.guest(at="udp:127.0.0.1:0", limits=ForwardLimits(early_datagrams=3))
    mine = UdpGame(bob.machine)
    for number in range(5):
        mine.socket.send(b"%d" % number, door(guest.local.port))
    village.until(lambda: len(game.got) == 3)
    assert sorted(game.data) == [b"2", b"3", b"4"]
    assert guest.tally.dropped == {"no path": 2}


def test_early_bytes_are_bounded_too() -> None:
    village = Village()
    bob, guest = village.guest(at="udp:127.0.0.1:0", limits=ForwardLimits(early_bytes=1000))
    mine = UdpGame(bob.machine)
    for _ in range(5):
        mine.socket.send(b"x" * 400, door(guest.local.port))
    village.net.advance(0.1)
    assert guest.tally.dropped == {"no path": 3}


def test_a_silent_flow_ends_and_a_talking_one_does_not() -> None:
    village = Village()
    ann, host, bob, guest = village.joined("udp")
    UdpGame(ann.machine, GAME_PORT)
    quiet, busy = UdpGame(bob.machine), UdpGame(bob.machine)
    quiet.socket.send(b"once", door(guest.local.port))
    for _ in range(25):
        busy.socket.send(b"often", door(guest.local.port))
        village.net.advance(5)
    (one,) = host.guests.values()
    assert guest.udp is not None
    assert one.udp is not None
    assert (guest.udp.flows, one.udp.flows) == (1, 1)
    village.net.advance(130)
    assert (guest.udp.flows, one.udp.flows) == (0, 0)
    quiet.socket.send(b"again", door(guest.local.port))
    village.net.advance(1)
    assert (guest.udp.flows, one.udp.flows) == (1, 1)


@pytest.mark.parametrize("limited", ["guest", "host"])
def test_only_so_many_flows_the_newest_live(limited: str) -> None:
    few = ForwardLimits(flows=3)
    village = Village()
    ann, host, bob, guest = village.joined(
        "udp",
        host_limits=few if limited == "host" else None,
        limits=few if limited == "guest" else None,
    )
    UdpGame(ann.machine, GAME_PORT, echoes=True)
    games = [UdpGame(bob.machine) for _ in range(5)]
    for game in games:
        game.socket.send(b"hello", door(guest.local.port))
        village.net.advance(1)
    assert all(game.data == [b"hello"] for game in games)
    (one,) = host.guests.values()
    assert guest.udp is not None
    assert one.udp is not None
    assert (guest.udp.flows, one.udp.flows) == ((3, 5) if limited == "guest" else (5, 3))
    (trouble,) = (bob if limited == "guest" else ann).said(Trouble)
    assert "more than 3 ports" in trouble.text
    games[0].socket.send(b"again", door(guest.local.port))
    village.until(lambda: games[0].data == [b"hello", b"again"])


def test_only_the_game_itself_is_heard_at_the_host() -> None:
    village = Village()
    ann, _, bob, guest = village.joined("udp")
    game = UdpGame(ann.machine, GAME_PORT)
    mine = UdpGame(bob.machine)
    mine.socket.send(b"hello", door(guest.local.port))
    village.until(lambda: game.got)
    (_, source) = game.got[0]
    stranger = UdpGame(ann.machine)
    stranger.socket.send(b"not the game", source)
    game.socket.send(b"the game", source)
    village.net.advance(2)
    assert mine.data == [b"the game"]


def test_a_guest_who_sends_nonsense_is_counted_and_told_of_once() -> None:
    village = Village()
    ann, host, bob, guest = village.joined("udp")
    assert guest.peer is not None
    for _ in range(10):
        guest.peer.send_datagram(b"x")
    village.net.advance(1)
    (one,) = host.guests.values()
    assert one.tally.dropped == {"malformed": 10}
    assert len(ann.said(Trouble)) == 1
    (peer,) = host.guests
    peer.send_datagram(b"x")
    peer.send_datagram(b"\x00\x07hello")
    village.net.advance(1)
    assert guest.tally.dropped == {"malformed": 1, "unknown flow": 1}
    assert bob.code is None


def test_both_kinds_at_one_port_until_the_hosts_is_known() -> None:
    village = Village()
    ann, _ = village.listed(traffic="udp")
    game = UdpGame(ann.machine, GAME_PORT)
    bob, guest = village.guest(at="127.0.0.1:0")
    assert bob.said(Listening) == [Listening(traffic="any", address="127.0.0.1", port=guest.local.port)]
    at = guest.local
    listening = [listener.local for listener in bob.machine.listeners]
    assert at in listening
    assert guest.udp is not None
    assert guest.udp.local == at
    UdpGame(bob.machine).socket.send(b"early", at)
    village.until(lambda: game.data == [b"early"])
    assert guest.tcp is None
    assert at not in [listener.local for listener in bob.machine.listeners]


class Crowded(SimHost):
    """The first ports it is asked for are taken for UDP."""

    taken = 2

    def open_datagram(
        self, family: Family, received: Received, *, address: str = "", port: int = 0, reuse: bool = False
    ) -> SimDatagramSocket:
        if port and self.taken:
            self.taken -= 1
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return super().open_datagram(family, received, address=address, port=port, reuse=reuse)


def test_a_port_taken_for_udp_alone_is_not_picked() -> None:
    village = Village()
    machine = Crowded(village.net, "bob", ("198.51.100.200",), None)
    _, guest = village.guest(at="127.0.0.1:0", machine=machine)
    assert machine.taken == 0
    doors = [one.local for one in machine.listeners if one.local.host == "127.0.0.1"]
    assert doors == [guest.local]
    assert guest.udp is not None
    assert guest.udp.local == guest.local


def test_a_port_of_ones_choice_that_is_taken_is_an_error() -> None:
    village = Village()
    machine = Crowded(village.net, "bob", ("198.51.100.200",), None)
    with pytest.raises(OSError, match="in use"):
        village.guest(at="127.0.0.1:5000", machine=machine)
    assert machine.open == 0
