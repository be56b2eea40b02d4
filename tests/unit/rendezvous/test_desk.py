"""Publishing, joining, planning, playing and being thrown out, as the players see it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.lobby import words
from tests.unit.rendezvous.rig import KEYS, PRINT_A, PRINT_B, Guestbook, Speaker, only
from tests.unit.steering.kinds import peer
from wlnet.metrics import Limit
from wlnet.moderation.sanctions import Kind, Target
from wlnet.protocols.exchange.messages import (
    Candidates,
    Carried,
    Join,
    Leave,
    Probed,
    Publish,
    Ready,
    Renew,
    Report,
    Unpublish,
)
from wlnet.rendezvous.events import (
    Begin,
    Ended,
    Granted,
    PlanPart,
    Published,
    Refusal,
    Refused,
    Settled,
    Unpublished,
    Verified,
)
from wlnet.steering.attempt import Result
from wlnet.steering.model import Candidate, CandidateKind, PathKind, Side, Technique, Transport
from wlnet.steering.trace import EndReason
from wlnet.steering.view import PeerView
from wlnet.tickets.ticket import RelayPair, TicketError, TicketProblem, from_text, verify

HOST_AT, GUEST_AT = "198.51.100.10", "198.51.100.20"


def published(book: Guestbook) -> tuple[Speaker, Speaker]:
    """A host whose game is listed, and somebody else."""
    host, guest = book.player("ann", HOST_AT), book.player("bob", GUEST_AT)
    told = host.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A))
    assert told == [Published(game="duel")]
    guest.news()
    return host, guest


def joined(book: Guestbook) -> tuple[Speaker, Speaker, Begin, Begin]:
    """Both have an attempt."""
    host, guest = published(book)
    theirs = only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin)
    return host, guest, only(host.news(), Begin), theirs


def claims(view: PeerView, at: str, attempt: int, *, complete: bool = True) -> Candidates:
    """What such a peer says of itself, moved to where its player is."""
    return Candidates(
        attempt=attempt,
        candidates=tuple(
            Candidate(
                kind=one.kind,
                transport=one.transport,
                address=at if one.address in view.seen else one.address,
                port=one.port,
                base_port=one.base_port,
            )
            for one in view.candidates
        ),
        measured=view.measured,
        only_port=443 if view.only_port else 0,
        birthday=view.birthday,
        complete=complete,
    )


def steps(told: Sequence[object]) -> dict[tuple[Technique, Transport], int]:
    return {
        (step.technique, step.transport): step.number
        for part in told
        if isinstance(part, PlanPart)
        for step in part.steps
    }


def test_both_get_the_same_secret_each_others_fingerprint_and_relay_tickets() -> None:
    book = Guestbook()
    _, _, mine, theirs = joined(book)
    assert (mine.side, theirs.side) == (Side.HOST, Side.GUEST)
    assert (mine.peer, theirs.peer) == ("bob", "ann")
    assert (mine.fingerprint, theirs.fingerprint) == (PRINT_B, PRINT_A)
    assert mine.secret == theirs.secret
    assert len(bytes.fromhex(mine.secret)) == 32
    assert mine.relay is not None
    assert theirs.relay is not None
    assert mine.relay.pair == theirs.relay.pair
    for begin, at in ((mine, HOST_AT), (theirs, GUEST_AT)):
        assert begin.relay is not None
        ticket = verify(KEYS, RelayPair, from_text(begin.relay.ticket), now=1_700_000_000, skew=0)
        assert ticket.claims == RelayPair(pair=begin.relay.pair, side=begin.side, rate=1000, address=at)
        assert ticket.expires == begin.relay.expires


def test_the_relay_is_planned_at_once_and_punching_when_both_have_told() -> None:
    book = Guestbook()
    host, guest = published(book)
    told = guest.say(Join(game="duel", fingerprint=PRINT_B))
    assert isinstance(told[0], Begin)
    assert {technique for technique, _ in steps(told)} == {
        Technique.RELAY_UDP, Technique.RELAY_TCP, Technique.RELAY_TLS,
    }  # fmt: skip
    number = told[0].attempt
    host.say(claims(peer("port-restricted"), HOST_AT, number))
    told = guest.say(claims(peer("cgn"), GUEST_AT, number))
    assert {technique for technique, _ in steps(told)} == {Technique.PUNCH, Technique.TCP_PUNCH}
    part = only(host.news(), PlanPart)
    punch = next(step for step in part.steps if step.technique is Technique.PUNCH)
    assert [(t.address, t.port) for t in punch.order.targets] == [(GUEST_AT, 51000)]


def test_play_counts_when_both_report_the_games_bytes() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    number = mine.attempt
    host.say(claims(peer("port-restricted"), HOST_AT, number))
    guest.say(claims(peer("cgn"), GUEST_AT, number))
    punch = 4
    assert guest.say(Report(attempt=number, step=punch, result=Result.OPENED)) == []
    assert guest.say(Carried(attempt=number, step=punch)) == []
    told = host.say(Carried(attempt=number, step=punch))
    assert only(told, Settled).kind is PathKind.PUNCHED
    ended = only(guest.news(), Ended)
    assert (ended.reason, ended.kind) == (EndReason.CONNECTED, PathKind.PUNCHED)
    assert ended.text.startswith("Connected directly")


def test_round_trips_shift_the_starts_so_that_packets_cross() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    book.wait(0.02)
    host.say(Ready(attempt=mine.attempt))
    book.wait(0.28)
    guest.say(Ready(attempt=mine.attempt))
    host.say(claims(peer("port-restricted"), HOST_AT, mine.attempt))
    guest.say(claims(peer("cgn"), GUEST_AT, mine.attempt))
    starts = []
    for speaker in (host, guest):
        speaker.news()
    attempt = book.desk._meetings[mine.attempt].attempt
    punch = next(one.step for one in attempt.steps() if one.step.technique is Technique.PUNCH)
    for side in Side:
        order = punch.order(side)
        assert order is not None
        starts.append(order.start)
    assert starts[0] == pytest.approx(starts[1] + (0.3 - 0.02) / 2)
    again = only(host.say(Ready(attempt=mine.attempt)), Refused)
    assert again.code is Refusal.STALE


def test_peer_games_are_listed_as_closed_and_cannot_be_joined_the_old_way() -> None:
    book = Guestbook()
    _, guest = published(book)
    assert guest.client.games() == {"duel": "CLOSED"}
    assert guest.client.say("GAME_CONNECT", "duel") == [("ERROR", "GAME_CONNECT", "NO_SUCH_GAME")]


def test_unpublishing_ends_attempts_and_the_listing_but_no_path() -> None:
    book = Guestbook()
    host, guest, _, _ = joined(book)
    told = host.say(Unpublish(game="duel"))
    assert only(told, Unpublished).game == "duel"
    assert only(guest.news(), Ended).reason is EndReason.GAME_ENDED
    assert guest.client.games() == {}
    assert book.relays.revoked == []


@pytest.mark.parametrize(
    ("game", "code"),
    [("nothing", Refusal.NO_SUCH_GAME), ("duel", Refusal.OWN_GAME)],
)
def test_what_cannot_be_joined(game: str, code: Refusal) -> None:
    book = Guestbook()
    host, _ = published(book)
    assert only(host.say(Join(game=game, fingerprint=PRINT_B)), Refused).code is code


def test_what_cannot_be_published() -> None:
    book = Guestbook()
    host, guest = published(book)
    assert only(guest.say(Publish(game="duel", traffic="udp", fingerprint=PRINT_B)), Refused).code is (
        Refusal.GAME_EXISTS
    )
    assert only(host.say(Publish(game="two", traffic="udp", fingerprint=PRINT_B)), Refused).code is (
        Refusal.TOO_MANY_GAMES
    )
    assert only(guest.say(Unpublish(game="duel")), Refused).code is Refusal.NOT_YOUR_GAME


def test_a_host_without_connection_cannot_be_joined_until_he_is_back() -> None:
    book = Guestbook()
    host, guest = published(book)
    host.client.cut()
    assert only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Refused).code is Refusal.HOST_AWAY
    back = book.player("ann", HOST_AT)
    assert back.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A)) == [Published(game="duel")]
    assert only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin).peer == "ann"


def test_asking_again_replaces_the_attempt() -> None:
    book = Guestbook()
    host, guest, first, _ = joined(book)
    told = guest.say(Join(game="duel", fingerprint=PRINT_B))
    assert only(told, Ended).reason is EndReason.REPLACED
    assert only(told, Begin).attempt == first.attempt + 1
    late = only(guest.say(Carried(attempt=first.attempt, step=1)), Refused)
    assert late.code is Refusal.NO_SUCH_ATTEMPT
    assert book.limited(Limit.STALE) == 1
    assert only(host.news(), Begin).attempt == first.attempt + 1


def test_somebody_elses_attempt_is_no_attempt_of_mine() -> None:
    book = Guestbook()
    _, _, mine, _ = joined(book)
    stranger = book.player("eve", "198.51.100.66")
    for message in (
        Ready(attempt=mine.attempt),
        Candidates(attempt=mine.attempt),
        Report(attempt=mine.attempt, step=1, result=Result.FAILED),
        Carried(attempt=mine.attempt, step=1),
        Renew(attempt=mine.attempt),
        Leave(attempt=mine.attempt),
    ):
        assert only(stranger.say(message), Refused).code is Refusal.NO_SUCH_ATTEMPT
    assert book.limited(Limit.STALE) == 6


def test_absurd_candidates_are_left_out_and_the_others_count() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    bad = [
        "127.0.0.1",
        "224.0.0.1",
        "0.0.0.0",
        "169.254.1.1",
        "203.0.113.1",
        "240.0.0.1",
        "fe80::1",
        "::1",
        "nonsense",
    ]
    good = Candidate(
        kind=CandidateKind.HOST, transport=Transport.UDP, address=HOST_AT, port=4000, base_port=4000
    )
    for address in bad:
        wrong = Candidate(kind=CandidateKind.HOST, transport=Transport.UDP, address=address, port=4000)
        told = host.say(Candidates(attempt=mine.attempt, candidates=(wrong, good)))
        assert only(told, Refused).code is Refusal.BAD_CANDIDATE, address
    assert book.limited(Limit.CANDIDATES) == len(bad)
    view = book.desk._meetings[mine.attempt].attempt.view(Side.HOST)
    assert [one.address for one in view.candidates] == [HOST_AT]
    guest.news()


@pytest.mark.parametrize(
    ("kind", "port", "base"),
    [
        (CandidateKind.PREDICTED, 4000, 1),
        (CandidateKind.HOST, 53, 53),
        (CandidateKind.SERVER_REFLEXIVE, 4000, 0),
    ],
)
def test_other_candidates_nobody_is_sent_to(kind: CandidateKind, port: int, base: int) -> None:
    book = Guestbook()
    host, _, mine, _ = joined(book)
    wrong = Candidate(kind=kind, transport=Transport.UDP, address=HOST_AT, port=port, base_port=base)
    told = host.say(Candidates(attempt=mine.attempt, candidates=(wrong,)))
    assert only(told, Refused).code is Refusal.BAD_CANDIDATE


def test_too_many_candidates() -> None:
    book = Guestbook(candidates=2)
    host, _, mine, _ = joined(book)
    many = tuple(
        Candidate(kind=CandidateKind.HOST, transport=Transport.UDP, address=f"10.0.0.{n}", port=4000)
        for n in range(1, 4)
    )
    told = host.say(Candidates(attempt=mine.attempt, candidates=many))
    assert only(told, Refused).code is Refusal.TOO_MANY_CANDIDATES
    assert book.desk._meetings[mine.attempt].attempt.view(Side.HOST).candidates == ()


def test_a_public_address_is_direct_only_after_our_own_test() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    own = Candidate(
        kind=CandidateKind.HOST,
        transport=Transport.UDP,
        address=HOST_AT,
        port=4000,
        base_port=4000,
        verified=True,
    )
    host.say(Candidates(attempt=mine.attempt, candidates=(own,), complete=True))
    told = guest.say(claims(peer("cgn"), GUEST_AT, mine.attempt))
    assert (Technique.PUBLIC, Transport.UDP) not in steps(told)
    [(transport, address, port, packet, _)] = book.reach.knocks
    assert (transport, address, port, packet[0], len(packet)) == (Transport.UDP, HOST_AT, 4000, 0x23, 17)
    wrong = only(guest.say(Probed(token=packet[1:].hex())), Refused)
    assert wrong.code is Refusal.STALE
    told = host.say(Probed(token=packet[1:].hex()))
    assert only(told, Verified).reached
    book.wait(0.3)
    assert (Technique.PUBLIC, Transport.UDP) in steps(guest.news())
    assert len(book.reach.knocks) == 1


def test_a_test_without_answer_is_repeated_and_given_up() -> None:
    book = Guestbook()
    host, _, mine, _ = joined(book)
    own = Candidate(
        kind=CandidateKind.HOST, transport=Transport.UDP, address=HOST_AT, port=4000, base_port=4000
    )
    host.say(Candidates(attempt=mine.attempt, candidates=(own,)))
    book.wait(3.1)
    assert len(book.reach.knocks) == 3
    assert not only(host.news(), Verified).reached


def test_nobody_is_knocked_at_on_hearsay() -> None:
    book = Guestbook()
    host, _, mine, _ = joined(book)
    other = Candidate(kind=CandidateKind.MAPPED, transport=Transport.TCP, address="198.51.100.99", port=4000)
    host.say(Candidates(attempt=mine.attempt, candidates=(other,)))
    assert book.reach.knocks == []


def test_tests_are_bounded() -> None:
    book = Guestbook(probes_per_player=2)
    host, _, mine, _ = joined(book)
    own = tuple(
        Candidate(kind=CandidateKind.HOST, transport=Transport.TCP, address=HOST_AT, port=4000 + n)
        for n in range(4)
    )
    host.say(Candidates(attempt=mine.attempt, candidates=own))
    assert len(book.reach.knocks) == 2
    assert book.limited(Limit.PROBES) == 2


def test_an_observation_shows_another_address_once() -> None:
    book = Guestbook()
    host, _ = published(book)
    ticket = from_text(host.hello.observe[0])
    assert len(book.desk.observed(ticket, "2001:db8:9::9")) == 8
    with pytest.raises(TicketError, match="used"):
        book.desk.observed(ticket, "2001:db8:9::8")
    with pytest.raises(TicketError):
        book.desk.observed(b"nonsense", "2001:db8:9::8")
    assert book.limited(Limit.TICKETS) == 2
    (member,) = [one for one in book.desk._members.values() if one.player.name == "ann"]
    assert member.seen == [HOST_AT, "2001:db8:9::9"]
    assert len(set(host.negotiate().observe) & set(host.hello.observe)) == 0


def test_nobody_uses_up_the_room_for_the_tickets_of_others() -> None:
    book = Guestbook(used_tickets_per_player=6)
    greedy, other = book.player("eve"), book.player("ann", HOST_AT)
    tickets = [*greedy.hello.observe, *greedy.negotiate().observe]
    problems = []
    for ticket in tickets:
        try:
            book.desk.observed(from_text(ticket), "127.0.0.1")
        except TicketError as error:
            problems.append(error.problem)
    assert problems == [TicketProblem.BUSY] * 2
    assert book.limited(Limit.TICKETS) == 2
    assert len(book.desk.observed(from_text(other.hello.observe[0]), "2001:db8:9::9")) == 8


def test_a_ticket_is_of_one_connection_also_for_the_next_process() -> None:
    """Sessions count from 1 in each process, and processes may share their keys."""
    before, after = Guestbook(), Guestbook()
    after.desk._random_bytes = lambda size: b"r" * size
    old, new = before.player("ann", HOST_AT), after.player("ann", HOST_AT)
    assert [one.session for one in before.desk._members] == [one.session for one in after.desk._members]
    with pytest.raises(TicketError):
        after.desk.observed(from_text(old.hello.observe[0]), "2001:db8:9::9")
    assert len(after.desk.observed(from_text(new.hello.observe[0]), "2001:db8:9::9")) == 8


def test_a_forged_source_is_no_place_of_a_player() -> None:
    book = Guestbook()
    host, _ = published(book)
    (member,) = [one for one in book.desk._members.values() if one.player.name == "ann"]
    for address, ticket in zip(
        ("127.0.0.1", "10.0.0.5", "203.0.113.1", "fe80::1%3"), host.hello.observe, strict=True
    ):
        assert len(book.desk.observed(from_text(ticket), address)) == 8
    assert member.seen == [HOST_AT]
    assert book.limited(Limit.FORGED_SOURCE) == 4
    inside = Candidate(kind=CandidateKind.HOST, transport=Transport.TCP, address="10.0.0.5", port=5432)
    host.say(Candidates(candidates=(inside,)))
    assert book.reach.knocks == []


def test_an_observation_of_somebody_who_left_is_worth_nothing() -> None:
    book = Guestbook()
    host, _ = published(book)
    host.client.cut()
    with pytest.raises(TicketError):
        book.desk.observed(from_text(host.hello.observe[0]), "2001:db8:9::9")


def test_what_stands_for_all_attempts_is_there_from_the_begin() -> None:
    book = Guestbook()
    host, guest = published(book)
    host.say(claims(peer("port-restricted"), HOST_AT, 0))
    begin = only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin)
    assert len(book.desk._meetings[begin.attempt].attempt.view(Side.HOST).candidates) == 4


def test_limits_of_attempts() -> None:
    book = Guestbook(attempts_per_host=1)
    _, _, _, _ = joined(book)
    third = book.player("cid", "198.51.100.30")
    assert only(third.say(Join(game="duel", fingerprint=PRINT_B)), Refused).code is Refusal.HOST_BUSY
    assert book.limited(Limit.ATTEMPTS) == 1

    book = Guestbook(attempts_per_guest=0)
    _, guest = published(book)
    told = guest.say(Join(game="duel", fingerprint=PRINT_B))
    assert only(told, Refused).code is Refusal.TOO_MANY_ATTEMPTS


def test_ended_attempts_make_room_for_new_ones() -> None:
    book = Guestbook(attempts=1)
    _, guest, _, _ = joined(book)
    third = book.player("cid", "198.51.100.30")
    assert only(third.say(Join(game="duel", fingerprint=PRINT_B)), Refused).code is Refusal.SERVER_FULL
    book.wait(21)
    assert only(guest.news(), Ended).reason is EndReason.NO_PATH
    assert only(third.say(Join(game="duel", fingerprint=PRINT_B)), Begin).side is Side.GUEST
    assert len(book.desk._meetings) == 1


def test_wishes_to_join_are_rate_limited() -> None:
    book = Guestbook(join_rate=0.1, join_burst=2)
    _, guest, _, _ = joined(book)
    guest.say(Join(game="duel", fingerprint=PRINT_B))
    assert only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Refused).code is Refusal.TOO_FAST
    assert book.limited(Limit.JOIN_RATE) == 1


def test_renewal_and_leaving() -> None:
    book = Guestbook()
    _, guest, mine, theirs = joined(book)
    book.wait(10)
    granted = only(guest.say(Renew(attempt=mine.attempt)), Granted)
    assert theirs.relay is not None
    assert (granted.relay.pair, granted.relay.expires) == (theirs.relay.pair, theirs.relay.expires + 10)
    told = guest.say(Leave(attempt=mine.attempt))
    assert only(told, Ended).reason is EndReason.GUEST_LEFT
    assert book.relays.revoked == [theirs.relay.pair]
    book.relays.there = False
    begin = only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin)
    assert begin.relay is None
    assert only(guest.say(Renew(attempt=begin.attempt)), Refused).code is Refusal.NO_RELAY


def test_a_lost_connection_ends_the_attempt_and_not_the_path() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    guest.client.cut()
    assert only(host.news(), Ended).reason is EndReason.GUEST_LEFT
    assert book.relays.revoked == []
    assert mine.relay is not None


def test_a_kick_ends_attempts_and_closes_the_relay_in_the_same_instant() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    assert mine.relay is not None
    book.rig.lobby.discipline.remove("bob", "op", "rude", 300, "KICKED")
    assert only(host.news(), Ended).reason is EndReason.REMOVED
    assert book.relays.revoked == [mine.relay.pair]
    assert guest.client.closed


def test_a_kick_is_told_to_those_who_play_without_us() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    number = mine.attempt
    host.say(claims(peer("port-restricted"), HOST_AT, number))
    guest.say(claims(peer("cgn"), GUEST_AT, number))
    guest.say(Carried(attempt=number, step=4))
    assert only(host.say(Carried(attempt=number, step=4)), Ended).reason is EndReason.CONNECTED
    book.rig.lobby.discipline.remove("bob", "op", "rude", 300, "KICKED")
    told = [one for one in host.news() if isinstance(one, Ended)]
    assert [(one.attempt, one.reason, one.kind) for one in told] == [(number, EndReason.REMOVED, None)]


def test_a_kick_reaches_a_player_whose_connection_was_lost() -> None:
    book = Guestbook()
    _, guest, mine, _ = joined(book)
    assert mine.relay is not None
    guest.client.cut()
    book.rig.lobby.discipline.remove("bob", "op", "rude", 300, "KICKED")
    assert book.relays.revoked == [mine.relay.pair]


@pytest.mark.parametrize(
    ("target", "value"),
    [(Target.ADDRESS, GUEST_AT), (Target.NETWORK, "198.51.100.0/24"), (Target.NAME, "bob")],
)
def test_a_ban_reaches_players_who_left_the_lobby(target: Target, value: str) -> None:
    book = Guestbook()
    _, guest, mine, _ = joined(book)
    assert mine.relay is not None
    guest.client.say("DISCONNECT", "NORMAL")
    assert book.relays.revoked == []
    book.rig.sanctions.impose(Kind.BAN, target, value, reason="", by="op", duration=60)
    assert book.relays.revoked == [mine.relay.pair]


def test_a_game_closed_by_order_closes_its_relays() -> None:
    book = Guestbook()
    _, guest, mine, _ = joined(book)
    assert mine.relay is not None
    book.rig.lobby.discipline.end_game("duel")
    assert book.relays.revoked == [mine.relay.pair]
    assert only(guest.news(), Ended).reason is EndReason.GAME_ENDED


def test_a_host_who_leaves_the_lobby_takes_his_game_off_the_list() -> None:
    book = Guestbook()
    host, guest, _, _ = joined(book)
    host.client.say("DISCONNECT", "NORMAL")
    assert only(guest.news(), Ended).reason in {EndReason.HOST_LEFT, EndReason.GAME_ENDED}
    assert guest.client.games() == {}
    assert len(book.desk._publishing) == 0


def test_the_server_stops() -> None:
    book = Guestbook()
    host, guest, _, _ = joined(book)
    book.desk.stop()
    for speaker in (host, guest):
        assert only(speaker.news(), Ended).reason is EndReason.SERVER_STOPS
    assert words(host.other).count("DISCONNECT") == 0


def test_an_ended_meeting_keeps_nothing_of_what_it_was_made_of() -> None:
    book = Guestbook()
    host, guest, mine, _ = joined(book)
    host.say(claims(peer("port-restricted"), HOST_AT, mine.attempt))
    guest.say(claims(peer("cgn"), GUEST_AT, mine.attempt))
    meeting = book.desk._meetings[mine.attempt]
    assert len(meeting.attempt.trace.entries) > 5
    book.wait(21)
    assert "Not connected" in only(host.news(), Ended).text
    assert meeting.over
    assert not meeting.attempt.trace.entries
    assert not meeting.attempt.steps()
    assert all(seat.claims.candidates == () for seat in meeting.seats.values())
    assert meeting.attempt.view(Side.HOST).candidates == ()
    assert only(host.say(Renew(attempt=mine.attempt)), Granted).relay.pair == meeting.pair
