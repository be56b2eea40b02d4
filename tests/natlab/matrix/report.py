"""docs/nat-matrix.md: what the matrix came to. Equal outcomes give equal bytes."""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.natlab.matrix.ceiling import KINDS, LETTERS, MEANINGS, is_below
from tests.natlab.matrix.cells import BACK, FIRST_BYTE, UPGRADE, Outcome, from_json
from tests.natlab.matrix.events import EVENTS, FALLBACK
from tests.natlab.matrix.picture import draw
from tests.natlab.matrix.population import GAME, MIXES, Mix, spared
from tests.natlab.matrix.town import DELAY, ROUND_TRIP, SHARING, WITH_IPV6

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/nat-matrix.md"
PICTURE = ROOT / "docs/nat-matrix.svg"

_INTRODUCTION = """\
# NAT matrix

Every kind of home network with every other one: a real `twistd wlnet`, a `wlnet host` in one home, a
`wlnet join` in another, a game that counts its messages. Between them kernel NATs in network namespaces
(`tests/natlab/README.md` has the kinds and how they were verified). Made by `make natlab-matrix`: do not
edit.

![Path of every pair](nat-matrix.svg)

The upper right half is games of datagrams (UDP), the lower left half games of streams (TCP); the row hosts
the former, the column the latter. Either may be carried over UDP or TCP, over IPv4 or IPv6.
"""

_METHOD = f"""\
## How it is measured

Each line has a delay of {DELAY * 1000:.0f} ms one way: {ROUND_TRIP * 1000:.0f} ms from home to home and
back, {DELAY * 2000:.0f} ms to the server and back. The guest's game sends a message every 20 ms and the host
answers each. *First byte*: from the wish to join, told to the lobby, to the first answer in the guest's game;
at most 1 s and two round trips ({FIRST_BYTE:.2f} s). *Upgrade*: from then until the game took the best path;
at most {UPGRADE:.0f} s (not for B, which takes ten seconds of tries). Nothing may be lost or repeated.
*Ceiling*: what reference punchers of plain sockets reach (`tests/natlab/README.md`, "Pairs"). A worse kind of
path than the ceiling, no connection, a limit exceeded or a message lost: the test fails.

Several cells run at a time on this machine. How long the processes of a cell had to wait for a processor is
measured (`schedstat` of Linux) and added to the two limits; the tables have the times as they were.
"""


def write(outcomes: Sequence[Outcome], document: Path = DOCUMENT, picture: Path = PICTURE) -> None:
    """The document and its picture."""
    document.write_text(text(outcomes))
    picture.write_text(draw(outcomes))


def text(outcomes: Sequence[Outcome]) -> str:
    """The document."""
    ordered = sorted(outcomes, key=_place)
    parts = [
        _INTRODUCTION,
        _summary(ordered),
        _letters(ordered),
        _tables(ordered),
        _special(ordered),
        _mishaps(ordered),
        _times(ordered),
        _mixes(ordered),
        _METHOD,
        _details(ordered),
    ]
    return "\n".join(parts)


def _place(outcome: Outcome) -> tuple[int, int, int, str, str, str, str]:
    """Kinds in the order of the table, then IPv6, then what is shared."""
    names = [
        *KINDS,
        *dict.fromkeys(name for pair in WITH_IPV6 for name in pair if name not in KINDS),
        *SHARING,
    ]
    ends = sorted(names.index(name) for name in (outcome.host, outcome.guest))
    group = 2 if outcome.host in SHARING else int((outcome.host, outcome.guest) in WITH_IPV6)
    group = 3 if outcome.event else group
    return group, ends[0], ends[1], outcome.event, outcome.traffic, outcome.host, str(outcome.birthday)


