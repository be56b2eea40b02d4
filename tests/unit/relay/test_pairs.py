"""Pairs: tickets, moving, quotas, endings; seen from clients over UDP."""

from __future__ import annotations

import pytest

from tests.support.pairs import ALICE, BOB, KEYS, PAIR, RELAY, WALL, PairRig, UdpSide, ticket
from wlnet.metrics import Limit
from wlnet.protocols.pairs import wire
from wlnet.protocols.stun.wire import Endpoint
from wlnet.relay.pair_words import Refusal
from wlnet.relay.pairs import OVERHEAD
from wlnet.steering.model import Side
from wlnet.tickets.keys import TicketKeys
from wlnet.tickets.ticket import Rendezvous, mint

ELSEWHERE = Endpoint("192.0.2.77", 7777)


def test_datagrams_pass_between_two_sides_and_nowhere_else() -> None:
    rig = PairRig()
    host, guest = rig.two()
    other_host, other_guest = (
        rig.side(ticket(side, "f" * 32), Endpoint("192.0.2.9", port))
        for side, port in ((Side.HOST, 1), (Side.GUEST, 2))
    )
    host.say(b"hello")
    guest.say(b"world")
    assert (host.payloads(), guest.payloads()) == ([b"world"], [b"hello"])
    assert other_host.heard() == other_guest.heard() == []
    assert rig.sent[-1][2] == RELAY
    assert rig.pairs.figures.bytes_out == 10


def test_a_side_learns_where_it_is_seen_what_it_may_and_whether_the_other_is_there() -> None:
    rig = PairRig(rate=5000, burst=9000, transfer=100_000, idle=50, lifetime=1000)
    host = rig.side(ticket(Side.HOST), ALICE)
    rig.pass_time(10)
    guest = rig.side(ticket(Side.GUEST, rate=3000, total=70_000, idle=20), BOB)
    assert (host.bound.address, host.bound.port) == ALICE
    assert (host.bound.rate, host.bound.burst, host.bound.transfer) == (5000, 9000, 100_000)
    assert (host.bound.idle, host.bound.lifetime, host.bound.peer_bound) == (50, 1000, False)
    assert (guest.bound.rate, guest.bound.transfer, guest.bound.idle) == (3000, 70_000, 20)
    assert (guest.bound.lifetime, guest.bound.peer_bound) == (990, True)
    assert wire.decode_alive(host.keepalive()) == (host.bound.handle, b"12345678", True)


def test_a_ticket_cannot_raise_the_quotas() -> None:
    rig = PairRig(rate=5000, transfer=100_000, idle=50)
    bound = rig.side(ticket(Side.HOST, rate=10**9, total=10**12, idle=5000), ALICE).bound
    assert (bound.rate, bound.transfer, bound.idle) == (5000, 100_000, 50)


def test_datagrams_for_nobody_are_dropped() -> None:
    rig = PairRig()
    host = rig.side(ticket(Side.HOST), ALICE)
    sent = len(rig.sent)
    host.say(b"anybody?")
    assert len(rig.sent) == sent
    assert rig.pairs.figures.dropped_unbound == 1


def test_data_from_elsewhere_is_dropped() -> None:
    rig = PairRig()
    host, guest = rig.two()
    host.say(b"stolen handle", source=ELSEWHERE)
    host.say(b"other port", source=Endpoint(ALICE.host, 9))
    UdpSide(rig, wire.decode_bound(wire.encode_bound(host.bound)), BOB).say(b"the other side's address")
    assert guest.payloads() == host.payloads() == []
    assert rig.front.strangers == 3
    # Neither may it keep the side alive, or end it.
    assert rig.ask(wire.encode_keepalive(host.bound.handle, bytes(8)), ELSEWHERE) == [
        wire.encode_error(host.bound.handle, "UNKNOWN")
    ]
    assert rig.ask(wire.encode_close(host.bound.handle, "CLOSED"), ELSEWHERE) == []
    host.say(b"still here")
    assert guest.payloads() == [b"still here"]


