"""The policy reaches the measured ceiling: every cell of the table, UDP and TCP, both ways round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.steering.kinds import OPTIONS, TCP, UDP, peer
from wlnet.steering.model import PathKind, Side, Technique, Transport
from wlnet.steering.orders import Plan
from wlnet.steering.plan import make_plan

# D direct or by reversal, M mapped port, S one-sided to a reflexive endpoint, P two-sided punch, A the side
# that filters by address learns the port, G outer address with local port, Q counted ports, B birthday,
# R relay.
LETTER = {
    Technique.LAN: "L",
    Technique.PUBLIC: "D",
    Technique.REVERSAL: "D",
    Technique.MAPPED: "M",
    Technique.REFLEXIVE: "S",
    Technique.PUNCH: "P",
    Technique.TCP_PUNCH: "P",
    Technique.LOCAL_PORT: "G",
    Technique.PREDICTION: "Q",
    Technique.LEARNED_PORT: "A",
    Technique.BIRTHDAY: "B",
    Technique.RELAY_UDP: "R",
    Technique.RELAY_TCP: "R",
    Technique.RELAY_TLS: "R",
}

GROUPS = {
    "open": ("open",),
    "mapped": ("upnp", "upnp-sym"),
    "full-cone": ("full-cone",),
    "EIM": ("open-fw", "port-restricted", "pr-reject", "pr-clash", "eim-remap", "cgn", "upnp-cgn"),
    "restricted": ("restricted",),
    "pr-collide": ("pr-collide",),
    "sym-seq": ("sym-seq",),
    "HARD": ("sym-random", "cgn-sym"),
    "udp-blocked": ("udp-blocked",),
    "tcp443": ("tcp443",),
}

# Columns as in GROUPS; each cell is what UDP and what TCP reaches.
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


def cells() -> list[tuple[str, str, Transport, str]]:
    found = []
    for row, text in TABLE.items():
        for place, column in enumerate(GROUPS):
            letters = text[place * 3 : place * 3 + 2].strip()
            if letters:
                found += [(row, column, UDP, letters[0]), (row, column, TCP, letters[1])]
    return found


def plans(row: str, column: str) -> Iterator[Plan]:
    """Every kind of the row with every kind of the column, both ways round."""
    own_443 = "tcp443" in (row, column)
    for one in GROUPS[row]:
        for two in GROUPS[column]:
            yield make_plan(peer(one, own_443=own_443), peer(two, own_443=own_443), OPTIONS)
            yield make_plan(peer(two, own_443=own_443), peer(one, own_443=own_443), OPTIONS)


def promised(plan: Plan, transport: Transport) -> str:
    """The best step promised by what was measured; without any, the relay over whatever there is."""
    of_transport = [step for step in plan.steps if step.transport is transport and not step.guess]
    return LETTER[of_transport[0].technique] if of_transport else "R"


def test_the_table_has_all_55_cells() -> None:
    assert sum(len(text.split()) for text in TABLE.values()) == 55


@pytest.mark.parametrize(("row", "column", "transport", "letter"), cells())
def test_best_step_is_the_ceiling(row: str, column: str, transport: Transport, letter: str) -> None:
    for plan in plans(row, column):
        assert promised(plan, transport) == letter


@pytest.mark.parametrize(("row", "column", "transport", "letter"), cells())
def test_nothing_better_than_the_ceiling_is_tried_but_a_cheap_guess(
    row: str, column: str, transport: Transport, letter: str
) -> None:
    better = "DMSPGQABR"[: "DMSPGQABR".index(letter)]
    for plan in plans(row, column):
        for step in plan.steps:
            if step.transport is transport and LETTER[step.technique] in better:
                assert step.guess
                assert step.technique is Technique.LOCAL_PORT


@pytest.mark.parametrize("kind", [kind for kinds in GROUPS.values() for kind in kinds])
def test_the_relay_starts_at_once_for_both_sides_of_every_pair(kind: str) -> None:
    for plan in (
        make_plan(peer(kind), peer("sym-random"), OPTIONS),
        make_plan(peer("tcp443"), peer(kind), OPTIONS),
    ):
        relays = [step for step in plan.steps if step.kind is PathKind.RELAYED]
        for side in Side:
            starts = [order.start for step in relays if (order := step.order(side)) is not None]
            assert starts[0] == 0.0
        assert [step.kind for step in plan.steps[-len(relays) :]] == [PathKind.RELAYED] * len(relays)


def test_a_port_that_is_random_for_the_server_is_still_guessed() -> None:
    """A clash towards the server only looks like a random NAT: the guess costs a few packets."""
    plan = make_plan(peer("sym-random"), peer("port-restricted"), OPTIONS)
    guess = next(step for step in plan.steps if step.technique is Technique.LOCAL_PORT)
    assert guess.guess
    assert guess.guest is not None
    assert [target.port for target in guess.guest.targets] == [40000]
