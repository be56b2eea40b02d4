from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from itertools import count

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.limits.addresses import parse_address
from wlnet.moderation.sanctions import (
    Kind,
    Sanction,
    Sanctions,
    SanctionsFullError,
    Target,
)

BAN, MUTE = Kind.BAN, Kind.MUTE
ADDRESS, NETWORK = Target.ADDRESS, Target.NETWORK
ACCOUNT, NAME = Target.ACCOUNT, Target.NAME


class Wall:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Heard:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def imposed(self, sanction: Sanction) -> None:
        self.events.append(("imposed", sanction.id))

    def lifted(self, sanction: Sanction) -> None:
        self.events.append(("lifted", sanction.id))


def ids() -> Callable[[], str]:
    numbers: Iterator[int] = count(1)
    return lambda: f"s{next(numbers)}"


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def sanctions(wall: Wall) -> Sanctions:
    return Sanctions(wall, ids(), 1000)


def impose(
    sanctions: Sanctions,
    target: Target,
    value: str,
    kind: Kind = BAN,
    duration: float | None = None,
) -> Sanction:
    return sanctions.impose(kind, target, value, reason="shouting", by="boss", duration=duration)


def stored(sanction_id: str, value: str = "192.0.2.1", **changes: object) -> Sanction:
    fields = {"id": sanction_id, "kind": "ban", "target": "address", "value": value,
              "reason": "", "by": "x", "created_at": 1.0, **changes}  # fmt: skip
    return msgspec.convert(fields, Sanction)


@pytest.mark.parametrize(
    ("value", "hit", "spared"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("2001:db8::/64", "2001:db8::5", "2001:db8:0:1::1"),
        ("fe80::1%eth0", "fe80::2%eth1", "fe81::1"),
    ],
)
def test_address_ban_hits_one_customer(sanctions: Sanctions, value: str, hit: str, spared: str) -> None:
    imposed = impose(sanctions, ADDRESS, value)
    assert sanctions.banned(address=hit) == imposed
    assert sanctions.banned(address=spared) is None


