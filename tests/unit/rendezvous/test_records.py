"""Records of attempts: what they hold, the file they are in, and what is told to the two players."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.rendezvous.rig import PRINT_A, PRINT_B, Guestbook, Speaker, only
from wlnet.protocols.exchange.messages import Candidates, Carried, Join, Leave, Publish
from wlnet.rendezvous.events import Begin, Ended
from wlnet.rendezvous.records import AttemptRecord, decode, describe, encode, headline
from wlnet.rendezvous.shell_records import RecordFile, older, read
from wlnet.steering.model import PathKind, Side, Technique, Transport
from wlnet.steering.statistics import Network
from wlnet.steering.trace import EndReason, Entry, Event

RECORD = AttemptRecord(
    number=7,
    ended=1_700_000_000.5,
    seconds=3.25,
    game="duel",
    host="ann",
    guest="bob",
    host_network=Network.PUBLIC,
    guest_network=Network.PORT_FILTERING,
    pair="0" * 32,
    reason=EndReason.CONNECTED,
    sentence="Connected.",
    trace=(
        Entry(at=0.0, event=Event.BEGUN),
        Entry(
            at=0.5,
            event=Event.OPENED,
            side=Side.GUEST,
            step=2,
            technique=Technique.PUNCH,
            transport=Transport.UDP,
        ),
        Entry(at=0.6, event=Event.SKIPPED, technique=Technique.LAN, transport=Transport.TCP, detail="Far."),
        Entry(at=0.7, event=Event.SKIPPED, technique=Technique.LAN, transport=Transport.TCP, detail="Far."),
    ),
    left_out=3,
)


def meet(book: Guestbook) -> tuple[Speaker, Speaker, Begin]:
    """A host and a guest in an attempt, and what the guest was told of it."""
    host, guest = book.player("ann"), book.player("bob", "203.0.113.9")
    host.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A))
    return host, guest, only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin)


def test_both_sides_and_the_operator_get_the_same_sentence() -> None:
    book = Guestbook()
    host, guest, begin = meet(book)
    number = begin.attempt
    book.wait(0.5)
    host.say(Carried(attempt=number, step=1))
    guest.say(Carried(attempt=number, step=1))
    host.say(Candidates(attempt=number, candidates=(), complete=True))
    heard = guest.say(Candidates(attempt=number, candidates=(), complete=True)), host.news()
    told = [only(news, Ended) for news in heard]
    ((record, address),) = book.records
    assert address == "203.0.113.9"
    assert [one.text for one in told] == [record.sentence] * 2
    assert record.sentence.startswith("Connected through the relay by UDP")
    assert (record.number, record.game, record.host, record.guest) == (number, "duel", "ann", "bob")
    assert (record.path, record.technique) == (PathKind.RELAYED, Technique.RELAY_UDP)
    assert record.reason is EndReason.CONNECTED
    assert record.first_play == 0.5
    assert record.ended > 1_700_000_000
    assert record.trace[0].event is Event.BEGUN
    assert record.trace[-1].event is Event.ENDED
    assert begin.relay is not None
    assert record.pair == begin.relay.pair


@pytest.mark.parametrize("leaver", [0, 1])
def test_who_stays_gets_the_sentence(leaver: int) -> None:
    book = Guestbook()
    host, guest, begin = meet(book)
    speakers = host, guest
    speakers[leaver].say(Leave(attempt=begin.attempt))
    ((record, _),) = book.records
    assert record.path is None
    assert record.sentence == (
        f"Not connected: the {'host' if leaver == 0 else 'guest'} left before a path was found."
    )
    assert only(speakers[1 - leaver].news(), Ended).text == record.sentence


def test_round_trip() -> None:
    assert decode(encode(RECORD)) == RECORD
    assert encode(RECORD).count(b"\n") == 1
    assert decode(encode(RECORD)[:-20]) is None
    assert decode(b"\xff\n") is None


def test_as_text() -> None:
    assert headline(RECORD) == "7  2023-11-14 22:13:20 UTC  bob to ann, game duel: Connected."
    assert list(describe(RECORD)) == [
        "Attempt 7, ended 2023-11-14 22:13:20 UTC after 3.2 s (connected)",
        "Guest bob (port-filtering), host ann (public)",
        f"Game duel, pair {'0' * 32}",
        "Connected.",
        "",
        "    0.000  begun",
        "    0.500  opened     guest step 2 punch UDP",
        "(3 more)",
        "",
        "Not tried:",
        "  lan TCP: Far.",
    ]


def test_the_file_is_bounded_and_the_latest_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "attempts.jsonl"
    assert list(read(path)) == []
    size = 20 * len(encode(RECORD))
    file = RecordFile(path, size)
    for number in range(100, 400):
        file.write(replace(RECORD, number=number))
    numbers = [record.number for record in read(path)]
    assert numbers == list(range(400 - len(numbers), 400))
    assert 10 <= len(numbers) <= 20
    assert path.stat().st_size + older(path).stat().st_size <= size
    assert sorted(one.name for one in tmp_path.iterdir()) == ["attempts.jsonl", "attempts.jsonl.1"]
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in tmp_path.iterdir())
    file.write(replace(RECORD, sentence="x" * size))
    assert [record.number for record in read(path)] == numbers, "one that is too long is left out"


def test_broken_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "attempts.jsonl"
    path.write_bytes(b"{}\n\xff\n" + encode(RECORD)[:50] + b"\n" + encode(RECORD))
    assert list(read(path)) == [RECORD]


def test_a_file_that_cannot_be_written_costs_the_records_only(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "gone" / "attempts.jsonl", 65536)
    file.write(RECORD)
    file.write(RECORD)
    (tmp_path / "gone").mkdir()
    file.write(RECORD)
    assert list(read(tmp_path / "gone" / "attempts.jsonl")) == [RECORD]
