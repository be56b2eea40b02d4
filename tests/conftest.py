"""A test that leaves something behind in the reactor or the log has failed."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from typing import cast

import pytest
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

# A shell ignores SIGINT for what it starts in the background, and all we start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Keep what exists by now out of the collections after each test, which makes them quick."""
    gc.collect()
    gc.freeze()


def _is_trial(cls: type | None) -> bool:
    return cls is not None and issubclass(cls, SynchronousTestCase)


@pytest.fixture
def logged_failures() -> Iterator[list[LogEvent]]:
    """The failures logged so far in this test. One that expects some looks at them and clears the list."""
    failures: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event or event.get("log_level") is LogLevel.critical:
            failures.append(event)

    observer = cast(ILogObserver, observe)
    globalLogPublisher.addObserver(observer)
    yield failures
    globalLogPublisher.removeObserver(observer)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, logged_failures: list[LogEvent]) -> Iterator[None]:
    """Fail a function test leaving delayed calls or logged failures (trial's classes do it themselves)."""
    if _is_trial(request.cls):
        yield
        return
    from twisted.internet import reactor

    clock = IReactorTime(reactor)
    before = set(clock.getDelayedCalls())
    yield
    gc.collect()  # a failed Deferred logs its failure when it is collected
    calls = [call for call in clock.getDelayedCalls() if call not in before]
    for call in calls:
        call.cancel()
    assert not calls, f"the test left delayed calls: {calls}"
    texts = [
        event["log_failure"].getTraceback() if "log_failure" in event else formatEvent(event)
        for event in logged_failures
    ]
    assert not texts, "the test left failures in the log:\n" + "\n".join(texts)
