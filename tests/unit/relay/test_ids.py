from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wlnet.relay.ids import ClientIds


def _used_up(quarantine: float = 300.0) -> ClientIds:
    ids = ClientIds(quarantine)
    assert [ids.take(0.0) for _ in range(248)] == list(range(2, 250))
    return ids


def test_every_id_is_given_once_before_any_second_use() -> None:
    ids = ClientIds(300.0)
    for expected in range(2, 250):
        assert ids.take(0.0) == expected
        ids.release(expected, 0.0, confirmed=True)
    assert ids.take(0.0) == 2


def test_the_one_free_for_the_longest_time_is_next() -> None:
    ids = _used_up()
    for when, client_id in enumerate((40, 7, 200)):
        ids.release(client_id, float(when))
    assert [ids.take(1000.0) for _ in range(4)] == [40, 7, 200, None]


def test_an_id_waits_for_the_quarantine() -> None:
    ids = _used_up(quarantine=300.0)
    ids.release(5, 100.0)
    assert ids.take(399.9) is None
    assert ids.take(400.0) == 5


def test_an_id_the_host_has_done_with_need_not_wait() -> None:
    ids = _used_up()
    ids.release(5, 0.0)
    ids.release(6, 0.0)
    ids.confirm(6)
    assert ids.take(1.0) == 6
    assert ids.take(1.0) is None
    ids.release(9, 1.0, confirmed=True)
    assert ids.take(1.0) == 9


def test_confirming_an_id_in_use_or_never_used_changes_nothing() -> None:
    ids = _used_up()
    for client_id in (0, 1, 77, 250, 255):
        ids.confirm(client_id)
    assert ids.take(1e9) is None


@given(
    st.lists(st.tuples(st.sampled_from(["take", "release", "confirm"]), st.integers(0, 255)), max_size=600)
)
def test_an_id_never_has_two_owners(steps: list[tuple[str, int]]) -> None:
    ids = ClientIds(3.0)
    owned: list[int] = []
    for now, (step, number) in enumerate(steps):
        if step == "take":
            client_id = ids.take(float(now))
            if client_id is None:
                continue
            assert client_id not in owned
            assert 2 <= client_id <= 249
            owned.append(client_id)
        elif step == "release" and owned:
            ids.release(owned.pop(number % len(owned)), float(now), confirmed=number % 2 == 0)
        elif step == "confirm":
            ids.confirm(number)
