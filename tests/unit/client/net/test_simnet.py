"""The simulated network keeps the promises of the real ones, and its links and NATs do what they say."""

from __future__ import annotations

from collections.abc import Callable
from unittest import IsolatedAsyncioTestCase

import pytest

from tests.support.network_contract import NetworkContract, Recorder
from tests.support.simnet import SimHost, SimNet
from tests.support.simnet_nat import Protocol, SimNat
from wlnet.client.net.network import Stream, TlsOptions
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family, Filtering, Mapping


class TestContract(NetworkContract, IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.net = SimNet()
        self.host = self.net.host("host", ["192.0.2.1", "127.0.0.1", "::1"])
        self.network = self.host

    def tearDown(self) -> None:
        self.net.advance(10)
        assert self.host.open == 0

    async def until(self, predicate: Callable[[], object]) -> None:
        self.net.run_until(predicate)

    async def some_time(self, seconds: float) -> None:
        self.net.advance(seconds)


class Box:
    """A UDP socket and what it got."""

    def __init__(self, host: SimHost, family: Family = Family.V4, port: int = 5000) -> None:
        self.host = host
        self.got: list[tuple[bytes, Endpoint]] = []
        self.socket = host.open_datagram(
            family, lambda data, source: self.got.append((data, source)), port=port
        )

    def place(self) -> Endpoint:
        return Endpoint(self.host.addresses[0], self.socket.local.port)

    def last(self) -> Endpoint:
        return self.got[-1][1]


def two(**nat: object) -> tuple[SimNet, Box, Box]:
    net = SimNet()
    server = net.host("server", ["203.0.113.1", "203.0.113.2"])
    player = net.host("player", ["192.168.1.2"], nat=SimNat("198.51.100.7", **nat))  # type: ignore[arg-type]
    return net, Box(server), Box(player, port=6000)


def test_latency_and_loss() -> None:
    net = SimNet(seed=3)
    one, other = Box(net.host("a", ["192.0.2.1"])), Box(net.host("b", ["192.0.2.2"]))
    net.link(one.host, other.host, latency=0.5)
    one.socket.send(b"x", other.place())
    assert net.run_until(lambda: other.got) == pytest.approx(0.5)
    net.link(one.host, other.host, loss=0.25)
    for _ in range(1000):
        one.socket.send(b"y", other.place())
    net.advance(1)
    assert 700 < len(other.got) < 800
    net.link(one.host, other.host, loss=0, cut=True)
    other.socket.send(b"z", one.place())
    net.advance(1)
    assert one.got == []
    with pytest.raises(AssertionError, match=r"not so after 5\.0 s"):
        net.run_until(lambda: one.got, limit=5)


def test_hours_pass_in_an_instant() -> None:
    net = SimNet()
    ticks = 0
    host = net.host("a", ["192.0.2.1"])

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        host.call_later(1, tick)

    host.call_later(1, tick)
    net.advance(7200)
    assert ticks == 7200
    assert host.wall() - 1_700_000_000 == 7200


def test_a_nat_lets_answers_in_and_nobody_else() -> None:
    net, server, player = two()
    server.socket.send(b"unasked", Endpoint("198.51.100.7", 6000))
    net.advance(1)
    assert player.got == []
    player.socket.send(b"hello", server.place())
    net.advance(1)
    assert server.got == [(b"hello", Endpoint("198.51.100.7", 6000))]
    server.socket.send(b"answer", server.last())
    stranger = Box(net.host("stranger", ["203.0.113.9"]))
    stranger.socket.send(b"let me in", server.last())
    net.advance(1)
    assert player.got == [(b"answer", server.place())]
    assert player.host.nat is not None
    player.host.nat.forward(Protocol.UDP, 7777, player.place())
    stranger.socket.send(b"mapped", Endpoint("198.51.100.7", 7777))
    net.advance(1)
    assert player.got[-1] == (b"mapped", stranger.place())
    player.host.nat.forget()
    player.host.nat.forwards.clear()
    stranger.socket.send(b"again", Endpoint("198.51.100.7", 7777))
    server.socket.send(b"again", Endpoint("198.51.100.7", 6000))
    net.advance(1)
    assert len(player.got) == 2


def test_a_symmetric_nat_has_a_port_for_each_destination() -> None:
    net, server, player = two(mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)
    second = Box(server.host, port=5001)
    player.socket.send(b"1", server.place())
    player.socket.send(b"2", second.place())
    net.advance(1)
    assert server.last().port != second.last().port


def test_udp_may_be_blocked_alone() -> None:
    net, server, player = two(blocks=frozenset({Protocol.UDP}))
    player.socket.send(b"hello", server.place())
    heard = Recorder()
    listener = server.host.listen(Family.V4, lambda stream: Recorder())
    player.host.connect(Endpoint("203.0.113.1", listener.local.port), heard)
    net.advance(1)
    assert server.got == []
    assert heard.log == ["connected"]


def test_neighbours_behind_a_nat_talk_directly_and_hairpins_are_optional() -> None:
    for hairpin in (False, True):
        net, server, player = two(hairpin=hairpin, filtering=Filtering.ENDPOINT_INDEPENDENT)
        neighbour = Box(net.host("neighbour", ["192.168.1.3"], nat=player.host.nat), port=6001)
        neighbour.socket.send(b"here", player.place())
        player.socket.send(b"hello", server.place())
        net.advance(1)
        assert player.got == [(b"here", neighbour.place())]
        neighbour.socket.send(b"outside in", server.last())
        net.advance(1)
        assert len(player.got) == 1 + hairpin
        assert server.host.open == 1


def test_a_packet_with_few_hops_opens_the_own_nat_and_dies_before_the_other() -> None:
    net = SimNet()
    boxes = [
        Box(net.host(name, [f"192.168.{number}.2"], nat=SimNat(f"198.51.100.{number}")), port=6000)
        for number, name in ((1, "one"), (2, "other"))
    ]
    outside = [Endpoint(f"198.51.100.{number}", 6000) for number in (1, 2)]
    boxes[0].socket.send(b"opener", outside[1], hops=3)
    net.advance(1)
    boxes[1].socket.send(b"hello", outside[0])
    net.advance(1)
    assert boxes[1].got == []
    assert boxes[0].got == [(b"hello", outside[1])]
    boxes[0].socket.send(b"to nobody", outside[1], hops=1)
    boxes[0].socket.send(b"far", outside[1])
    net.advance(1)
    assert boxes[1].got == [(b"far", outside[0])]


def test_an_ipv6_firewall() -> None:
    net = SimNet()
    server = Box(net.host("server", ["2001:db8::1"]), Family.V6)
    nat = SimNat(v6=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    player = Box(net.host("player", ["2001:db8:1::2"], nat=nat), Family.V6)
    server.socket.send(b"unasked", player.place())
    player.socket.send(b"hello", server.place())
    net.advance(1)
    assert (player.got, server.got) == ([], [(b"hello", player.place())])
    server.socket.send(b"answer", player.place())
    net.advance(1)
    assert player.got == [(b"answer", server.place())]


def test_who_moves_to_another_network_is_seen_elsewhere() -> None:
    net, server, player = two()
    player.socket.send(b"1", server.place())
    net.advance(1)
    old = server.last()
    player.host.addresses, player.host.nat = ("10.0.0.2",), SimNat("198.51.100.99")
    server.socket.send(b"to the old place", old)
    player.socket.send(b"2", server.place())
    net.advance(1)
    assert server.last().host == "198.51.100.99"
    assert player.got == []
    player.host.unplugged = True
    player.socket.send(b"3", server.place())
    net.advance(1)
    assert len(server.got) == 2


def talk(net: SimNet, server: SimHost, player: SimHost) -> tuple[Stream, Stream, Recorder, Recorder]:
    heard, accepted = Recorder(), Recorder()
    streams: list[Stream] = []

    def accept(stream: Stream) -> Recorder:
        streams.append(stream)
        return accepted

    listener = server.listen(Family.V4, accept)
    client = player.connect(Endpoint(server.addresses[0], listener.local.port), heard)
    net.run_until(lambda: heard.log)
    listener.close()
    return client, streams[0], heard, accepted


def test_streams_survive_loss_and_short_cuts() -> None:
    net, server, player = two()
    net.link(server.host, player.host, latency=0.03, loss=0.1, jitter=0.02)
    client, _, heard, accepted = talk(net, server.host, player.host)
    sent = bytes(range(256)) * 4000
    client.write(sent)
    client.end()
    net.advance(0.2)
    net.link(server.host, player.host, cut=True)
    net.advance(5)
    net.link(server.host, player.host, cut=False)
    net.run_until(lambda: "ended" in accepted.log, limit=300)
    assert accepted.data == sent
    assert heard.end is None


def test_a_stream_whose_link_stays_cut_times_out() -> None:
    net, server, player = two()
    client, accepted_stream, heard, _ = talk(net, server.host, player.host)
    assert (accepted_stream.remote.host, client.local.host) == ("198.51.100.7", "192.168.1.2")
    net.link(server.host, player.host, cut=True)
    client.write(b"x")
    net.run_until(lambda: heard.end, limit=120)
    assert heard.end is not None
    assert heard.end.text == "Connection timed out"


def test_a_syn_to_a_nat_is_dropped_until_the_other_side_has_sent_one() -> None:
    net = SimNet()
    hosts = [
        net.host(name, [f"192.168.{number}.2"], nat=SimNat(f"198.51.100.{number}"))
        for number, name in ((1, "one"), (2, "other"))
    ]
    heard = [Recorder(), Recorder()]
    streams = [hosts[0].connect(Endpoint("198.51.100.2", 7000), heard[0], port=7000, reuse=True)]
    net.advance(0.5)
    assert heard[0].log == []
    streams.append(hosts[1].connect(Endpoint("198.51.100.1", 7000), heard[1], port=7000, reuse=True))
    net.run_until(lambda: heard[0].log and heard[1].log, limit=5)
    assert heard[0].log == heard[1].log == ["connected"]
    streams[0].write(b"met")
    net.run_until(lambda: heard[1].data == b"met")


def test_tls_is_not_done_but_can_be_refused() -> None:
    net = SimNet()
    host = net.host("a", ["192.0.2.1"])
    net.untrusted_names.add("evil.test")
    heard = Recorder()
    listener = host.listen(Family.V4, lambda stream: Recorder())
    place = Endpoint("192.0.2.1", listener.local.port)
    host.connect(place, heard, tls=TlsOptions("evil.test"))
    net.advance(1)
    assert heard.end is not None
    assert heard.end.untrusted
    trusted = Recorder()
    host.connect(place, trusted, tls=TlsOptions("lobby.test"))
    net.advance(1)
    assert trusted.log == ["connected"]


def test_names() -> None:
    net = SimNet()
    net.names["lobby.test"] = ("192.0.2.9", "2001:db8::9")
    found: list[object] = []
    net.host("a", ["192.0.2.1"]).resolve("lobby.test", found.append)
    net.run_until(lambda: found)
    assert found == [("192.0.2.9", "2001:db8::9")]
