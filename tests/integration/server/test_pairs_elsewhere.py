"""Relays of pairs in processes of their own: tickets, bans, observations, and who may die."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.server.conftest import PASSWORDS, People, Start
from tests.support.certificates import Authority
from tests.support.pair_player import PairPlayer
from tests.support.server_process import ServerProcess, Settings
from tests.support.wire_client import LobbyClient, wait_for
from wlnet.protocols.exchange.messages import Hello, Join, Publish, decode_hello, decode_told, encode
from wlnet.rendezvous.events import Begin, RelayGrant
from wlnet.tickets.ticket import from_text


class Country:
    """A lobby, relays, and players."""

    def __init__(self, start: Start, people: People, folder: Path, stack: ExitStack) -> None:
        self._start = start
        self._people = people
        self._folder = folder
        self._stack = stack
        self._quick: Settings = {
            "link.secret_file": str(folder / "the.secret"),
            "link.reconnect_min": 0.1,
            "link.reconnect_max": 0.3,
            "link.keepalive": 0.2,
            "link.dead_after": 1.0,
            "lobby.close_linger": 0.5,
            "relay.close_linger": 0.5,
        }
        self.lobby = start({"server.roles": ["lobby"], "link.port": 0, **self._quick})
        self.lobby.keep_ports()
        self.relays: list[ServerProcess] = []

    def relay(self, name: str, **settings: str | int) -> ServerProcess:
        """One more relay, linked."""
        more = {key.replace("__", "."): value for key, value in settings.items()}
        relay = self._start(
            {
                "server.roles": ["relay"],
                "link.lobby": f"127.0.0.1:{self.lobby.port('link')}",
                "relay.name": name,
                **self._quick,
                **more,
            },
            self._folder / name,
        )
        relay.keep_ports()
        self.relays.append(relay)
        wait_for(lambda: f"Relay {name} is linked" in self.lobby.log, 5.0, "the relay to be linked")
        return relay

    def speaker(self, stem: str, source: str | None = None) -> tuple[LobbyClient, Hello]:
        """A player who speaks the exchange, and what he was told first."""
        client = self._people.player(self.lobby, stem, source=source)
        return client, self.negotiate(client)

    @staticmethod
    def negotiate(client: LobbyClient) -> Hello:
        client.send("WLNET", "1")
        while len(packet := client.next()) != 3 or packet[0] != "WLNET":
            pass
        return decode_hello(packet[2])

    def meet(self, host: LobbyClient, guest: LobbyClient) -> tuple[RelayGrant | None, RelayGrant | None]:
        """The permissions of the two sides of a new pair."""
        game = self._people.name("duel")
        host.send("WLNET", encode(Publish(game=game, traffic="tcp", fingerprint="a" * 64)))
        guest_join = encode(Join(game=game, fingerprint="b" * 64))
        _until(host, "published")
        guest.send("WLNET", guest_join)
        return _begun(host), _begun(guest)

    def pair(
        self, source: str = "127.0.0.1", *, tcp: bool = False
    ) -> tuple[PairPlayer, PairPlayer, LobbyClient]:
        """Two sides that hear each other, the host's first, and the guest (from *source*) in the lobby."""
        (host, _), (guest, _) = self.speaker("host"), self.speaker("guest", source)
        host_grant, guest_grant = self.meet(host, guest)
        assert host_grant is not None
        assert guest_grant is not None
        one = self._stack.enter_context(PairPlayer(host_grant))
        other = self._stack.enter_context(PairPlayer(guest_grant, tcp=tcp, source=source))
        talk(one, other)
        return one, other, guest


def _until(client: LobbyClient, kind: str) -> str:
    while True:
        command, text = client.next()
        if command == "WLNET" and f'"type":"{kind}"' in text:
            return text


def _begun(client: LobbyClient) -> RelayGrant | None:
    begin = decode_told(_until(client, "begin"))
    assert isinstance(begin, Begin)
    return begin.relay


def talk(one: PairPlayer, other: PairPlayer) -> None:
    """Both hear what the other says."""
    for speaker, listener in ((one, other), (other, one)):
        speaker.say(b"hello")
        assert listener.hear() == b"hello"


@pytest.fixture
def country(start: Start, people: People, tmp_path: Path) -> Iterator[Country]:
    with ExitStack() as stack:
        yield Country(start, people, tmp_path, stack)


def test_a_pair_at_a_relay_elsewhere(country: Country) -> None:
    host, hello = country.speaker("host")
    guest, _ = country.speaker("guest")
    assert hello.stun is None
    assert country.meet(host, guest) == (None, None), "there is no relay yet"

    relay = country.relay("first")
    hello = country.negotiate(host)
    assert hello.stun is not None
    assert (hello.stun.port, hello.stun.second_port) == (relay.port("stun"), relay.port("stun2"))
    assert hello.stun.addresses == ("127.0.0.1", "::1")
    grant, _ = country.meet(country.speaker("host")[0], guest)
    assert grant is not None
    assert (grant.udp_port, grant.tcp_port, grant.tls_port) == (relay.port("stun2"), relay.port("stun2"), 0)
    country.pair()
    country.pair(tcp=True)