class TestTickets:
    def test_worthless_ones(self) -> None:
        rig = PairRig()
        good = ticket(Side.HOST)
        forged = good[:-1] + bytes([good[-1] ^ 1])
        changed = good.replace(b'"host"', b'"gost"')
        elsewhere = mint(KEYS, Rendezvous(purpose="observe"), subject="a", expires=WALL + 9, serial=bytes(8))
        for bad, word in (
            (b"", "BAD_TICKET"),
            (b"x" * 100, "BAD_TICKET"),
            (forged, "FORGED"),
            (changed, "FORGED"),
            (ticket(Side.HOST, keys=TicketKeys(b"x" * 32)), "UNKNOWN_KEY"),
            (ticket(Side.HOST, expires=WALL - 31), "EXPIRED"),
            (elsewhere, "WRONG_SCOPE"),
        ):
            assert rig.refusal(bad, ALICE) == word
            assert rig.pairs.figures.refused[Refusal(word)] >= 1
        assert rig.limited(Limit.BAD_TICKET) == 7
        assert len(rig.pairs) == 0
        assert rig.pairs.addresses == 0

    def test_another_version(self) -> None:
        rig = PairRig()
        answer = rig.bind(ticket(Side.HOST), ALICE, version=2)
        assert wire.decode_worded(wire.ERROR, answer)[1] == "VERSION"

    def test_the_first_ticket_of_a_side_keeps_it(self) -> None:
        rig = PairRig()
        host, guest = rig.two()
        assert rig.refusal(ticket(Side.HOST), ELSEWHERE) == "TAKEN"
        assert rig.limited(Limit.USED_TICKET) == 1
        host.say(b"still me")
        assert guest.payloads() == [b"still me"]

    def test_the_same_from_the_same_place_changes_nothing(self) -> None:
        rig = PairRig()
        mine = ticket(Side.HOST)
        first, second = rig.side(mine, ALICE), rig.side(mine, ALICE)
        assert first.bound.handle == second.bound.handle
        assert rig.pairs.figures.binds == 1

    def test_a_pair_that_ended_stays_so(self) -> None:
        rig = PairRig()
        mine = ticket(Side.HOST)
        host = rig.side(mine, ALICE)
        rig.ask(wire.encode_close(host.bound.handle, "CLOSED"), ALICE)
        assert len(rig.pairs) == 0
        assert rig.refusal(mine, ALICE) == "ENDED"
        assert rig.refusal(ticket(Side.GUEST), BOB) == "ENDED"
        assert rig.limited(Limit.USED_TICKET) == 2

    def test_a_revoked_pair_is_never_made(self) -> None:
        rig = PairRig()
        rig.pairs.revoke(PAIR)
        assert rig.refusal(ticket(Side.HOST), ALICE) == "ENDED"

    def test_ended_pairs_are_remembered_as_long_as_tickets_live(self) -> None:
        rig = PairRig(ended_pairs=2)
        for pair in ("a" * 32, "b" * 32, "c" * 32):
            rig.pairs.revoke(pair)
        assert rig.pairs.ended == 2  # the limit bites
        assert rig.refusal(ticket(Side.HOST, "c" * 32), ALICE) == "ENDED"
        rig.pass_time(181)
        rig.pairs.revoke("d" * 32)
        assert rig.pairs.ended == 1

    def test_a_side_that_was_forgotten_may_be_taken_by_a_new_ticket(self) -> None:
        rig = PairRig(idle=60)
        host, guest = rig.two()
        for _ in range(7):
            rig.pass_time(10)
            guest.keepalive()
        assert host.closed() == "IDLE"
        again = rig.side(ticket(Side.HOST, expires=WALL + 500), ELSEWHERE)
        again.say(b"back")
        assert guest.payloads() == [b"back"]


