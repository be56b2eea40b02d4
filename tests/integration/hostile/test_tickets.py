"""Tickets that are forged, expired, of something else, or shown again; at the relay and in observations."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from tests.integration.hostile.conftest import TICKET_LIFETIME, Two, Watch, speaker
from tests.integration.hostile.datagrams import STRANGER, Sender
from tests.integration.server.conftest import People
from tests.support.exchange_client import ExchangeClient
from tests.support.pair_player import PairPlayer
from tests.support.server_process import ServerProcess
from wlnet.protocols.exchange.messages import Leave, Renew
from wlnet.rendezvous.events import Granted, RelayGrant
from wlnet.steering.model import Side
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import RelayPair, from_text, mint, to_text


@pytest.fixture
def sender(hostile_server: ServerProcess) -> Iterator[Sender]:
    one = Sender(hostile_server)
    yield one
    one.socket.close()


def flipped(ticket: str, place: int) -> str:
    """One bit of it turned."""
    data = bytearray(from_text(ticket))
    data[place] ^= 1
    return to_text(bytes(data))


def with_ticket(grant: RelayGrant, ticket: str) -> RelayGrant:
    """The same place, another ticket."""
    return RelayGrant(
        pair=grant.pair,
        ticket=ticket,
        expires=grant.expires,
        addresses=grant.addresses,
        udp_port=grant.udp_port,
        tcp_port=grant.tcp_port,
        tls_port=grant.tls_port,
    )


def refusal(grant: RelayGrant, ticket: str, *, tcp: bool = False) -> str:
    """What the relay says to that ticket."""
    with PairPlayer(with_ticket(grant, ticket), tcp=tcp, source=STRANGER) as player:
        assert not player.handle
        return player.refused


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_forged_tickets(watch: Watch, two: Two, tcp: bool) -> None:
    mine, _ = two.grants
    size = len(from_text(mine.ticket))
    # Expiry, serial, subject, claims (which pair, which side), tag: nothing of it may be changed.
    places = [7, 12, 20, size - 60, size - 33, size - 32, size - 1]
    assert [refusal(mine, flipped(mine.ticket, place), tcp=tcp) for place in places] == ["FORGED"] * 7
    assert refusal(mine, flipped(mine.ticket, 2), tcp=tcp) == "UNKNOWN_KEY"
    assert refusal(mine, flipped(mine.ticket, 0), tcp=tcp) == "BAD_TICKET"
    for nonsense in ("", to_text(b"\1"), to_text(bytes(399)), to_text(random.Random(3).randbytes(200))):
        assert refusal(mine, nonsense, tcp=tcp) == "BAD_TICKET"
    own = mint(
        TicketKeys(b"stranger" * 4),
        RelayPair(pair=mine.pair, side=Side.HOST),
        subject="stranger",
        expires=time.time() + 60,
        serial=b"strange!",
    )
    assert refusal(mine, to_text(own), tcp=tcp) == "UNKNOWN_KEY"
    watch.expect("limited pairs bad_ticket", 14, f"a ticket from {STRANGER} refused: FORGED")
    # The ticket itself is as good as before.
    with PairPlayer(mine, tcp=tcp, source="127.0.0.2") as player:
        assert player.handle


def test_tickets_for_something_else(watch: Watch, two: Two) -> None:
    mine, _ = two.grants
    assert refusal(mine, two.host.hello.observe[0]) == "WRONG_SCOPE"
    watch.expect("limited pairs bad_ticket", 1, f"a ticket from {STRANGER} refused: WRONG_SCOPE")


def test_tickets_of_a_side_that_is_there_and_of_a_pair_that_ended(watch: Watch, two: Two) -> None:
    mine, theirs = two.grants
    two.host.say(Renew(attempt=two.attempt))
    again = two.host.hear(Granted).relay
    with PairPlayer(mine, source="127.0.0.2") as host, PairPlayer(theirs, source="127.0.0.3") as guest:
        assert refusal(mine, again.ticket) == "TAKEN"  # a side moves by the ticket that bound it
        host.say(b"\x40here")
        assert guest.hear() == b"\x40here"
        two.guest.say(Leave(attempt=two.attempt))
        assert host.closed() == guest.closed() == "REVOKED"
    for ticket in (mine.ticket, theirs.ticket, again.ticket):
        assert refusal(mine, ticket) == "ENDED"
        assert refusal(mine, ticket, tcp=True) == "ENDED"
    watch.expect("limited pairs used_ticket", 7, f"a ticket from {STRANGER} refused: ENDED")


def test_expired_tickets(
    watch: Watch, two: Two, hostile_server: ServerProcess, people: People, sender: Sender
) -> None:
    mine, _ = two.grants
    old = speaker(hostile_server, people, "old")
    time.sleep(TICKET_LIFETIME)  # no skew is allowed for
    assert refusal(mine, mine.ticket) == "EXPIRED"
    watch.expect("limited pairs bad_ticket", 1, f"a ticket from {STRANGER} refused: EXPIRED")
    sender.silence(b"\x24" + from_text(old.hello.observe[0]))
    watch.expect("limited rendezvous tickets", 1, f"a ticket from {STRANGER} refused: it has expired")


# -- observations ----------------------------------------------------------------------------------------


def test_observations(
    watch: Watch, hostile_server: ServerProcess, people: People, sender: Sender, two: Two
) -> None:
    player = speaker(hostile_server, people, "seen")
    good = from_text(player.hello.observe[0])
    mine, _ = two.grants
    assert sender.ask(b"\x24" + good)[0] == 0x25
    sender.silence(b"\x24" + good)
    other = player.hello.observe[1]
    sender.silence(
        *(b"\x24" + from_text(flipped(other, place)) for place in (2, 7, 12, 20, -33, -1)),
        b"\x24" + from_text(mine.ticket),
        b"\x24",
        b"\x24" + bytes(1400),
        b"\x25" + good[10:18],  # our own answer, sent back
    )
    watch.expect("limited rendezvous tickets", 10, "refused: it has been used")
    assert f"a ticket from {STRANGER} refused: its tag is wrong" in watch.log
    assert f"a ticket from {STRANGER} refused: it is for something else" in watch.log
    assert sender.ask(b"\x24" + from_text(other))[0] == 0x25
    player.lobby.leave()
    sender.silence(b"\x24" + from_text(player.hello.observe[2]))  # whose player is gone
    watch.expect("limited rendezvous tickets", 11, "refused: its claims make no sense")


def test_one_player_uses_up_his_own_room_for_tickets(
    watch: Watch, hostile_server: ServerProcess, people: People, sender: Sender
) -> None:
    greedy = speaker(hostile_server, people, "greedy")
    tickets = list(greedy.hello.observe)
    while len(tickets) < 100:
        tickets += ExchangeClient(greedy.lobby).hello.observe
    for ticket in tickets[:64]:
        assert sender.ask(b"\x24" + from_text(ticket))[0] == 0x25
    sender.silence(*(b"\x24" + from_text(ticket) for ticket in tickets[64:100]))
    watch.expect("limited rendezvous tickets", 36, "refused: too many tickets are in use")
    other = speaker(hostile_server, people, "other")
    assert sender.ask(b"\x24" + from_text(other.hello.observe[0]))[0] == 0x25
