"""Where and when a relay dials."""

from __future__ import annotations

import pytest

from wlnet.link.backoff import Backoff
from wlnet.link.server import split_address
from wlnet.link.shell_own_address import own_address


def test_pauses_double_up_to_the_longest_and_start_over() -> None:
    pauses = Backoff(0.5, 3.0, lambda: 1.0)
    assert [pauses.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    pauses.reset()
    assert pauses.next() == 0.5


def test_pauses_are_scattered_and_never_nothing() -> None:
    assert Backoff(0.5, 3.0, lambda: 0.0).next() == 0.25
    assert Backoff(0.0, 0.0, lambda: 0.0).next() > 0.0


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("lobby.example:7398", ("lobby.example", 7398)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("[::1]:7398", ("::1", 7398)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "host", ":7398", "host:", "host:0", "host:70000", "host:x", "::1:7398", "h:²"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"link\.lobby"):
        split_address(text)


def test_own_address_is_of_the_family_or_nothing() -> None:
    four, six = own_address(4), own_address(6)
    assert four is None or four.count(".") == 3
    assert six is None or ":" in six
