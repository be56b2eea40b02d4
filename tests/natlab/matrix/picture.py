"""docs/nat-matrix.svg: one square a pair of kinds, coloured by its path. Legible on dark and light pages."""

from __future__ import annotations

from collections.abc import Sequence

from tests.natlab.matrix.ceiling import KINDS, PATHS, is_below
from tests.natlab.matrix.cells import Outcome
from tests.natlab.matrix.town import WITH_IPV6
from wlnet.steering.model import PathKind

SIZE = 30
LEFT = 118
TOP = 104
LEGEND = 92

# Fill and text of a path's kind on light and on dark pages.
_COLOURS = {
    "direct": ("#1b7f4d", "#ffffff", "#3fb77c", "#06140d"),
    "mapped": ("#4d9a2a", "#ffffff", "#86c75c", "#0d1606"),
    "punched": ("#2f6fb5", "#ffffff", "#6ea8e6", "#06101c"),
    "relayed": ("#d9cfae", "#3a3420", "#6b6346", "#f4eeda"),
    "none": ("#c0392b", "#ffffff", "#ef6f61", "#1c0604"),
}
_KINDS = {
    PathKind.DIRECT: "direct",
    PathKind.MAPPED: "mapped",
    PathKind.PUNCHED: "punched",
    PathKind.RELAYED: "relayed",
}
_MEANINGS = {
    "direct": "direct",
    "mapped": "mapped port",
    "punched": "punched",
    "relayed": "relayed",
    "none": "not connected",
}


def draw(outcomes: Sequence[Outcome]) -> str:
    """The picture as SVG."""
    cells = {
        (outcome.traffic, frozenset((outcome.host, outcome.guest))): outcome
        for outcome in outcomes
        if not outcome.birthday and not outcome.event and (outcome.host, outcome.guest) not in WITH_IPV6
    }
    rows = [kind for kind in KINDS if any(kind in pair for _, pair in cells)]
    side = SIZE * len(rows)
    width, height = LEFT + side + 16, TOP + side + LEGEND
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">',
        "<title>Path between every two kinds of home network</title>",
        _style(),
    ]
    for place, kind in enumerate(rows):
        middle = TOP + SIZE * place + SIZE / 2 + 4
        parts.append(f'<text class="word" x="{LEFT - 6}" y="{middle:g}" text-anchor="end">{kind}</text>')
        x = LEFT + SIZE * place + SIZE / 2 + 4
        turned = f'transform="translate({x:g} {TOP - 6}) rotate(-60)"'
        parts.append(f'<text class="word" {turned}>{kind}</text>')
    for down, row in enumerate(rows):
        for across, column in enumerate(rows):
            pair = frozenset((row, column))
            x, y = LEFT + SIZE * across, TOP + SIZE * down
            udp, tcp = cells.get(("udp", pair)), cells.get(("tcp", pair))
            if row == column:
                parts += _half(udp, x, y, upper=True) + _half(tcp, x, y, upper=False)
            else:
                parts += _square(udp if across > down else tcp, x, y)
    parts += _legend(TOP + side + 24)
    return "\n".join([*parts, "</svg>", ""])


def _style() -> str:
    light = [".word{fill:#24292f}", ".below{stroke:#c0392b}"]
    dark = [".word{fill:#e6edf3}", ".below{stroke:#ff8d80}"]
    for name, (fill, ink, dark_fill, dark_ink) in _COLOURS.items():
        light.append(f".{name}{{fill:{fill}}}.{name}-ink{{fill:{ink}}}")
        dark.append(f".{name}{{fill:{dark_fill}}}.{name}-ink{{fill:{dark_ink}}}")
    rules = "".join(light)
    return f"<style>{rules}@media (prefers-color-scheme:dark){{{''.join(dark)}}}</style>"


def _class(outcome: Outcome) -> str:
    return "none" if outcome.letter is None else _KINDS[PATHS[outcome.letter]]


def _title(outcome: Outcome) -> str:
    words = [f"{outcome.host} hosts, {outcome.guest} joins, {outcome.traffic.upper()} game:"]
    words.append(
        f"{outcome.technique} over {outcome.transport.upper()}" if outcome.letter else "not connected"
    )
    return f"<title>{' '.join(words)}</title>"


def _below(outcome: Outcome) -> bool:
    return outcome.letter is None or is_below(outcome.letter, outcome.ceiling)


def _square(outcome: Outcome | None, x: int, y: int) -> list[str]:
    if outcome is None:
        return []
    name, edge = _class(outcome), SIZE - 2
    ring = ' stroke-width="3"' if _below(outcome) else ""
    extra = " below" if _below(outcome) else ""
    middle = f'x="{x + SIZE / 2:g}" y="{y + SIZE / 2 + 4:g}" text-anchor="middle"'
    box = f'x="{x + 1}" y="{y + 1}" width="{edge}" height="{edge}" rx="3"'
    text = f'<text class="{name}-ink" {middle}>{outcome.letter or "-"}</text>'
    return [f'<g><rect class="{name}{extra}" {box}{ring}/>{text}{_title(outcome)}</g>']


def _half(outcome: Outcome | None, x: int, y: int, *, upper: bool) -> list[str]:
    """A pair of equal kinds: UDP in the upper right, TCP in the lower left."""
    if outcome is None:
        return []
    name = _class(outcome)
    extra = ' below" stroke-width="2' if _below(outcome) else ""
    left, top, right, bottom = x + 1, y + 1, x + SIZE - 1, y + SIZE - 1
    corner = f"{right},{top}" if upper else f"{left},{bottom}"
    shift = SIZE // 5 + 1 if upper else -(SIZE // 5 + 1)
    middle = f'x="{x + SIZE / 2 + shift:g}" y="{y + SIZE / 2 + 4 - shift:g}" text-anchor="middle"'
    text = f'<text class="{name}-ink" {middle} font-size="10">{outcome.letter or "-"}</text>'
    shape = f'<polygon class="{name}{extra}" points="{left},{top} {corner} {right},{bottom}"/>'
    return [f"<g>{shape}{text}{_title(outcome)}</g>"]


def _legend(top: int) -> list[str]:
    parts = []
    x = LEFT
    for name, meaning in _MEANINGS.items():
        parts.append(f'<rect class="{name}" x="{x}" y="{top}" width="14" height="14" rx="3"/>')
        parts.append(f'<text class="word" x="{x + 20}" y="{top + 11}">{meaning}</text>')
        x += 34 + 7 * len(meaning)
    text = "upper right: games of datagrams (UDP); lower left: games of streams (TCP)"
    parts.append(f'<text class="word" x="{LEFT}" y="{top + 36}">{text}</text>')
    text = "letters: nat-matrix.md; a ring: a better path would be possible"
    parts.append(f'<text class="word" x="{LEFT}" y="{top + 54}">{text}</text>')
    return parts
