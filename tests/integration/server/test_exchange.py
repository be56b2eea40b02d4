"""Peer games on a real server process: negotiation, observation, publishing, joining."""

from __future__ import annotations

import socket

from tests.integration.server.conftest import People, Start
from tests.support.server_process import ServerProcess
from tests.support.wire_client import LobbyClient
from wlnet.protocols.exchange.messages import Hello, Join, Publish, decode_hello, decode_told, encode
from wlnet.rendezvous.events import Begin, PlanPart, Published, Told
from wlnet.steering.model import Side
from wlnet.tickets.ticket import from_text


def negotiate(client: LobbyClient) -> Hello:
    client.send("WLNET", "1")
    command, version, hello = client.next()
    assert (command, version) == ("WLNET", "1")
    return decode_hello(hello)


def heard(client: LobbyClient) -> Told:
    command, text = client.next()
    assert command == "WLNET"
    return decode_told(text)


def test_two_players_are_brought_together(server: ServerProcess, people: People) -> None:
    host, guest, old = (people.player(server, stem) for stem in ("host", "guest", "old"))
    assert negotiate(host).address == "127.0.0.1"
    negotiate(guest)
    game = people.name("peer")
    host.send("WLNET", encode(Publish(game=game, traffic="tcp", fingerprint="a" * 64)))
    assert heard(host) == Published(game=game)
    assert old.state_of(game) == "CLOSED"
    guest.send("WLNET", encode(Join(game=game, fingerprint="b" * 64)))
    begun = [heard(guest), heard(host)]
    sides = [one.side for one in begun if isinstance(one, Begin)]
    assert sides == [Side.GUEST, Side.HOST]
    assert len({one.secret for one in begun if isinstance(one, Begin)}) == 1
    assert isinstance(heard(guest), PlanPart)


def test_a_ticket_in_a_datagram_is_observed(server: ServerProcess, people: People) -> None:
    hello = negotiate(people.player(server))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
        player.settimeout(5)
        player.sendto(b"\x24" + from_text(hello.observe[0]), ("127.0.0.1", server.port("stun")))
        answer = player.recv(100)
    assert (answer[0], len(answer)) == (0x25, 9)


def test_switched_off_it_is_an_unknown_command(start: Start, people: People) -> None:
    client = people.player(start({"rendezvous.enabled": False}))
    client.send("WLNET", "1")
    assert ("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD") in client.last_words()