def test_a_relay_elsewhere_with_tls(country: Country, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue()
    relay = country.relay("safe", tls__certificate=str(certificate), tls__key=str(key), tls__pairs_port=0)
    grant, _ = country.meet(country.speaker("host")[0], country.speaker("guest")[0])
    assert grant is not None
    assert grant.tls_port == relay.port("pairs-tls")


def test_observations_reach_the_lobby(country: Country) -> None:
    relay = country.relay("first")
    _, hello = country.speaker("player")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
        for ticket, name in zip(hello.observe, ("stun", "stun2"), strict=False):
            player.settimeout(5)
            packet = b"\x24" + from_text(ticket)
            player.sendto(packet, ("127.0.0.1", relay.port(name)))
            answer = player.recv(100)
            assert answer == b"\x25" + packet[11:19], "the serial of the ticket"
            player.settimeout(0.3)
            player.sendto(packet, ("127.0.0.1", relay.port(name)))
            with pytest.raises(TimeoutError):
                player.recv(100)


def test_a_kick_ends_the_pair_at_once(country: Country, people: People) -> None:
    country.relay("first")
    boss = people.player(country.lobby, name="boss", password=PASSWORDS["boss"])
    bystanders = country.pair()
    host, guest, bad = country.pair("127.0.20.1")
    boss.send("CMD", "kick", bad.name)
    assert {host.closed(), guest.closed()} <= {"REVOKED", "BANNED", "PEER_CLOSED"}
    for side in (host, guest):
        side.bind()
        assert side.refused in ("ENDED", "BANNED")
    talk(*bystanders[:2])


def test_a_kick_while_the_link_is_down_is_made_up_for(country: Country, people: People) -> None:
    relay = country.relay("first")
    boss = people.player(country.lobby, name="boss", password=PASSWORDS["boss"])
    host, guest, bad = country.pair("127.0.20.2")
    relay.pause()
    wait_for(lambda: "The link to relay first is gone" in country.lobby.log, 5.0, "the link to be gone")
    boss.send("CMD", "kick", bad.name)
    bad.last_words()
    relay.resume()
    assert {host.closed(), guest.closed()} <= {"REVOKED", "BANNED", "PEER_CLOSED"}


def test_the_lobby_dies_and_the_pair_goes_on(country: Country) -> None:
    country.relay("first")
    host, guest, _ = country.pair(tcp=True)
    country.lobby.kill()
    for number in range(20):
        host.say(b"%d" % number)
        assert guest.hear() == b"%d" % number
    country.lobby.start()
    wait_for(
        lambda: country.lobby.log.count("Relay first is linked") == 2, 8.0, "the relay to be linked again"
    )
    talk(host, guest)
    country.pair()
    talk(host, guest)


def test_the_relay_dies_and_its_pairs_come_back_with_their_tickets(country: Country) -> None:
    relay = country.relay("first")
    host, guest, _ = country.pair()
    relay.kill()
    relay.start()
    host.bind()
    guest.bind()
    assert not host.refused + guest.refused
    talk(host, guest)
    wait_for(
        lambda: country.lobby.log.count("Relay first is linked") == 2, 8.0, "the relay to be linked again"
    )
    country.pair()


def test_two_relays_share_the_pairs(country: Country, people: People) -> None:
    country.relay("small", pairs__max_pairs=2)
    big = country.relay("big", pairs__max_pairs=4)
    ports = {relay.port("stun2"): relay for relay in country.relays}
    seen: list[ServerProcess] = []
    for _ in range(6):
        (host, _), (guest, _) = country.speaker("host"), country.speaker("guest")
        host_grant, guest_grant = country.meet(host, guest)
        assert host_grant is not None
        assert guest_grant is not None
        assert host_grant.udp_port == guest_grant.udp_port
        seen.append(ports[host_grant.udp_port])
        with PairPlayer(host_grant) as one, PairPlayer(guest_grant) as other:
            talk(one, other)
    assert seen.count(big) == 4
    assert len(set(seen)) == 2
    assert country.meet(country.speaker("host")[0], country.speaker("guest")[0]) == (None, None), "both full"


def test_a_relay_that_is_gone_is_not_told(country: Country) -> None:
    one, two = country.relay("one"), country.relay("two")
    told = _port_of_next_pair(country)
    gone, other = (one, two) if told() == one.port("stun2") else (two, one)
    gone.kill()
    wait_for(lambda: "is gone" in country.lobby.log, 5.0, "the lobby to notice")
    assert {told() for _ in range(3)} == {other.port("stun2")}


def _port_of_next_pair(country: Country) -> Callable[[], int]:
    def told() -> int:
        grant, _ = country.meet(country.speaker("host")[0], country.speaker("guest")[0])
        assert grant is not None
        return grant.udp_port

    return told
