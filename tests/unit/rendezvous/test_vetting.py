"""Public addresses: whose they are, and how long a test of ours is believed."""

from __future__ import annotations

from tests.unit.rendezvous.rig import PRINT_A, PRINT_B, Guestbook, Speaker, only
from wlnet.metrics import Limit
from wlnet.protocols.exchange.messages import Candidates, Join, Probed, Publish
from wlnet.rendezvous.events import Begin, Refusal, Refused, Verified
from wlnet.rendezvous.member import MAX_VERDICTS
from wlnet.steering.model import Candidate, CandidateKind, Side, Transport

AT = "198.51.100.10"
OWN = Candidate(kind=CandidateKind.MAPPED, transport=Transport.UDP, address=AT, port=4000, base_port=5000)
TOKEN = slice(1, 17)


def _met(book: Guestbook, guest_at: str = "198.51.100.20") -> tuple[Speaker, Speaker, int]:
    host, guest = book.player("ann", AT), book.player("bob", guest_at)
    host.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A))
    guest.say(Join(game="duel", fingerprint=PRINT_B))
    return host, guest, only(host.news(), Begin).attempt


def _stay(book: Guestbook, seconds: int, *speakers: Speaker) -> None:
    """Time passes; they answer the lobby's pings."""
    for _ in range(seconds // 5):
        book.wait(5)
        for speaker in speakers:
            if ("PING",) in speaker.client.got():
                speaker.client.say("PONG")


def _token(book: Guestbook, knock: int = -1) -> str:
    return book.reach.knocks[knock][3][TOKEN].hex()


def _verified(book: Guestbook, attempt: int, side: Side) -> list[bool]:
    return [one.verified for one in book.desk._meetings[attempt].attempt.view(side).candidates]


def test_two_behind_one_router_are_tested_each_for_himself() -> None:
    book = Guestbook()
    host, guest, attempt = _met(book, guest_at=AT)
    host.say(Candidates(attempt=attempt, candidates=(OWN,)))
    guest.say(Candidates(attempt=attempt, candidates=(OWN,)))
    hosts, guests = (book.reach.knocks[place][3][TOKEN].hex() for place in (0, 1))
    assert hosts != guests
    # The mapping leads to the host, so he gets both packets; the guest cannot know what was in his.
    assert only(host.say(Probed(token=guests)), Refused).code is Refusal.STALE
    assert only(guest.say(Probed(token=hosts)), Refused).code is Refusal.STALE
    assert only(host.say(Probed(token=hosts)), Verified).reached
    book.wait(4)
    assert not only(guest.news(), Verified).reached
    assert _verified(book, attempt, Side.HOST) == [True]
    assert _verified(book, attempt, Side.GUEST) == [False]
    assert book.limited(Limit.STALE) == 2


def test_a_mapping_that_vanished_is_verified_no_more_when_it_is_named_again() -> None:
    book = Guestbook(probe_again=300, connect_time=3000)
    host, guest, attempt = _met(book)
    host.say(Candidates(attempt=attempt, candidates=(OWN,)))
    assert only(host.say(Probed(token=_token(book))), Verified).reached
    assert _verified(book, attempt, Side.HOST) == [True]

    _stay(book, 200, host, guest)
    host.say(Candidates(attempt=attempt, candidates=(OWN,)))
    assert len(book.reach.knocks) == 1  # believed for a while

    _stay(book, 105, host, guest)
    host.say(Candidates(attempt=attempt, candidates=(OWN,)))
    assert len(book.reach.knocks) == 2
    assert _verified(book, attempt, Side.HOST) == [True]  # until the test is over
    book.wait(4)
    assert not only(host.news(), Verified).reached
    assert _verified(book, attempt, Side.HOST) == [False]

    _stay(book, 305, host, guest)
    host.say(Candidates(attempt=0, candidates=(OWN,)))
    assert only(host.say(Probed(token=_token(book))), Verified).reached
    assert _verified(book, attempt, Side.HOST)[0]


def test_verdicts_of_one_player_are_bounded_and_old_ones_make_room() -> None:
    book = Guestbook(probe_again=300, probes_per_player=100, probes=100, candidates=64)
    host, _, _ = _met(book)
    ports = range(4000, 4000 + MAX_VERDICTS + 8)
    many = tuple(
        Candidate(kind=CandidateKind.MAPPED, transport=Transport.TCP, address=AT, port=port, base_port=5000)
        for port in ports
    )
    host.say(Candidates(attempt=0, candidates=many))
    assert len(book.reach.knocks) == MAX_VERDICTS
    assert book.limited(Limit.PROBES) >= 8
    (member,) = [one for one in book.desk._members.values() if one.player.name == "ann"]
    _stay(book, 305, host)
    host.say(Candidates(attempt=0, candidates=many[-8:]))
    assert len(book.reach.knocks) == MAX_VERDICTS + 8
    assert len(member.verdicts) == len(member.tested) == MAX_VERDICTS
