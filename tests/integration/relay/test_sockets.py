"""Both shells over real sockets: the same cases for each."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.internet.endpoints import SSL4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions

from tests.support.relay_sockets import Player, RelayTestCase, make_certificate, reactor
from wlnet.metrics import Front, Limit
from wlnet.protocols.widelands_relay import wire


class _Cases:
    """What any shell must do."""

    @inlineCallbacks
    def test_packets_go_both_ways(self: Any) -> Any:
        self.start()
        host = yield self.join(b"pw")
        guests = yield self.joins(3)
        guests[1].say(wire.to_host(b"up"))
        host.say(wire.to_clients([2, 4], b"down"))
        yield self.until(lambda: host.named("FromClient") and guests[0].named("FromHost"))
        yield self.until(lambda: guests[2].named("FromHost"))
        assert host.named("FromClient") == [("FromClient", 3, b"up")]
        assert [len(guest.named("FromHost")) for guest in guests] == [1, 0, 1]

    @inlineCallbacks
    def test_ipv6(self: Any) -> Any:
        self.start()
        port = self.listen("::1")
        host = yield self.join(b"pw", host="::1", port=port)
        guest = yield self.join()
        guest.say(wire.to_host(b"over both"))
        yield self.until(lambda: host.named("FromClient"))
        assert {peer.address for peer in self.relay.peers} == {"::1", "127.0.0.1"}

    @inlineCallbacks
    def test_reasons_really_arrive_also_while_the_peer_is_sending(self: Any) -> Any:
        self.start()
        yield self.join(b"pw")
        cases = [
            (b"\x15garbage", "PROTOCOL_VIOLATION"),
            (wire.hello(9, b"game", b"x"), "WRONG_VERSION"),
            (wire.hello(1, b"none", b"x"), "GAME_UNKNOWN"),
            (wire.hello(1, b"game", b"client") + b"\x0d", "PROTOCOL_VIOLATION"),
            (wire.hello(1, b"game", b"client") + wire.disconnect(b""), "NORMAL"),
        ]
        for said, reason in cases * 8:
            player: Player = yield self.connect()
            player.say(said + bytes(200_000))
            yield self.until(lambda player=player: player.closed or player.named("Disconnect"))
            assert player.frames[-1] == ("Disconnect", reason), (said, player.frames)
            yield self.until(lambda player=player: player.closed)

    @inlineCallbacks
    def test_the_end_of_a_game_reaches_its_clients(self: Any) -> Any:
        self.start()
        host = yield self.join(b"pw")
        guests = yield self.joins(10)
        host.say(wire.to_clients(range(2, 12), b"last"))
        host.hang_up()
        yield self.until(lambda: all(guest.closed for guest in guests))
        for guest in guests:
            assert guest.frames == [("Welcome", 1, "game"), ("FromHost", b"last"), ("Disconnect", "NORMAL")]
        assert self.closed_rooms == ["room"]

    @inlineCallbacks
    def test_a_banned_address_is_told(self: Any) -> Any:
        self.start()
        self.bans["127.0.0.1"] = "spam"
        player = yield self.connect()
        yield self.until(lambda: player.closed)
        assert player.frames == [("Disconnect", "BANNED")]

    @inlineCallbacks
    def test_connections_beyond_the_limit_are_closed_and_others_go_on(self: Any) -> Any:
        self.start(total=2)
        host = yield self.join(b"pw")
        guest = yield self.join()
        third = yield self.connect()
        yield self.until(lambda: third.closed)
        assert third.frames == []
        assert self.metrics.times_limited(Front.RELAY, Limit.CONNECTIONS) == 1
        guest.say(wire.to_host(b"on"))
        yield self.until(lambda: host.named("FromClient"))
        guest.hang_up()
        yield self.until(lambda: len(self.gate) == 1)
        yield self.join()

    @inlineCallbacks
    def test_248_clients_and_no_more(self: Any) -> Any:
        self.start()
        host = yield self.join(b"pw")
        guests = yield self.joins(248)
        last = yield self.connect()
        last.say(wire.hello(1, b"game", b"client"))
        yield self.until(lambda: last.closed)
        assert last.frames == [("Disconnect", "NORMAL")]
        host.say(wire.to_clients(range(2, 250), b"all"))
        yield self.until(lambda: all(guest.named("FromHost") for guest in guests))
        for guest in guests:
            guest.say(wire.to_host(b"x"))
        yield self.until(lambda: len(host.named("FromClient")) == 248)
        assert sorted(frame[1] for frame in host.named("FromClient")) == list(range(2, 250))

    @inlineCallbacks
    def test_who_does_not_read_is_dropped_and_the_game_flows_on(self: Any) -> Any:
        self.start(queue_limit=256 * 1024, close_linger=2.0)
        host = yield self.join(b"pw")
        slow, quick = (yield self.join()), (yield self.join())
        yield self.until(lambda: len(host.named("ConnectClient")) == 2)
        slow.stop_reading()
        quick.keep = False
        load = bytes(10_000)
        held = 0
        rounds = 2000  # 20 MB, far more than the kernel's buffers
        for sent in range(1, rounds + 1):
            host.say(wire.to_clients([2, 3], load))
            if sent % 20 == 0:
                target = sent * (len(load) + 3)
                yield self.until(lambda target=target: quick.bytes >= target)
                held = max(held, self.budget.held)
        assert held <= 256 * 1024 + len(load) + 65536
        assert ("DisconnectClient", 2) in host.frames
        assert self.metrics.times_limited(Front.RELAY, Limit.QUEUE) == 1
        assert not quick.closed
        slow.read_on()
        yield self.until(lambda: slow.closed)

    @inlineCallbacks
    def test_a_dropped_peer_that_reads_again_finds_whole_frames_and_the_reason(self: Any) -> Any:
        self.start(queue_limit=64 * 1024, close_linger=20.0)
        host = yield self.join(b"pw")
        slow = yield self.join()
        slow.stop_reading()
        while self.metrics.times_limited(Front.RELAY, Limit.QUEUE) == 0:
            target = self.relay.figures.bytes_in + 64 * 10_005
            host.say(wire.to_clients([2], b"x" * 10_000) * 64)
            yield self.until(lambda target=target: self.relay.figures.bytes_in >= target)
        slow.read_on()
        yield self.until(lambda: slow.closed)
        assert slow.frames[0] == ("Welcome", 1, "game")
        assert slow.frames[-1] == ("Disconnect", "TIMEOUT")
        assert set(slow.frames[1:-1]) == {("FromHost", b"x" * 10_000)}

    @inlineCallbacks
    def test_a_burst_larger_than_the_queue_is_fine_for_who_reads(self: Any) -> Any:
        self.start(queue_limit=1 << 20)
        host = yield self.join(b"pw")
        guests = yield self.joins(self.bursting)
        load = b"y" * 60_000
        for guest in guests:
            guest.say(wire.to_host(load) * 10)
        yield self.until(lambda: len(host.named("FromClient")) == 10 * self.bursting)
        assert not host.named("Disconnect")

    @inlineCallbacks
    def test_a_flood_of_garbage_does_not_disturb_a_game(self: Any) -> Any:
        self.start()
        host = yield self.join(b"pw")
        guest = yield self.join()
        random = Random(1)
        flooders = []
        for number in range(60):
            flooder = yield self.connect()
            if number % 3 == 0:
                flooder.say(wire.hello(1, b"game", b"client"))
            flooder.say(random.randbytes(30_000))
            flooders.append(flooder)
            guest.say(wire.to_host(b"%d" % number))
        yield self.until(lambda: all(flooder.closed for flooder in flooders))
        own = [("FromClient", 2, b"%d" % number) for number in range(60)]
        yield self.until(lambda: [frame for frame in host.named("FromClient") if frame[1] == 2] == own)
        for flooder in flooders:
            assert flooder.frames[-1][0] == "Disconnect"

    @inlineCallbacks
    def test_stopping_gives_everybody_a_reason(self: Any) -> Any:
        self.start()
        players = [(yield self.join(b"pw")), (yield self.join()), (yield self.connect())]
        yield self.until(lambda: len(self.relay.peers) == 3)
        yield self.ports[0].stopListening()
        yield self.factory.stop()
        yield self.until(lambda: all(player.closed for player in players))
        for player in players:
            assert player.frames[-1] == ("Disconnect", "NORMAL")
        assert self.closed_rooms == ["room"]

    @inlineCallbacks
    def test_stopping_does_not_wait_for_who_does_not_close(self: Any) -> Any:
        self.start(close_linger=0.2)
        host = yield self.join(b"pw")
        host.stop_reading()
        yield self.ports[0].stopListening()
        started = self.relay.now()
        yield self.factory.stop()
        assert self.relay.now() - started < 10.0
        host.hang_up()


class DirectSockets(_Cases, RelayTestCase):
    direct = True
    bursting = 8


class Transports(_Cases, RelayTestCase):
    direct = False
    bursting = 2  # a Twisted transport writes 128 KiB to one connection while it reads 64 KiB from each


class Tls(RelayTestCase):
    """The reference shell behind TLS, which cannot close one direction alone."""

    direct = False

    def listen(self, interface: str) -> int:
        key, certificate = make_certificate()
        context = CertificateOptions(privateKey=key, certificate=certificate)
        port = reactor.listenSSL(0, self.factory, context, interface=interface)
        self.ports.append(port)
        return int(port.getHost().port)

    @inlineCallbacks
    def secure(self) -> Any:
        endpoint = SSL4ClientEndpoint(reactor, "127.0.0.1", self.number(), CertificateOptions())
        player = yield endpoint.connect(Factory.forProtocol(Player))
        self.players.append(player)
        return player

    @inlineCallbacks
    def test_a_game_and_its_end(self) -> Any:
        self.start()
        host, guest = (yield self.secure()), (yield self.secure())
        host.say(wire.hello(1, b"game", b"pw"))
        yield self.until(lambda: host.frames)
        guest.say(wire.hello(1, b"game", b"client") + wire.to_host(b"up" * 30_000))
        yield self.until(lambda: host.named("FromClient"))
        host.say(wire.to_clients([2], b"down") + b"\xff")
        yield self.until(lambda: guest.closed and host.closed)
        assert host.frames[-1] == ("Disconnect", "PROTOCOL_VIOLATION")
        assert guest.frames[1:] == [("FromHost", b"down"), ("Disconnect", "NORMAL")]
