"""The lines keys are found on."""

from __future__ import annotations

from wlnet.config.places import find_places

TEXT = '''# heading
[lobby]   # [relay]
port = 1
"mo.td" = """
port = 5
[x]
"""
listen = [
  # first
  "a[", 'b]',
  "c",
]
inline = { a = 1, b = { c = [1,
  2] } }

[ relay . deep ]
first.second = 'x = [1'
when = 2020-01-01 10:00:00  # port = 7

[[games]]
name = "a"
[[games]]
name = "b"
'''


def test_lines() -> None:
    lines = find_places(TEXT).lines
    assert lines == {
        ("lobby",): 2,
        ("lobby", "port"): 3,
        ("lobby", "mo.td"): 4,
        ("lobby", "listen"): 8,
        ("lobby", "listen", 0): 10,
        ("lobby", "listen", 1): 10,
        ("lobby", "listen", 2): 11,
        ("lobby", "inline"): 13,
        ("lobby", "inline", "a"): 13,
        ("lobby", "inline", "b"): 13,
        ("lobby", "inline", "b", "c"): 13,
        ("lobby", "inline", "b", "c", 0): 13,
        ("lobby", "inline", "b", "c", 1): 14,
        ("relay", "deep"): 16,
        ("relay", "deep", "first"): 17,
        ("relay", "deep", "first", "second"): 17,
        ("relay", "deep", "when"): 18,
        ("games", 0): 20,
        ("games", 0, "name"): 21,
        ("games", 1): 22,
        ("games", 1, "name"): 23,
    }


def test_repeated_keys_and_the_nearest_line() -> None:
    places = find_places("[a]\nx = 1\n[b]\nx = 1\nx = 2\n[a]\n")
    assert places.repeated == {("b", "x"): 5, ("a",): 6}
    assert places.line(("a", "unknown", 3)) == 1
    assert places.line(("c",)) is None


def test_a_broken_text_is_read_as_far_as_it_makes_sense() -> None:
    places = find_places("[a]\nx = 1\nlist = [1,\n y = 2\n")
    assert places.lines[("a", "list")] == 3
    assert places.unfinished == ("a", "list")
