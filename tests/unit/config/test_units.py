"""Durations and sizes with units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.config.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("15s", 15), ("5min", 300), ("2h", 7200), ("1d", 86400), ("1.5 h", 5400), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512B", 512),
        ("64KiB", 65536),
        ("1MiB", 1048576),
        ("10MB", 10_000_000),
        ("1.5kb", 1500),
        ("1GiB", 2**30),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3s", "5 m", "1 week", "٣s", "1s2s"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        parse_duration(text)


def test_a_fraction_of_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of bytes"):
        parse_size("1.5B")


@given(
    st.one_of(
        st.floats(0, 315_360_000),
        st.integers(0, 10**6).map(float),
        st.integers(0, 10**6).map(lambda n: n / 1000),
    )
)
def test_formatted_durations_read_back(seconds: float) -> None:
    text = format_duration(seconds)
    assert (parse_duration(text) if isinstance(text, str) else text) == seconds


@given(st.one_of(st.integers(0, 2**40), st.integers(0, 2**20).map(lambda n: n * 1024)))
def test_formatted_sizes_read_back(size: int) -> None:
    text = format_size(size)
    assert (parse_size(text) if isinstance(text, str) else text) == size
