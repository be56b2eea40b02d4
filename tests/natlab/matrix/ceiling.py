"""What the best possible program reaches for each pair of kinds, as measured with plain sockets (README.md).

A letter says what it takes; the order of LETTERS is that of preference. A game of either traffic is carried
over UDP or TCP alike, so a pair's ceiling is the better of its two letters.
"""

from __future__ import annotations

from collections.abc import Iterator

from wlnet.steering.model import PathKind, Technique

LETTERS = "LDMSPQGABR"
RELAY = "R"

MEANINGS = {
    "L": "over the LAN they share",
    "D": "to a public address of one side",
    "M": "to a port mapped by a router (PCP, NAT-PMP, UPnP)",
    "S": "to the endpoint the server saw, which lets everybody in",
    "P": "punched: both send to the endpoint the server saw",
    "Q": "punched: ports that are counted up are predicted",
    "G": "punched: the external address with the local port",
    "A": "punched: one side learns the other's port from its packet",
    "B": "punched: 256 sockets and up to 1024 random ports, if both agreed",
    "R": "relayed",
}

OF_TECHNIQUE = {
    Technique.LAN: "L",
    Technique.PUBLIC: "D",
    Technique.REVERSAL: "D",
    Technique.MAPPED: "M",
    Technique.REFLEXIVE: "S",
    Technique.PUNCH: "P",
    Technique.TCP_PUNCH: "P",
    Technique.PREDICTION: "Q",
    Technique.LOCAL_PORT: "G",
    Technique.LEARNED_PORT: "A",
    Technique.BIRTHDAY: "B",
    Technique.RELAY_UDP: "R",
    Technique.RELAY_TCP: "R",
    Technique.RELAY_TLS: "R",
}

PATHS = {
    "L": PathKind.DIRECT,
    "D": PathKind.DIRECT,
    "M": PathKind.MAPPED,
    **dict.fromkeys("SPQGAB", PathKind.PUNCHED),
    "R": PathKind.RELAYED,
}

# Kinds that no program can tell apart when it looks for a path.
GROUPS = {
    "open": ("open",),
    "mapped": ("upnp", "upnp-sym"),
    "full-cone": ("full-cone",),
    "EIM": ("open-fw", "v6-fw", "port-restricted", "pr-reject", "pr-clash", "eim-remap", "cgn", "upnp-cgn"),
    "restricted": ("restricted",),
    "pr-collide": ("pr-collide",),
    "sym-seq": ("sym-seq",),
    "HARD": ("sym-random", "cgn-sym"),
    "udp-blocked": ("udp-blocked",),
    "tcp443": ("tcp443",),
}
KINDS = tuple(kind for kinds in GROUPS.values() for kind in kinds)

# Columns as in GROUPS, from the diagonal on; each cell is what UDP and what TCP reaches.
TABLE = {
    "open": "DD DD DD DD DD DD DD DD RD RD",
    "mapped": "   MM MM MM MM MM MM MM RM RM",
    "full-cone": "      SS SS SS SS SS SS RS RR",
    "EIM": "         PP PP GG QQ BB RP RR",
    "restricted": "            PP GG QQ AA RP RR",
    "pr-collide": "               GG GG RR RG RR",
    "sym-seq": "                  QQ RR RQ RR",
    "HARD": "                     RR RB RR",
    "udp-blocked": "                        RP RR",
    "tcp443": "                           RR",
}


def group_of(kind: str) -> str:
    """The group of a kind.

    Raises KeyError for a kind that is in none.
    """
    for group, kinds in GROUPS.items():
        if kind in kinds:
            return group
    raise KeyError(kind)


def groups() -> Iterator[tuple[str, str, str, str]]:
    """Every cell of the table: row, column, letter for UDP, letter for TCP."""
    for row, text in TABLE.items():
        for place, column in enumerate(GROUPS):
            letters = text[place * 3 : place * 3 + 2].strip()
            if letters:
                yield row, column, letters[0], letters[1]


_CELLS = {frozenset((row, column)): (udp, tcp) for row, column, udp, tcp in groups()}


def by_transport(one: str, other: str) -> tuple[str, str]:
    """What UDP and what TCP reaches between two kinds."""
    return _CELLS[frozenset((group_of(one), group_of(other)))]


def ceiling(one: str, other: str, *, birthday: bool = False) -> str:
    """What a game between two kinds reaches. Without `birthday` nobody agreed to trying many ports."""
    letters = [letter for letter in by_transport(one, other) if birthday or letter != "B"]
    return best(letters) if letters else RELAY


def best(letters: list[str]) -> str:
    """The most wanted of some letters."""
    return min(letters, key=LETTERS.index)


def is_below(got: str, wanted: str) -> bool:
    """Whether the path is of a worse kind than it could be; how it was got does not matter."""
    kinds = tuple(PathKind)
    return kinds.index(PATHS[got]) > kinds.index(PATHS[wanted])
