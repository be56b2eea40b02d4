"""What a player is told: literals he can use, his own family first."""

from __future__ import annotations

import pytest

from wlnet.link.addresses import (
    RelayPlace,
    same_machine,
    told_addresses,
    told_addresses_elsewhere,
)

V4, V6 = "198.51.100.4", "2001:db8::4"


def own(family: int) -> str | None:
    return {4: V4, 6: V6}[family]


def nothing(family: int) -> str | None:
    return None


@pytest.mark.parametrize(
    ("reached", "told"),
    [
        ("198.51.100.9", ("198.51.100.9", V6)),
        ("2001:db8::9", ("2001:db8::9", V4)),
        ("::ffff:198.51.100.9", ("198.51.100.9", V6)),
        ("127.0.0.1", ("127.0.0.1", "::1")),
        ("::1", ("::1", "127.0.0.1")),
        ("fe80::1%eth0", (V6, V4)),  # a literal cannot say which link
        ("10.0.0.5", ("10.0.0.5", V6)),
    ],
)
def test_automatic(reached: str, told: tuple[str, ...]) -> None:
    assert told_addresses(RelayPlace(), reached, own) == told


def test_without_the_other_family() -> None:
    assert told_addresses(RelayPlace(), "198.51.100.9", nothing) == ("198.51.100.9",)
    assert told_addresses(RelayPlace(), "fe80::1", nothing) == ()


def test_link_local_and_loopback_are_no_own_addresses() -> None:
    useless = {4: "127.0.0.1", 6: "fe80::7"}.get
    assert told_addresses(RelayPlace(), "198.51.100.9", useless) == ("198.51.100.9",)
    assert told_addresses(RelayPlace(), "2001:db8::9", useless) == ("2001:db8::9",)


@pytest.mark.parametrize(
    ("listen", "reached", "told"),
    [
        (("0.0.0.0",), "2001:db8::9", (V4,)),
        (("0.0.0.0",), "::1", ("127.0.0.1",)),
        (("::",), "198.51.100.9", (V6,)),
        (("192.0.2.7", "::"), "198.51.100.9", ("192.0.2.7", V6)),
        (("192.0.2.7", "192.0.2.8"), "192.0.2.8", ("192.0.2.8",)),
        (("127.0.0.1",), "198.51.100.9", ()),
        (("127.0.0.1",), "::1", ("127.0.0.1",)),
    ],
)
def test_only_what_is_listened_on(listen: tuple[str, ...], reached: str, told: tuple[str, ...]) -> None:
    assert told_addresses(RelayPlace(listen=listen), reached, own) == told


def test_what_the_operator_says_is_told() -> None:
    place = RelayPlace(public=("203.0.113.1", "2001:db8:1::1"))
    assert told_addresses(place, "10.0.0.1", own) == ("203.0.113.1", "2001:db8:1::1")
    assert told_addresses(place, "::1", own) == ("2001:db8:1::1", "203.0.113.1")
    single = RelayPlace(public=("203.0.113.1",))
    assert told_addresses(single, "2001:db8::9", own) == ("203.0.113.1",)
    unserved = RelayPlace(public=("203.0.113.1", "2001:db8:1::1"), listen=("0.0.0.0",))
    assert told_addresses(unserved, "2001:db8::9", own) == ("203.0.113.1",)


def test_a_connection_that_is_no_ip_connection() -> None:
    assert told_addresses(RelayPlace(), "/run/lobby.sock", own) == (V4, V6)


def test_elsewhere_it_is_the_links_address() -> None:
    place = RelayPlace(own=("10.9.9.9", "2001:db8::99"))
    assert told_addresses_elsewhere(place, "2001:db8::1", "203.0.113.5") == ("2001:db8::99", "203.0.113.5")
    assert told_addresses_elsewhere(place, "198.51.100.9", "2001:db8::98") == ("10.9.9.9", "2001:db8::98")
    told = RelayPlace(public=("203.0.113.1",), own=("10.9.9.9",))
    assert told_addresses_elsewhere(told, "198.51.100.9", "203.0.113.5") == ("203.0.113.1",)
    bound = RelayPlace(listen=("203.0.113.6",), own=("10.9.9.9",))
    assert told_addresses_elsewhere(bound, "198.51.100.9", "203.0.113.5") == ("203.0.113.6",)


def test_same_machine() -> None:
    assert same_machine("127.0.0.1", "127.0.0.1")
    assert same_machine("203.0.113.5", "203.0.113.5")
    assert same_machine("::ffff:203.0.113.5", "203.0.113.5")
    assert not same_machine("203.0.113.5", "203.0.113.6")
