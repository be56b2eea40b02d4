"""The policy reaches the measured ceiling: every cell of the table, UDP and TCP, both ways round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.natlab.matrix import ceiling
from tests.natlab.matrix.ceiling import OF_TECHNIQUE
from tests.unit.steering.kinds import BEHAVIOURS, OPTIONS, TCP, UDP, peer
from wlnet.steering.model import PathKind, Side, Technique, Transport
from wlnet.steering.orders import Plan
from wlnet.steering.plan import make_plan

# Those the policy can tell apart: v6-fw is as port-restricted over IPv4.
GROUPS = {name: tuple(kind for kind in kinds if kind in BEHAVIOURS) for name, kinds in ceiling.GROUPS.items()}


def cells() -> list[tuple[str, str, Transport, str]]:
    """What UDP and what TCP reaches."""
    found = []
    for row, column, udp, tcp in ceiling.groups():
        found += [(row, column, UDP, udp), (row, column, TCP, tcp)]
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
    return OF_TECHNIQUE[of_transport[0].technique] if of_transport else "R"


def test_the_table_has_all_55_cells() -> None:
    assert len(cells()) == 2 * 55


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
            if step.transport is transport and OF_TECHNIQUE[step.technique] in better:
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
