"""When a request is sent again, and what answers it."""

from __future__ import annotations

import pytest

from tests.support.stun import CLIENT, FIRST, TRANSACTION, Server
from wlnet.protocols.stun import wire
from wlnet.protocols.stun.transaction import STREAM_PACE, Pace, State, StunTransaction, pace_for
from wlnet.protocols.stun.wire import Change, Endpoint


def sent_at(transaction: StunTransaction) -> list[float]:
    """When it sends, in seconds from its start, and last when it gives up."""
    times: list[float] = []
    while (deadline := transaction.next_deadline()) is not None:
        transaction.due(deadline)
        times.append(deadline)
    return times


def test_the_times_of_rfc_8489() -> None:
    transaction = StunTransaction(TRANSACTION, FIRST, 0.0)
    assert sent_at(transaction) == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 39.5]
    assert transaction.state is State.TIMED_OUT
    assert transaction.due(100.0) is None


def test_other_paces() -> None:
    assert sent_at(StunTransaction(TRANSACTION, FIRST, 5.0, STREAM_PACE)) == [5.0, 44.5]
    quick = Pace(rto=0.1, tries=3, last_wait=2.0)
    assert sent_at(StunTransaction(TRANSACTION, FIRST, 0.0, quick)) == pytest.approx([0, 0.1, 0.3, 0.5])
    assert pace_for(0.2, 3).rto == pytest.approx(0.6)
    assert pace_for(0.001, 3).rto == pytest.approx(0.1)
    assert pace_for(None, 3).rto == pytest.approx(0.5)


def answered(transaction: StunTransaction, data: bytes, source: Endpoint, now: float) -> bool:
    sent = Server().ask(data)
    assert sent is not None
    return transaction.receive(wire.decode(sent.data), source, now)


def test_the_round_trip_time_of_an_only_request() -> None:
    transaction = StunTransaction(TRANSACTION, FIRST, 10.0)
    data = transaction.due(10.1)
    assert data is not None
    assert transaction.due(10.2) is None
    assert answered(transaction, data, FIRST, 10.15)
    assert transaction.state is State.ANSWERED
    assert transaction.rtt == pytest.approx(0.05)
    assert transaction.answer is not None
    assert transaction.answer.mapped() == CLIENT
    assert transaction.next_deadline() is None


def test_after_a_retransmission_it_is_not_known() -> None:
    transaction = StunTransaction(TRANSACTION, FIRST, 0.0)
    transaction.due(0.0)
    data = transaction.due(0.5)
    assert data is not None
    assert answered(transaction, data, FIRST, 0.6)
    assert transaction.rtt is None


def test_answers_of_others_do_not_count() -> None:
    transaction = StunTransaction(TRANSACTION, FIRST, 0.0)
    data = transaction.due(0.0)
    assert data is not None
    assert not answered(transaction, data, Endpoint(FIRST.host, 3479), 0.1)
    other = wire.frame(0x0001, bytes(12), b"")
    assert not answered(transaction, other, FIRST, 0.1)
    assert not transaction.receive(wire.decode(data), FIRST, 0.1)
    assert transaction.state is State.PENDING


def test_a_changed_answer_may_come_from_anywhere() -> None:
    transaction = StunTransaction(TRANSACTION, FIRST, 0.0, change=Change.PORT)
    data = transaction.due(0.0)
    assert data is not None
    elsewhere = Endpoint(FIRST.host, 3479)
    assert answered(transaction, data, elsewhere, 0.1)
    assert transaction.source == elsewhere


def test_errors_and_answers_that_come_twice() -> None:
    transaction = StunTransaction(TRANSACTION, FIRST, 0.0, change=Change.ADDRESS)
    data = transaction.due(0.0)
    assert data is not None
    assert answered(transaction, data, FIRST, 0.1)  # 420: that server has one address
    assert transaction.state is State.FAILED
    assert answered(transaction, data, FIRST, 0.2)
    transaction.give_up()
    assert transaction.state is State.FAILED


def test_giving_up() -> None:
    transaction = StunTransaction(TRANSACTION, FIRST, 0.0)
    transaction.due(0.0)
    transaction.give_up()
    assert transaction.state is State.TIMED_OUT
    assert transaction.next_deadline() is None
