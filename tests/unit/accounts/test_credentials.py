from __future__ import annotations

import hashlib

import pytest

from wlnet.accounts.breaker import Breaker
from wlnet.accounts.digests import argon2_hash, argon2_matches, widelands_digest
from wlnet.accounts.known_names import KnownNames


@pytest.mark.parametrize(
    ("password", "digest"),
    [
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),  # FIPS 180-4, example of SHA-1
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("grün", "bbbb29c05fe80b397ad394a3f490cef7f4bba376"),  # by sha1sum, from UTF-8
    ],
)
def test_widelands_digest(password: str, digest: str) -> None:
    assert widelands_digest(password) == digest


def test_bytes_that_were_no_utf8_are_digested_as_they_came() -> None:
    assert widelands_digest(b"\xff".decode("utf-8", "surrogateescape")) == hashlib.sha1(b"\xff").hexdigest()


def test_argon2_is_salted_and_checks() -> None:
    first, second = argon2_hash("secret"), argon2_hash("secret")
    assert first.startswith("$argon2id$")
    assert first != second
    assert argon2_matches(first, "secret")
    assert not argon2_matches(first, "Secret")
    assert not argon2_matches("damaged", "secret")


def test_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(3)
    assert not breaker.failed()
    assert not breaker.failed()
    assert not breaker.worked()
    assert not breaker.failed()
    assert not breaker.failed()
    assert breaker.failed()
    assert not breaker.failed()  # told once
    assert breaker.worked()
    assert not breaker.worked()


def test_breaker_is_open_in_between() -> None:
    breaker = Breaker(2)
    seen = [breaker.open]
    for step in (breaker.failed, breaker.failed, breaker.worked):
        step()
        seen.append(breaker.open)
    assert seen == [False, False, True, False]


def test_breaker_can_be_tripped() -> None:
    breaker = Breaker(3)
    assert breaker.trip()
    assert breaker.open
    assert not breaker.trip()
    assert breaker.worked()


def test_known_names_forget_the_least_recently_seen() -> None:
    known = KnownNames(2)
    known.add("a")
    known.add("b")
    known.add("a")
    known.add("c")
    assert "a" in known
    assert "b" not in known
    assert len(known) == 2
    known.discard("a")
    known.discard("never seen")
    assert "a" not in known
