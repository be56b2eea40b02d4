"""Tickets: made here, checked there, worth nothing when anything about them is wrong."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.steering.model import Side
from wlnet.tickets.keys import TicketKeys, keys_at
from wlnet.tickets.ticket import (
    MAX_TICKET,
    RelayPair,
    Rendezvous,
    TicketError,
    TicketProblem,
    from_text,
    mint,
    to_text,
    verify,
)
from wlnet.tickets.used import UsedTickets

KEY, OLD, OTHER = bytes(range(32)), b"o" * 32, b"x" * 40
KEYS = TicketKeys(KEY)
PAIR = RelayPair(
    pair="00112233445566778899aabbccddeeff", side=Side.GUEST, rate=100000, address="198.51.100.7"
)
SERIAL = b"serial01"


def made(keys: TicketKeys = KEYS, expires: float = 1000, serial: bytes = SERIAL) -> bytes:
    return mint(keys, PAIR, subject="ann", expires=expires, serial=serial)


def refused(ticket: bytes, keys: TicketKeys = KEYS, now: float = 900, skew: float = 0) -> TicketProblem:
    with pytest.raises(TicketError) as caught:
        verify(keys, RelayPair, ticket, now=now, skew=skew)
    return caught.value.problem


def test_what_is_minted_is_verified() -> None:
    ticket = verify(KEYS, RelayPair, made(), now=999.9, skew=0)
    assert (ticket.subject, ticket.expires, ticket.serial, ticket.claims) == ("ann", 1000, SERIAL, PAIR)


def test_layout_of_the_documented_vector() -> None:
    claims = (
        b'{"pair":"00112233445566778899aabbccddeeff","side":"guest","rate":100000,"address":"198.51.100.7"}'
    )
    identifier = hashlib.sha256(b"wlnet ticket key id\0" + KEY).digest()[:4]
    content = b"\x01" + identifier + b"\x01" + b"\0\0\x03\xe8" + SERIAL + b"\x03ann"
    content += len(claims).to_bytes(2, "big") + claims
    assert made() == content + hmac.new(KEY, content, hashlib.sha256).digest()
    assert identifier.hex() == "b7d6447a"
    assert made()[-32:].hex() == "5421fef400a1628ae6855315306db925d649caa76a21816b5f80bb2d9658a9e3"


def test_longest_ticket_fits() -> None:
    claims = RelayPair(
        pair="f" * 32,
        side=Side.GUEST,
        rate=2**40,
        total=2**50,
        idle=86400,
        address="2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    )
    ticket = mint(KEYS, claims, subject="x" * 120, expires=2**32 - 1, serial=SERIAL)
    assert len(ticket) <= MAX_TICKET < 400
    assert verify(KEYS, RelayPair, ticket, now=0, skew=0).claims == claims


@pytest.mark.parametrize(
    ("subject", "serial", "expires"), [("x" * 121, SERIAL, 9), ("x", b"short", 9), ("x", SERIAL, 2**32)]
)
def test_what_does_not_fit_is_not_minted(subject: str, serial: bytes, expires: float) -> None:
    with pytest.raises(ValueError, match="serial"):
        mint(KEYS, PAIR, subject=subject, expires=expires, serial=serial)


def test_every_single_changed_byte_is_noticed() -> None:
    ticket = made()
    for place in range(len(ticket)):
        changed = bytearray(ticket)
        changed[place] ^= 0x01
        assert refused(bytes(changed)) in {TicketProblem.FORGED, TicketProblem.VERSION, TicketProblem.KEY}


def test_expiry_and_the_tolerance_for_clocks() -> None:
    assert refused(made(), now=1000) is TicketProblem.EXPIRED
    assert verify(KEYS, RelayPair, made(), now=1029.9, skew=30).subject == "ann"
    assert refused(made(), now=1030, skew=30) is TicketProblem.EXPIRED


def test_a_ticket_for_one_thing_is_no_ticket_for_another() -> None:
    rendezvous = mint(KEYS, Rendezvous(purpose="observe"), subject="ann", expires=1000, serial=SERIAL)
    assert refused(rendezvous) is TicketProblem.SCOPE


def test_keys_change_without_invalidating_what_is_out() -> None:
    old = made(TicketKeys(OLD))
    assert verify(TicketKeys(KEY, OLD), RelayPair, old, now=1, skew=0).subject == "ann"
    assert refused(old, TicketKeys(KEY)) is TicketProblem.KEY
    assert refused(made(TicketKeys(OTHER)), TicketKeys(KEY, OLD)) is TicketProblem.KEY


def test_keys_from_a_shared_secret_follow_the_time_of_day() -> None:
    day = 86400.0
    minted = made(keys_at(b"s" * 43, 10 * day + 5, day))
    for later in (-0.5, 0.5, 1.5):
        assert verify(keys_at(b"s" * 43, (10 + later) * day, day), RelayPair, minted, now=1, skew=0)
    assert refused(minted, keys_at(b"s" * 43, 12.5 * day, day)) is TicketProblem.KEY
    assert refused(minted, keys_at(b"t" * 43, 10 * day, day)) is TicketProblem.KEY


@pytest.mark.parametrize("keys", [(b"short",), (KEY, b""), (KEY, OLD, OTHER, b"4" * 32)])
def test_unusable_keys_are_refused(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match=r"key"):
        TicketKeys(*keys)


def test_a_key_does_not_show_itself() -> None:
    assert KEY.hex() not in repr(KEYS)
    assert "0" not in repr(KEYS)


@given(st.binary(max_size=450))
def test_arbitrary_bytes_are_refused_with_a_reason(data: bytes) -> None:
    assert isinstance(refused(data), TicketProblem)


@given(st.binary(max_size=200))
def test_signed_nonsense_is_refused_with_a_reason(rest: bytes) -> None:
    content = b"\x01" + KEYS.current_id + b"\x01" + (1000).to_bytes(4, "big") + SERIAL + rest
    tag = KEYS.tag(KEYS.current_id, content)
    assert tag is not None
    assert refused(content + tag) in {TicketProblem.MALFORMED, TicketProblem.CLAIMS}


@given(st.binary(min_size=1, max_size=300))
def test_text_form(data: bytes) -> None:
    assert from_text(to_text(data)) == data


@pytest.mark.parametrize("text", ["é", "x" * 900, "a"])
def test_text_that_is_no_ticket(text: str) -> None:
    with pytest.raises(TicketError):
        from_text(text)


def observe(serial: bytes, expires: float = 1000) -> bytes:
    return mint(KEYS, Rendezvous(purpose="observe"), subject="ann", expires=expires, serial=serial)


def test_a_ticket_for_one_use_is_used_once_and_forgotten_when_it_has_expired() -> None:
    used = UsedTickets(2, skew=10)
    tickets = [verify(KEYS, Rendezvous, observe(b"%8d" % n, 1000 + n), now=0, skew=10) for n in range(3)]
    used.use(tickets[0], 1.0)
    with pytest.raises(TicketError, match="has been used"):
        used.use(tickets[0], 1009.9)
    used.use(tickets[1], 2.0)
    with pytest.raises(TicketError, match="too many"):
        used.use(tickets[2], 3.0)
    used.use(tickets[2], 1010.0)
    assert len(used) == 2