def _summary(outcomes: Sequence[Outcome]) -> str:
    connected = [outcome for outcome in outcomes if outcome.letter is not None]
    reached = [outcome for outcome in connected if not is_below(outcome.letter or "R", outcome.ceiling)]
    below = len(outcomes) - len(reached)
    faults = sum(1 for outcome in outcomes if outcome.problems) - below
    lines = [
        "## Summary",
        "",
        "| | |",
        "|---|---|",
        f"| games played | {len(outcomes)} |",
        f"| connected | {_share(len(connected), len(outcomes))} |",
        f"| on the best kind of path there is for the pair | {_share(len(reached), len(outcomes))} |",
        f"| with any other fault (slow, message lost, ...) | {faults} |",
        f"| in time only if the wait for a processor is not counted | {sum(map(_excused, outcomes))} |",
        f"| first byte of play | {_spread(outcome.first_byte for outcome in connected)} |",
        f"| upgrade from the first path to the best | {_spread(_upgrades(connected))} |",
    ]
    for mix in MIXES:
        plain = spared(outcomes, mix, birthday=False)
        if plain is not None:
            lines.append(f"| bytes that never touch a relay, {mix.name} | {plain.sent:.0%} |")
    return "\n".join([*lines, ""])


def _excused(outcome: Outcome) -> bool:
    """No fault, because the machine was busy with other cells."""
    late = (outcome.first_byte or 0.0) > FIRST_BYTE
    slow = (outcome.upgrade or 0.0) > UPGRADE and not outcome.birthday
    allowed = FALLBACK + (EVENTS[outcome.event].outage if outcome.event else 0.0)
    return not outcome.problems and (late or slow or (outcome.silence or 0.0) > allowed)


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else "0"


def _upgrades(outcomes: Iterable[Outcome]) -> Iterator[float | None]:
    """Of those that moved; the birthday trick apart."""
    for outcome in outcomes:
        if outcome.upgrade and not outcome.birthday:
            yield outcome.upgrade


def _spread(values: Iterable[float | None]) -> str:
    known = sorted(value for value in values if value is not None)
    if not known:
        return "-"
    ninety = known[min(len(known) - 1, int(len(known) * 0.9))]
    return f"median {statistics.median(known):.1f} s, 90 % within {ninety:.1f} s, worst {known[-1]:.1f} s"


def _letters(outcomes: Sequence[Outcome]) -> str:
    used = {letter for outcome in outcomes for letter in (outcome.letter, outcome.ceiling) if letter}
    lines = ["## Letters", "", "| | path |", "|---|---|"]
    lines += [f"| {letter} | {MEANINGS[letter]} |" for letter in LETTERS if letter in used]
    lines += ["", "`R<P`: relayed, though P is possible. `-`: not connected.", ""]
    return "\n".join(lines)


def mark(outcome: Outcome) -> str:
    """A cell of the table."""
    if outcome.letter is None:
        return "-"
    if is_below(outcome.letter, outcome.ceiling):
        return f"{outcome.letter}<{outcome.ceiling}"
    return outcome.letter


def _tables(outcomes: Sequence[Outcome]) -> str:
    parts = []
    for traffic, title in (("udp", "Games of datagrams (UDP)"), ("tcp", "Games of streams (TCP)")):
        cells = {
            frozenset((outcome.host, outcome.guest)): outcome
            for outcome in outcomes
            if outcome.traffic == traffic
            and not outcome.birthday
            and not outcome.event
            and (outcome.host, outcome.guest) not in WITH_IPV6
        }
        rows = [kind for kind in KINDS if any(kind in pair for pair in cells)]
        lines = [f"## {title}", "", f"| | {' | '.join(rows)} |", f"|---|{'---|' * len(rows)}"]
        for place, row in enumerate(rows):
            found = [cells.get(frozenset((row, column))) for column in rows[place:]]
            shown = [""] * place + [mark(outcome) if outcome else "" for outcome in found]
            lines.append(f"| {row} | {' | '.join(shown)} |")
        parts.append("\n".join([*lines, ""]))
    return "\n".join(parts)


def _special(outcomes: Sequence[Outcome]) -> str:
    lines = ["## IPv6, shared networks, many ports", "", "| pair | UDP | TCP |", "|---|---|---|"]
    rows: dict[str, dict[str, str]] = {}
    for outcome in outcomes:
        if outcome.host in SHARING:
            name = outcome.host
        elif (outcome.host, outcome.guest) in WITH_IPV6:
            name = f"{outcome.host} with {outcome.guest}"
        elif outcome.birthday:
            name = f"{' with '.join(sorted((outcome.host, outcome.guest)))}, both agreed to B"
        else:
            continue
        rows.setdefault(name, {})[outcome.traffic] = mark(outcome)
    lines += [f"| {name} | {row.get('udp', '')} | {row.get('tcp', '')} |" for name, row in rows.items()]
    return "\n".join([*lines, ""])


