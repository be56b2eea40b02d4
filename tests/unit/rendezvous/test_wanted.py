"""A guest whose network lets out one port only: his host is asked to be reachable there."""

from __future__ import annotations

from tests.unit.rendezvous.rig import PRINT_A, PRINT_B, Guestbook, Speaker, only
from wlnet.protocols.exchange.messages import Candidates, Carried, Join, Probed, Publish
from wlnet.rendezvous.events import Begin, Ended, PlanPart, Settled, Wanted
from wlnet.steering.model import Candidate, CandidateKind, PathKind, Technique, Transport

HOST_AT, GUEST_AT = "198.51.100.10", "198.51.100.20"


def meet(book: Guestbook) -> tuple[Speaker, Speaker, int]:
    host, guest = book.player("ann", HOST_AT), book.player("bob", GUEST_AT)
    host.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A))
    number = only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin).attempt
    host.news()
    return host, guest, number


def only_443(number: int) -> Candidates:
    inner = Candidate(
        kind=CandidateKind.HOST, transport=Transport.TCP, address="192.168.1.10", port=40000, base_port=40000
    )
    return Candidates(attempt=number, candidates=(inner,), udp=False, only_port=443, complete=True)


def test_the_host_is_asked_once_and_reached_at_that_port() -> None:
    book = Guestbook()
    host, guest, number = meet(book)
    host.say(Candidates(attempt=number, complete=True))
    told = guest.say(only_443(number))
    assert not any(isinstance(one, Wanted) for one in told)
    guest.say(only_443(number))
    assert only(host.news(), Wanted) == Wanted(attempt=number, port=443)
    own = Candidate(
        kind=CandidateKind.HOST, transport=Transport.TCP, address=HOST_AT, port=443, base_port=443
    )
    host.say(Candidates(attempt=number, candidates=(own,), complete=True))
    [(transport, address, port, packet, _)] = book.reach.knocks
    assert (transport, address, port) == (Transport.TCP, HOST_AT, 443)
    host.say(Probed(token=packet[1:].hex()))
    book.wait(0.3)
    plan = [one for one in guest.news() if isinstance(one, PlanPart)][-1]
    [step] = [one for one in plan.steps if one.technique is Technique.PUBLIC]
    assert [(one.address, one.port) for one in step.order.targets] == [(HOST_AT, 443)]


def test_the_relay_is_not_settled_for_while_the_port_is_waited_for() -> None:
    """Both have said all they know, and play over the relay: what was asked for may still come."""
    book = Guestbook()
    host, guest, number = meet(book)
    host.say(Candidates(attempt=number, complete=True))
    guest.say(only_443(number))
    book.wait(0.3)
    for player in (host, guest):
        player.say(Carried(attempt=number, step=1))
    told = host.news() + guest.news()
    assert any(isinstance(one, Settled) for one in told)
    book.wait(4)
    assert not any(isinstance(one, Ended) for one in told + guest.news())
    book.wait(10)
    assert only(guest.news(), Ended).kind is PathKind.RELAYED


def test_nobody_is_asked_for_a_port_without_need() -> None:
    book = Guestbook()
    host, guest, number = meet(book)
    guest.say(Candidates(attempt=number, complete=True))
    assert not any(isinstance(one, Wanted) for one in host.news())