class TestMoving:
    def test_with_the_same_ticket(self) -> None:
        rig = PairRig()
        mine = ticket(Side.HOST)
        host, guest = rig.side(mine, ALICE), rig.side(ticket(Side.GUEST), BOB)
        moved = rig.side(mine, ELSEWHERE)
        assert moved.bound.handle != host.bound.handle
        assert host.closed() == "MOVED"
        guest.say(b"where are you")
        moved.say(b"here")
        host.say(b"no, here")
        assert (moved.payloads(), host.payloads(), guest.payloads()) == ([b"where are you"], [], [b"here"])
        assert rig.pairs.figures.moves == 1

    def test_needs_a_cookie_of_the_new_place(self) -> None:
        rig = PairRig()
        mine = ticket(Side.HOST)
        host = rig.side(mine, ALICE)
        (challenge,) = rig.ask(wire.encode_bind(wire.Bind(1, b"12345678", wire.NO_COOKIE, mine)), ALICE)
        cookie = wire.decode_challenge(challenge)[1]
        (answer,) = rig.ask(wire.encode_bind(wire.Bind(1, b"12345678", cookie, mine)), ELSEWHERE)
        assert answer[0] == wire.CHALLENGE
        assert host.closed() is None

    def test_long_after_the_ticket_expired(self) -> None:
        rig = PairRig()
        mine = ticket(Side.HOST)
        host, guest = rig.side(mine, ALICE), rig.side(ticket(Side.GUEST), BOB)
        for _ in range(100):
            rig.pass_time(30)
            host.keepalive()
            guest.keepalive()
        moved = rig.side(mine, ELSEWHERE)
        moved.say(b"here")
        assert guest.payloads() == [b"here"]

    def test_old_cookies_are_worth_nothing(self) -> None:
        rig = PairRig()
        bind = wire.Bind(1, b"12345678", wire.NO_COOKIE, ticket(Side.HOST))
        (challenge,) = rig.ask(wire.encode_bind(bind), ALICE)
        cookie = wire.decode_challenge(challenge)[1]
        rig.pass_time(61)
        (answer,) = rig.ask(wire.encode_bind(wire.Bind(1, b"12345678", cookie, bind.ticket)), ALICE)
        assert answer[0] == wire.CHALLENGE


