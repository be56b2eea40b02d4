"""The gate, the budget, and wrong passwords by address."""

from __future__ import annotations

import pytest

from wlnet.limits.addresses import TrustedNetworks
from wlnet.limits.buckets import KeyedBuckets
from wlnet.limits.budget import QueueBudget
from wlnet.limits.failures import FailedLogins
from wlnet.limits.gate import ConnectionGate, Refused


def _gate(total: int = 100, per_address: int = 2, *trusted: str) -> ConnectionGate:
    return ConnectionGate(total, per_address, TrustedNetworks(trusted))


def test_so_many_from_one_address_and_no_more() -> None:
    gate = _gate()
    assert gate.enter("203.0.113.7") is None
    assert gate.enter("203.0.113.7") is None
    assert gate.enter("203.0.113.7") is Refused.CONNECTIONS_PER_ADDRESS
    assert gate.enter("203.0.113.8") is None
    gate.leave("203.0.113.7")
    assert gate.enter("203.0.113.7") is None


def test_an_ipv6_64_is_one_address() -> None:
    gate = _gate()
    assert gate.enter("2001:db8::1") is None
    assert gate.enter("2001:db8::2") is None
    assert gate.enter("2001:db8::3") is Refused.CONNECTIONS_PER_ADDRESS


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3"])
def test_trusted_addresses_are_limited_in_total_only(address: str) -> None:
    gate = _gate(5, 2, "10.1.0.0/16")
    assert [gate.enter(address) for _ in range(5)] == [None] * 5
    assert gate.enter(address) is Refused.CONNECTIONS


def test_the_total_counts_everybody() -> None:
    gate = _gate(total=3)
    for number in range(3):
        assert gate.enter(f"203.0.113.{number}") is None
    assert gate.enter("203.0.113.9") is Refused.CONNECTIONS
    assert len(gate) == 3
    gate.leave("203.0.113.0")
    assert gate.enter("203.0.113.9") is None


def test_nothing_is_kept_of_those_who_left() -> None:
    gate = _gate()
    for number in range(100):
        gate.enter(f"203.0.113.{number}")
        gate.leave(f"203.0.113.{number}")
    assert len(gate) == 0
    assert not gate._by_address


def test_the_budget_counts_up_and_down() -> None:
    budget = QueueBudget(100)
    exhausted = []
    for amount in (100, 1, -50):
        budget.add(amount)
        exhausted.append(budget.exhausted)
    assert exhausted == [False, True, False]
    assert budget.held == 51


def test_wrong_passwords_count_by_customer_and_are_forgiven_with_time() -> None:
    now = [0.0]
    failures = FailedLogins(KeyedBuckets(lambda: now[0], rate=0.1, burst=2), TrustedNetworks())
    for address in ("2001:db8::1", "2001:db8::2"):
        assert not failures.too_many(address)
        failures.failed(address)
    assert failures.too_many("2001:db8::3")
    assert not failures.too_many("2001:db8:0:1::3")
    now[0] = 10.1
    assert not failures.too_many("2001:db8::3")


def test_trusted_addresses_may_try_on() -> None:
    failures = FailedLogins(KeyedBuckets(lambda: 0, rate=0.1, burst=1), TrustedNetworks())
    for _ in range(5):
        failures.failed("127.0.0.1")
    assert not failures.too_many("127.0.0.1")
