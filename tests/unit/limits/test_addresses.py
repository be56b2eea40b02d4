"""Addresses: what counts as one customer, who is trusted, what a log shows."""

from __future__ import annotations

import pytest

from wlnet.limits.addresses import TrustedNetworks, address_key, parse_address, shorten


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/run/wlnet.socket", "/run/wlnet.socket"),
        ("", ""),
    ],
)
def test_one_customer_is_an_ipv4_address_or_an_ipv6_64(text: str, key: str) -> None:
    assert address_key(text) == key


def test_neighbouring_64s_are_two_customers() -> None:
    assert address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "1.2.3.4/24", "fe80::zz"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("203.0.113.7", "203.0.113.x"),
        ("2001:db8:1:2:3::4", "2001:db8:1::x"),
        ("::ffff:203.0.113.7", "203.0.113.x"),
        ("somewhere", "somewhere"),
    ],
)
def test_shortened_addresses_name_no_person(text: str, short: str) -> None:
    assert shorten(text) == short


def test_loopback_and_the_networks_given_are_trusted() -> None:
    trusted = TrustedNetworks(["10.1.0.0/16", "2001:db8::/32"])
    assert "127.0.0.1" in trusted
    assert "::1" in trusted
    assert "10.1.2.3" in trusted
    assert "::ffff:10.1.2.3" in trusted
    assert "2001:db8:1::1" in trusted
    assert "10.2.0.1" not in trusted
    assert "2001:db9::1" not in trusted
    assert "no address" not in trusted


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.1"):
        TrustedNetworks(["10.1.0.0/99"])
