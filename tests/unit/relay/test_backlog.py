from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wlnet.relay.backlog import Backlog


def _tens(chunk: bytes, offset: int) -> int:
    """Frames of ten bytes."""
    return -(-offset // 10) * 10


def _drain(backlog: Backlog) -> bytes:
    out = b""
    while backlog.size:
        head = bytes(backlog.head())
        out += head
        backlog.sent(len(head))
    return out


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=600), st.integers(1, 50))
def test_what_goes_in_comes_out_in_order(pieces: list[bytes], step: int) -> None:
    backlog = Backlog()
    for piece in pieces:
        backlog.add(piece)
    assert backlog.size == sum(map(len, pieces))
    out = b""
    while backlog.size:
        taken = bytes(backlog.head()[:step])
        out += taken
        backlog.sent(len(taken))
    assert out == b"".join(pieces)
    assert backlog.head() == b""


def test_a_cut_keeps_only_the_rest_of_the_begun_frame() -> None:
    backlog = Backlog()
    backlog.add(b"0123456789abcdefghij")
    backlog.add(b"ABCDEFGHIJ")
    backlog.head()
    backlog.sent(13)
    backlog.cut(_tens)
    assert backlog.size == 7
    backlog.add(b"reason")
    assert _drain(backlog) == b"defghijreason"


def test_a_cut_between_two_frames_keeps_nothing() -> None:
    backlog = Backlog()
    backlog.add(b"0123456789abcdefghij")
    backlog.head()
    backlog.sent(10)
    backlog.cut(_tens)
    assert backlog.size == 0
    backlog.add(b"reason")
    assert _drain(backlog) == b"reason"


def test_a_cut_of_what_was_never_begun_keeps_nothing() -> None:
    backlog = Backlog()
    backlog.add(b"0123456789")
    backlog.cut(_tens)
    assert backlog.size == 0
    assert backlog.head() == b""


def test_tiny_pieces_are_joined() -> None:
    backlog = Backlog()
    for _ in range(10_000):
        backlog.add(b"abc")
    assert len(backlog.head()) >= 256 * 3