class TestQuotas:
    def test_rate_of_a_side(self) -> None:
        rig = PairRig(rate=4096, burst=4096)
        host, guest = rig.two()
        for _ in range(10):
            host.say(bytes(1000))
        assert len(guest.payloads()) == 4096 // (1000 + OVERHEAD)
        assert rig.pairs.figures.dropped_rate == 10 - 3
        guest.say(b"not concerned")
        assert host.payloads() == [b"not concerned"]
        rig.pass_time(1)
        host.say(bytes(1000))
        assert len(guest.payloads()) == 4

    def test_rate_of_an_address(self) -> None:
        rig = PairRig(address_rate=4096, address_burst=4096)
        sides = [
            (
                rig.side(ticket(Side.HOST, pair * 32), Endpoint(ALICE.host, number + 1)),
                rig.side(ticket(Side.GUEST, pair * 32), Endpoint(f"203.0.113.{number + 1}", 5)),
            )
            for number, pair in enumerate("abc")
        ]
        for host, _ in sides:
            for _ in range(3):
                host.say(bytes(1000))
        assert sum(len(guest.payloads()) for _, guest in sides) == 3
        assert rig.pairs.figures.dropped_address_rate == 6
        # Leaving and coming again fills nothing.
        for host, _ in sides:
            rig.ask(wire.encode_close(host.bound.handle, "CLOSED"), host.source)
        fresh = rig.side(ticket(Side.HOST, "d" * 32), ALICE)
        rig.side(ticket(Side.GUEST, "d" * 32), BOB)
        fresh.say(bytes(1000))
        assert rig.pairs.figures.dropped_address_rate == 7

    def test_trusted_networks_have_no_rate_of_an_address(self) -> None:
        rig = PairRig(trusted=("192.0.2.0/24",), address_rate=4096, address_burst=4096, pairs_per_address=1)
        host, guest = rig.two()
        rig.side(ticket(Side.HOST, "e" * 32), Endpoint(ALICE.host, 1))
        for _ in range(10):
            host.say(bytes(1000))
        assert len(guest.payloads()) == 10

    def test_saturated_everybody_gets_a_share(self) -> None:
        rig = PairRig(total_rate=100_000, rate=10**6, burst=10**6, address_rate=0)
        greedy = [
            (rig.side(ticket(Side.HOST, pair * 32), Endpoint(f"192.0.2.{number}", 1)),
             rig.side(ticket(Side.GUEST, pair * 32), Endpoint(f"203.0.113.{number}", 1)))
            for number, pair in enumerate("abc")
        ]  # fmt: skip
        modest = rig.side(ticket(Side.HOST, "d" * 32), Endpoint("192.0.2.9", 1))
        hears = rig.side(ticket(Side.GUEST, "d" * 32), Endpoint("203.0.113.9", 1))
        for _ in range(300):  # 30 seconds
            for _ in range(20):
                for host, _ in greedy:
                    host.say(bytes(1000))
            modest.say(bytes(1000))  # a tenth of what flows; his share would be a quarter
            rig.pass_time(0.1)
        assert len(hears.payloads()) == 300
        got = [len(guest.payloads()) * (1000 + OVERHEAD) for _, guest in greedy]
        assert max(got) < 1.2 * min(got)
        assert 0.9 * 3_000_000 < sum(got) + 300 * (1000 + OVERHEAD) <= 3_100_000
        assert rig.pairs.figures.dropped_total_rate > 0

    def test_transfer(self) -> None:
        rig = PairRig()
        host, guest = rig.two(total=10_000)
        while not host.closed():
            host.say(bytes(900))
            guest.say(bytes(52))
        assert guest.closed() == "TRANSFER"
        spent = len(guest.payloads()) * 948 + len(host.payloads()) * 100
        assert 10_000 - 948 < spent <= 10_000
        assert rig.limited(Limit.TRANSFER) == 1
        assert rig.log[-1] == f"ended TRANSFER {spent}"

    def test_lifetime(self) -> None:
        rig = PairRig(lifetime=100)
        host, guest = rig.two()
        for _ in range(10):
            assert host.closed() is None
            rig.pass_time(10)
            host.say(b"x")
            guest.say(b"y")
        assert host.closed() == guest.closed() == "LIFETIME"
        assert rig.limited(Limit.LIFETIME) == 1

    def test_silence(self) -> None:
        rig = PairRig(idle=60)
        host, guest = rig.two()
        rig.pass_time(59)
        assert host.closed() is None
        rig.pass_time(1)
        assert host.closed() == guest.closed() == "IDLE"
        assert rig.limited(Limit.SILENCE) == 1
        assert len(rig.pairs) == 0
        assert len(rig.agenda) == 0

    def test_a_silent_side_is_forgotten_alone(self) -> None:
        rig = PairRig(idle=60)
        host, guest = rig.two()
        for _ in range(12):
            rig.pass_time(5)
            host.say(b"x")
        assert guest.closed() == "IDLE"
        assert host.closed() is None
        assert not wire.decode_alive(host.keepalive())[2]

    def test_pairs_in_all(self) -> None:
        rig = PairRig(max_pairs=1)
        rig.side(ticket(Side.HOST), ALICE)
        assert rig.refusal(ticket(Side.HOST, "a" * 32), BOB) == "FULL"
        assert rig.limited(Limit.PAIRS) == 1
        rig.side(ticket(Side.GUEST), BOB)

    def test_sides_of_an_address(self) -> None:
        rig = PairRig(pairs_per_address=1)
        first = ticket(Side.HOST)
        rig.side(first, Endpoint("2001:db8::1", 1))
        mine = ticket(Side.HOST, "a" * 32)
        assert rig.refusal(mine, Endpoint("2001:db8::2", 1)) == "ADDRESS_FULL"
        side = rig.side(mine, Endpoint("2001:db8:0:1::2", 1))
        # Neither by moving there.
        assert rig.refusal(mine, Endpoint("2001:db8::2", 1)) == "ADDRESS_FULL"
        assert side.closed() is None
        assert rig.limited(Limit.PAIRS_PER_ADDRESS) == 2
        # Moving within the address is fine.
        rig.side(first, Endpoint("2001:db8::3", 1))

    def test_tickets_shown(self) -> None:
        rig = PairRig(bind_rate=1, bind_burst=3)
        for _ in range(3):
            assert rig.refusal(b"", ALICE) == "BAD_TICKET"
        assert rig.refusal(ticket(Side.HOST), ALICE) == "BUSY"
        assert rig.limited(Limit.BIND_RATE) == 1
        rig.side(ticket(Side.GUEST), BOB)
        rig.pass_time(1)
        rig.side(ticket(Side.HOST), ALICE)

    def test_challenges(self) -> None:
        rig = PairRig(challenge_rate=1, challenge_burst=2)
        bind = wire.encode_bind(wire.Bind(1, bytes(8), wire.NO_COOKIE, b""))
        assert [len(rig.ask(bind, ALICE)) for _ in range(3)] == [1, 1, 0]
        assert rig.limited(Limit.CHALLENGE_RATE) == 1
        assert rig.ask(wire.encode_keepalive(bytes(8), bytes(8)), ALICE) == []
        assert rig.limited(Limit.CHALLENGE_RATE) == 2


