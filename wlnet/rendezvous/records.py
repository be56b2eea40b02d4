"""What is kept of an attempt for the operator: its trace, its outcome, whose it was; as data and as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from wlnet.rendezvous.member import Meeting
from wlnet.steering.model import Family, PathKind, Side, Technique, Transport
from wlnet.steering.statistics import Network, network_of
from wlnet.steering.trace import EndReason, Entry, Event


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One attempt that has ended. No addresses, but what players report may name some.

    :ivar ended: Unix seconds; *seconds*: how long it took.
    :ivar pair: the pair at the relay, as the relay's log names it.
    :ivar host: names of the two, as they were then.
    :ivar left_out: entries of the trace there was no room for.
    """

    number: int
    ended: float
    seconds: float
    game: str
    host: str
    guest: str
    host_network: Network
    guest_network: Network
    pair: str
    reason: EndReason
    sentence: str
    path: PathKind | None = None
    technique: Technique | None = None
    transport: Transport | None = None
    family: Family | None = None
    first_play: float = 0.0
    trace: tuple[Entry, ...] = ()
    left_out: int = 0


_decoder = msgspec.json.Decoder(AttemptRecord)


def record_of(meeting: Meeting, now: float, wall: float) -> AttemptRecord | None:
    """The record of a meeting; None while its attempt is under way.

    :param now: by the clock of ``meeting.begun``.
    :param wall: Unix seconds.
    """
    attempt = meeting.attempt
    outcome = attempt.outcome
    if outcome is None:
        return None
    step = outcome.step
    return AttemptRecord(
        number=meeting.number,
        ended=round(wall, 3),
        seconds=round(now - meeting.begun, 3),
        game=meeting.game.game.name,
        host=meeting.seats[Side.HOST].player.name,
        guest=meeting.seats[Side.GUEST].player.name,
        host_network=network_of(attempt.view(Side.HOST)),
        guest_network=network_of(attempt.view(Side.GUEST)),
        pair=meeting.pair,
        reason=outcome.reason,
        sentence=attempt.sentence(),
        path=outcome.path,
        technique=step.technique if step is not None else None,
        transport=step.transport if step is not None else None,
        family=step.family if step is not None else None,
        first_play=outcome.first,
        trace=attempt.trace.entries,
        left_out=attempt.trace.left_out,
    )


def encode(record: AttemptRecord) -> bytes:
    """One line of JSON, with its end."""
    return msgspec.json.encode(record) + b"\n"


def decode(line: bytes) -> AttemptRecord | None:
    """The reverse; None if it is none, for instance half of one."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def headline(record: AttemptRecord) -> str:
    """Number, time, who with whom, and the sentence."""
    when = datetime.fromtimestamp(record.ended, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    who = f"{record.guest} to {record.host}, game {record.game}"
    return f"{record.number}  {when}  {who}: {record.sentence}"


def describe(record: AttemptRecord) -> Iterator[str]:
    """All of it, in lines."""
    when = datetime.fromtimestamp(record.ended, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"Attempt {record.number}, ended {when} after {record.seconds:.1f} s ({record.reason})"
    yield f"Guest {record.guest} ({record.guest_network}), host {record.host} ({record.host_network})"
    yield f"Game {record.game}, pair {record.pair}"
    yield record.sentence
    yield ""
    skipped: dict[str, None] = {}
    for entry in record.trace:
        if entry.event is Event.SKIPPED:
            skipped[f"{_what(entry)}: {entry.detail}"] = None
            continue
        words = [f"{entry.at:9.3f}  {entry.event:<10}", entry.side or "", _what(entry), entry.detail]
        yield " ".join(word for word in words if word).rstrip()
    if record.left_out:
        yield f"({record.left_out} more)"
    if skipped:
        yield ""
        yield "Not tried:"
        yield from (f"  {line}" for line in skipped)


def _what(entry: Entry) -> str:
    words = [f"step {entry.step}" if entry.step is not None else "", entry.technique or ""]
    if entry.transport is not None:
        words.append(entry.transport.value.upper())
    if entry.family is not None:
        words.append(f"IPv{entry.family.value}")
    return " ".join(word for word in words if word)