@pytest.mark.parametrize(
    ("value", "hit", "spared"),
    [
        ("192.0.2.0/24", "192.0.2.200", "192.0.3.1"),
        ("192.0.2.77/24", "192.0.2.1", "192.0.1.255"),
        ("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
        ("192.0.2.4", "192.0.2.4", "192.0.2.5"),
    ],
)
def test_network_ban(sanctions: Sanctions, value: str, hit: str, spared: str) -> None:
    imposed = impose(sanctions, NETWORK, value)
    assert sanctions.banned(address=hit) == imposed
    assert sanctions.banned(address=spared) is None
    sanctions.lift(imposed.id, "boss")
    assert sanctions.banned(address=hit) is None


def test_a_network_of_one_family_spares_the_same_bits_of_the_other(sanctions: Sanctions) -> None:
    impose(sanctions, NETWORK, "c000::/16")
    assert sanctions.banned(address="192.0.2.1") is None


def test_account_and_name_are_different_and_exact(sanctions: Sanctions) -> None:
    impose(sanctions, ACCOUNT, "Peter")
    impose(sanctions, NAME, "otto")
    assert sanctions.banned(account="Peter")
    assert not sanctions.banned(account="peter")
    assert not sanctions.banned(name="Peter")
    assert sanctions.banned(name="otto")
    assert not sanctions.banned(account="otto")


def test_a_mute_is_no_ban(sanctions: Sanctions) -> None:
    impose(sanctions, NAME, "otto", MUTE)
    assert sanctions.muted(name="otto")
    assert not sanctions.banned(name="otto")


def test_address_that_is_none_is_hit_by_nothing(sanctions: Sanctions) -> None:
    impose(sanctions, NETWORK, "192.0.2.0/24")
    assert sanctions.banned(address="/run/wlnet.sock") is None


def test_time_runs_out(sanctions: Sanctions, wall: Wall) -> None:
    impose(sanctions, NAME, "otto", duration=60)
    impose(sanctions, NETWORK, "192.0.2.0/24", duration=61)
    wall.now += 59.9
    assert sanctions.banned(name="otto")
    wall.now += 0.1
    assert sanctions.banned(name="otto") is None
    assert [left.value for left in sanctions.active()] == ["192.0.2.0/24"]
    wall.now += 1
    assert sanctions.banned(address="192.0.2.1") is None
    assert len(sanctions) == 0


def test_two_on_one_value_end_separately(sanctions: Sanctions, wall: Wall) -> None:
    first = impose(sanctions, NETWORK, "192.0.2.0/24")
    impose(sanctions, NETWORK, "192.0.2.0/24", duration=10)
    sanctions.lift(first.id, "boss")
    assert sanctions.banned(address="192.0.2.1")
    wall.now += 10
    assert sanctions.banned(address="192.0.2.1") is None


def test_lift_says_who_and_when_and_only_once(sanctions: Sanctions, wall: Wall) -> None:
    imposed = impose(sanctions, NAME, "otto")
    wall.now += 5
    lifted = sanctions.lift(imposed.id, "chief")
    assert lifted is not None
    assert (lifted.lifted_at, lifted.lifted_by, lifted.by) == (wall.now, "chief", "boss")
    assert sanctions.lift(imposed.id, "chief") is None
    assert sanctions.lift("unheard-of", "chief") is None


@pytest.mark.parametrize(
    ("target", "value", "says"),
    [
        (ADDRESS, "nonsense", '"nonsense" is no IP address.'),
        (ADDRESS, "\x1b[31m", r'"\x1b[31m" is no IP address.'),
        (ADDRESS, "192.0.2.0/24", "192.0.2.0/24 is a network; ban it as a network."),
        (NETWORK, "192.0.2.0/33", '"192.0.2.0/33" is no network; write it like 203.0.113.0/24.'),
        (NETWORK, "0.0.0.0/0", "0.0.0.0/0 is too wide: an IPv4 network starts at /8."),
        (NETWORK, "::/0", "::/0 is too wide: an IPv6 network starts at /16."),
        (NETWORK, "::ffff:0:0/96", "0.0.0.0/0 is too wide: an IPv4 network starts at /8."),
        (ACCOUNT, "", "The name is empty."),
        (NAME, "two words", "A name may only have letters, digits and @.+-_ in it."),
        (NAME, "n" * 256, "The name is longer than 255 characters."),
    ],
)
def test_impossible_values(sanctions: Sanctions, target: Target, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        impose(sanctions, target, value)
    assert sanctions.active() == []


@pytest.mark.parametrize("duration", [0, -1, float("nan"), float("inf")])
def test_impossible_durations(sanctions: Sanctions, duration: float) -> None:
    with pytest.raises(ValueError, match="duration"):
        impose(sanctions, NAME, "otto", duration=duration)


@pytest.mark.parametrize("reason", ["x" * 501, "two\nlines", "\x1b[2J", "\udcff"])
def test_impossible_reasons(sanctions: Sanctions, reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        sanctions.impose(BAN, NAME, "otto", reason=reason, by="boss", duration=None)


def test_there_is_a_limit_and_ended_ones_make_room(wall: Wall) -> None:
    sanctions = Sanctions(wall, ids(), 2)
    first = impose(sanctions, NAME, "a", duration=10)
    impose(sanctions, NAME, "b")
    with pytest.raises(SanctionsFullError, match=r"moderation\.max_entries"):
        impose(sanctions, NAME, "c")
    wall.now += 10
    with pytest.raises(SanctionsFullError):  # over, but not yet written down
        impose(sanctions, NAME, "c")
    sanctions.saved(first)
    assert impose(sanctions, NAME, "c")


def test_imposing_and_lifting_without_a_database_is_bounded(wall: Wall) -> None:
    sanctions = Sanctions(wall, ids(), 5)
    for _ in range(5):
        sanctions.lift(impose(sanctions, NAME, "a").id, "boss")
    with pytest.raises(SanctionsFullError):
        impose(sanctions, NAME, "a")
    assert sanctions.unsaved_count == 5


def test_listeners_hear_changes_from_anywhere(sanctions: Sanctions) -> None:
    heard = Heard()
    end = sanctions.subscribe(heard)
    imposed = impose(sanctions, NAME, "otto")
    sanctions.saved(imposed)
    sanctions.merge([imposed, stored("db")])
    sanctions.merge([stored("db")])
    sanctions.lift("db", "boss")
    end()
    impose(sanctions, NAME, "unheard")
    assert heard.events == [("imposed", "s1"), ("imposed", "db"), ("lifted", "s1"), ("lifted", "db")]


def test_merge_keeps_what_is_not_saved_yet(sanctions: Sanctions) -> None:
    mine = impose(sanctions, NAME, "otto")
    sanctions.merge([])
    assert sanctions.banned(name="otto") == mine
    sanctions.saved(mine)
    sanctions.merge([])
    assert sanctions.banned(name="otto") is None


def test_merge_does_not_bring_back_what_was_lifted_here(sanctions: Sanctions) -> None:
    sanctions.merge([stored("db")])
    sanctions.lift("db", "boss")
    sanctions.merge([stored("db")])
    assert sanctions.banned(address="192.0.2.1") is None
    assert [waiting.lifted_by for waiting in sanctions.unsaved(10)] == ["boss"]


def test_merge_leaves_out_what_is_over_or_lifted(sanctions: Sanctions, wall: Wall) -> None:
    sanctions.merge([stored("over", expires_at=wall.now), stored("gone", lifted_at=5.0, lifted_by="x")])
    assert sanctions.active() == []


def test_merge_has_the_same_limit(wall: Wall) -> None:
    sanctions = Sanctions(wall, ids(), 3)
    assert sanctions.merge(stored(f"db{number}", f"192.0.2.{number}") for number in range(5)) == 2
    assert len(sanctions) == 3


def test_merge_survives_values_nobody_could_have_imposed(sanctions: Sanctions) -> None:
    sanctions.merge(
        [stored("bad", "rubbish"), stored("host-bits", "2001:db8::7"), stored("good", "192.0.2.8")]
    )
    assert sanctions.banned(address="2001:db8::1")
    assert sanctions.banned(address="192.0.2.8")


def test_saving_an_older_state_leaves_the_newer_one_unsaved(sanctions: Sanctions) -> None:
    imposed = impose(sanctions, NAME, "otto")
    lifted = sanctions.lift(imposed.id, "boss")
    assert lifted is not None
    sanctions.saved(imposed)
    assert sanctions.unsaved(10) == [lifted]
    sanctions.saved(lifted)
    assert sanctions.unsaved(10) == []


def test_adopt_takes_single_changes(sanctions: Sanctions) -> None:
    assert sanctions.adopt(stored("db"))
    assert sanctions.banned(address="192.0.2.1")
    assert sanctions.adopt(stored("db", lifted_at=6.0, lifted_by="x"))
    assert sanctions.banned(address="192.0.2.1") is None
    assert sanctions.unsaved_count == 0


def test_a_sanction_travels_as_json() -> None:
    sanction = stored("db", expires_at=77.5)
    assert msgspec.json.decode(msgspec.json.encode(sanction), type=Sanction) == sanction


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@given(st.lists(ADDRESSES, max_size=20), ADDRESSES, st.integers(8, 32), st.integers(16, 128))
def test_networks_agree_with_the_plain_definition(
    banned: list[str], asked: str, short: int, long: int
) -> None:
    sanctions = Sanctions(Wall(), ids(), 1000)
    plain: list[str] = []
    for text in banned:
        length = short if parse_address(text).version == 4 else long
        plain.append(impose(sanctions, NETWORK, f"{parse_address(text)}/{length}").value)
    hit = any(parse_address(asked) in ip_network(network) for network in plain)
    assert (sanctions.banned(address=asked) is not None) == hit


@given(
    st.lists(
        st.tuples(st.sampled_from(["impose", "lift", "wait", "merge", "save"]), st.integers(0, 9)),
        max_size=60,
    )
)
def test_any_history_leaves_look_up_and_list_in_agreement(steps: list[tuple[str, int]]) -> None:
    wall = Wall()
    sanctions = Sanctions(wall, ids(), 8)
    for step, number in steps:
        if step == "impose":
            try:
                impose(
                    sanctions, NETWORK, f"10.{number}.0.0/16", duration=number * 10 if number % 3 else None
                )
            except SanctionsFullError:
                assert len(sanctions) + sanctions.unsaved_count >= 8
        elif step == "lift":
            sanctions.lift(f"s{number}", "boss")
        elif step == "wait":
            wall.now += number * 5
        elif step == "merge":
            sanctions.merge([stored(f"db{number}", f"10.0.0.{number}")])
        else:
            for waiting in sanctions.unsaved(number):
                sanctions.saved(waiting)
        active = sanctions.active()
        assert len(active) <= 8
        for place in range(10):
            expected = any(sanction.value in (f"10.{place}.0.0/16", f"10.{place}.0.0") for sanction in active)
            assert (sanctions.banned(address=f"10.{place}.0.0") is not None) == expected
