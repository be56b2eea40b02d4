"""Names of players and games."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.lobby.names import name_problem, numbered, text_problem


@pytest.mark.parametrize("name", ["a", "Peter", "x@y.z+1_2-3", "teams", "x" * 40])
def test_what_the_client_allows_is_allowed(name: str) -> None:
    assert name_problem(name, 40) is None


@pytest.mark.parametrize("name", ["", "x" * 41, "a b", "ä", "a\n", "team", "TEAM", "<x>", "٣"])
def test_all_else_is_not(name: str) -> None:
    assert name_problem(name, 40)


@given(st.text("abc", min_size=1, max_size=12), st.integers(5, 12))
def test_numbers_make_different_names_within_the_limit(name: str, limit: int) -> None:
    made = list(islice(numbered(name[:limit], limit), 200))
    assert len(set(made)) == 200
    assert all(len(one) <= limit for one in made)


def test_numbers_count_from_one() -> None:
    assert list(islice(numbered("bob", 40), 3)) == ["bob1", "bob2", "bob3"]


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("Grüße", False),
        ("我们", False),
        ("a b", False),
        ("", True),
        ("\x07", True),
        ("a\tb", True),
        ("\udcff", True),
        ("ä" * 6, True),
    ],
)
def test_names_of_games_are_printable_and_bounded_in_bytes(text: str, bad: bool) -> None:
    assert (text_problem(text, 10) is not None) == bad