class TestOrders:
    def test_revoking(self) -> None:
        rig = PairRig()
        host, guest = rig.two()
        rig.pairs.revoke(PAIR)
        assert host.closed() == guest.closed() == "REVOKED"
        host.say(b"x")
        assert guest.payloads() == []
        assert rig.refusal(ticket(Side.HOST), ALICE) == "ENDED"

    def test_closing_tells_the_other_side_only(self) -> None:
        rig = PairRig()
        host, guest = rig.two()
        assert rig.ask(wire.encode_close(host.bound.handle, "CLOSED"), ALICE) == []
        assert guest.closed() == "PEER_CLOSED"
        assert len(rig.agenda) == 0

    @pytest.mark.parametrize("claimed", [False, True])
    def test_bans_of_an_address(self, claimed: bool) -> None:
        rig = PairRig()
        host = rig.side(ticket(Side.HOST, address="198.18.0.1"), ALICE)
        guest = rig.side(ticket(Side.GUEST), BOB)
        rig.pairs.drop_address("198.18.0.9")
        assert host.closed() is None
        rig.pairs.drop_address("198.18.0.1" if claimed else ALICE.host)
        assert (host.closed(), guest.closed()) == ("BANNED", "PEER_CLOSED")
        assert rig.limited(Limit.BANNED) >= 1

    def test_bans_of_a_network(self) -> None:
        rig = PairRig()
        host, guest = rig.two()
        rig.pairs.drop_network("2001:db8::/32")
        assert host.closed() is None
        rig.pairs.drop_network("192.0.2.0/24")
        assert (host.closed(), guest.closed()) == ("BANNED", "PEER_CLOSED")

    def test_the_banned_get_no_side(self) -> None:
        rig = PairRig()
        rig.banned = {ALICE.host, "198.18.0.1"}
        assert rig.refusal(ticket(Side.HOST), ALICE) == "BANNED"
        assert rig.refusal(ticket(Side.HOST, address="198.18.0.1"), BOB) == "BANNED"
        assert rig.limited(Limit.BANNED) == 2

    def test_stopping(self) -> None:
        rig = PairRig()
        host, guest = rig.two()
        rig.pairs.stop()
        assert host.closed() == guest.closed() == "STOPPING"
        assert rig.refusal(ticket(Side.HOST, "a" * 32), ALICE) == "STOPPING"
        assert len(rig.agenda) == 0


def test_accounts_of_addresses_are_bounded() -> None:
    rig = PairRig(max_pairs=3)
    for number in range(50):
        source = Endpoint(f"192.0.2.{number}", 1)
        side = rig.side(ticket(Side.HOST, f"{number:032x}"), source)
        rig.ask(wire.encode_close(side.bound.handle, "CLOSED"), source)
    assert rig.pairs.addresses == 6


def test_what_the_system_does_not_take_is_counted() -> None:
    rig = PairRig()
    host, _ = rig.two()
    rig.takes = False
    host.say(b"x")
    assert rig.pairs.figures.dropped_undelivered == 1