def _mishaps(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "## While playing",
        "",
        "| what happens | host | guest | game | path before | then | longest silence | wrong |",
        "|---|---|---|---|---|---|---|---|",
    ]
    happened = [outcome for outcome in outcomes if outcome.event]
    for outcome in happened:
        still = f"{outcome.silence:.1f} s" if outcome.silence is not None else "-"
        words = [outcome.event, outcome.host, outcome.guest, outcome.traffic.upper(), outcome.letter or "-"]
        words += [outcome.fallback or "the same", still, "; ".join(outcome.problems)]
        lines.append(f"| {' | '.join(words)} |")
    explained = f"""
*Then*: the path taken first after it. Each game has to be back on its best path within {BACK:.0f} s where
that is possible. *Longest silence*: between two answers in the guest's game, at most {FALLBACK:.0f} s beyond
a cut.
"""
    return "\n".join([*lines, explained]) if happened else ""


def _times(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "## Times",
        "",
        "| path | games | carried over | first byte | upgrade |",
        "|---|---|---|---|---|",
    ]
    for letter in LETTERS:
        group = [outcome for outcome in outcomes if outcome.letter == letter]
        if not group:
            continue
        carried = sorted(
            {f"{outcome.transport.upper()}{f'/IPv{f}' if (f := outcome.family) else ''}" for outcome in group}
        )
        moved = [outcome for outcome in group if outcome.letter == "B" or not outcome.birthday]
        upgrades = [outcome.upgrade for outcome in moved if outcome.upgrade]
        first = _spread(outcome.first_byte for outcome in group)
        lines.append(f"| {letter} | {len(group)} | {', '.join(carried)} | {first} | {_spread(upgrades)} |")
    return "\n".join([*lines, ""])


def _mixes(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "## What the relay is spared",
        "",
        f"For pairs of players drawn from a mix of networks who play for {GAME / 60:.0f} minutes. What the",
        "relay carries before a game moves is counted.",
        "",
        "| mix | pairs connected | without the relay | bytes never on the relay | if both agree to B |",
        "|---|---|---|---|---|",
    ]
    known = False
    for mix in MIXES:
        plain, trying = (spared(outcomes, mix, birthday=birthday) for birthday in (False, True))
        if plain is None or trying is None:
            continue
        known = True
        shares = (plain.connected, plain.pairs, plain.sent, trying.sent)
        lines.append(f"| {mix.name} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    if not known:
        return ""
    lines += ["", *(_mix(mix) for mix in MIXES)]
    return "\n".join(lines)


def _mix(mix: Mix) -> str:
    shares = sorted(mix.shares.items(), key=lambda entry: (-entry[1], entry[0]))
    return f"**{mix.name}**: {', '.join(f'{kind} {share} %' for kind, share in shares)}. {mix.words}\n"


def _at_most(seconds: float | None) -> str:
    """The next half second: as good for comparing, and mostly the same in the next run."""
    return "-" if seconds is None else f"{math.ceil(seconds * 2) / 2:.1f}"


def _details(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "## Every game",
        "",
        "<details><summary>host, guest, path; times in seconds, rounded up to halves</summary>",
        "",
        "| host | guest | game | path | technique | carried over | first byte | upgrade | wrong |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        if outcome.event:
            continue
        family = f"/IPv{outcome.family}" if outcome.family else ""
        carried = f"{outcome.transport.upper()}{family}"
        times = [_at_most(value) for value in (outcome.first_byte, outcome.upgrade)]
        game = outcome.traffic.upper() + (", B agreed" if outcome.birthday else "")
        words = [outcome.host, outcome.guest, game, mark(outcome), outcome.technique, carried, *times]
        lines.append(f"| {' | '.join(words)} | {'; '.join(outcome.problems)} |")
    return "\n".join([*lines, "", "</details>", ""])


def main() -> None:
    """Make the document again from the outcomes of an earlier run."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("outcomes", type=Path, help="artifacts/nat-matrix.json")
    write(from_json(parser.parse_args().outcomes.read_text()))


if __name__ == "__main__":
    main()
