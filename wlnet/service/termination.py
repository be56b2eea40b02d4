"""SIGTERM is the orderly way to stop a service, so it ends with exit status 0."""

from __future__ import annotations

import signal

from twisted.internet.interfaces import IReactorCore, IReactorFromThreads


def end_well_on_sigterm(reactor: IReactorCore) -> None:
    """Stop *reactor* at SIGTERM, without what Twisted does then: to die of the signal once all is done."""
    from_threads = IReactorFromThreads(reactor)

    def stop() -> None:
        if not stopping:
            stopping.append(True)
            reactor.stop()

    stopping: list[bool] = []
    reactor.callWhenRunning(
        lambda: signal.signal(signal.SIGTERM, lambda _number, _frame: from_threads.callFromThread(stop))
    )
