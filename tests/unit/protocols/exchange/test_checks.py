"""Checks between peers: the documented vectors, and everything that is no check of our peer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.protocols.exchange.checks import (
    CHECK_SIZE,
    Check,
    CheckError,
    CheckProblem,
    decode_check,
    encode_check,
    reply_to,
)
from wlnet.steering.model import Side

SECRET = bytes(range(32))
REQUEST = bytes.fromhex("2101000000070004473132333435363738afac491cb2321262f30322a0efacfb7e")
REPLY = bytes.fromhex("2201000000070004483132333435363738be29e70be4f6790fb3ce804071e26b05")
ASKED = Check(reply=False, attempt=7, step=4, sender=Side.GUEST, nonce=b"12345678", nominated=True)


def refused(packet: bytes, *, secret: bytes = SECRET, attempt: int = 7, me: Side = Side.HOST) -> CheckProblem:
    with pytest.raises(CheckError) as caught:
        decode_check(packet, secret, attempt=attempt, me=me)
    return caught.value.problem


def test_vectors() -> None:
    assert encode_check(ASKED, SECRET) == REQUEST
    assert decode_check(REQUEST, SECRET, attempt=7, me=Side.HOST) == ASKED
    answer = reply_to(ASKED, Side.HOST)
    assert encode_check(answer, SECRET) == REPLY
    assert decode_check(REPLY, SECRET, attempt=7, me=Side.GUEST) == answer
    assert len(REQUEST) == len(REPLY) == CHECK_SIZE


def test_a_stranger_or_a_lookalike_is_never_the_peer() -> None:
    assert refused(REQUEST, secret=b"x" * 32) is CheckProblem.FORGED
    assert refused(REQUEST, attempt=8) is CheckProblem.OTHER_ATTEMPT
    assert refused(REQUEST, me=Side.GUEST) is CheckProblem.REFLECTED
    assert refused(REQUEST + b"\0") is CheckProblem.MALFORMED
    assert refused(b"") is CheckProblem.MALFORMED


def test_every_changed_byte_is_noticed() -> None:
    for place in range(CHECK_SIZE):
        changed = bytearray(REQUEST)
        changed[place] ^= 0x80
        assert refused(bytes(changed)) in {CheckProblem.FORGED, CheckProblem.MALFORMED}


@given(st.binary(max_size=64))
def test_arbitrary_bytes(data: bytes) -> None:
    assert isinstance(refused(data), CheckProblem)


@given(
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.sampled_from(Side),
    st.binary(min_size=8, max_size=8),
    st.booleans(),
)
def test_round_trip(
    reply: bool, attempt: int, step: int, sender: Side, nonce: bytes, nominated: bool
) -> None:
    check = Check(reply=reply, attempt=attempt, step=step, sender=sender, nonce=nonce, nominated=nominated)
    me = Side.HOST if sender is Side.GUEST else Side.GUEST
    assert decode_check(encode_check(check, SECRET), SECRET, attempt=attempt, me=me) == check


@pytest.mark.parametrize(
    ("attempt", "step", "nonce"), [(2**32, 1, b"8" * 8), (1, 2**16, b"8" * 8), (1, 1, b"7")]
)
def test_what_does_not_fit(attempt: int, step: int, nonce: bytes) -> None:
    with pytest.raises(ValueError, match="nonce"):
        encode_check(Check(reply=False, attempt=attempt, step=step, sender=Side.HOST, nonce=nonce), SECRET)
