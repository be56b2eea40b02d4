"""Keeps the sanctions of a running server and the database alike.

What is imposed or lifted here is written down at once; what another program (``wlnet ban``) changed there is
noticed by a look at one number every ``moderation.refresh_interval``. One piece of work is under way at a
time. While the database fails, everything already known stays in force and changes wait in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from wlnet.accounts.errors import DatabaseUnavailableError
from wlnet.accounts.shell_threads import (
    DatabaseBusyError,
    DatabaseSlowError,
    DatabaseStoppedError,
    DatabaseThreads,
    Reactor,
)
from wlnet.config import schema
from wlnet.metrics import Metrics
from wlnet.moderation.interfaces import ISanctionStore, Saved, Snapshot
from wlnet.moderation.sanctions import Sanction, Sanctions

_BATCH = 200
"""Changes written down in one transaction."""
_THREADS = 2
"""One at work, one to go on with while the other hangs."""
_LOST_LINES = 20
"""Log lines about single changes that could not be saved before the end."""


class SanctionKeeper:
    """See the module's text.

    :param wall: seconds since 1970, the same clock *sanctions* has.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Reactor,
        sanctions: Sanctions,
        store: ISanctionStore,
        moderation: schema.Moderation,
        database: schema.Database,
        metrics: Metrics,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._reactor = reactor
        self._sanctions = sanctions
        self._store = store
        self._moderation = moderation
        self._retry_pause = max(0.1, database.retry_pause)
        self._refresh_interval = max(0.05, moderation.refresh_interval)
        self._wall = wall
        self._threads = DatabaseThreads(
            reactor, "sanctions", threads=_THREADS, timeout=database.timeout, max_pending=_THREADS
        )
        self._running = False
        self._working: Deferred[None] | None = None
        self._next: IDelayedCall | None = None
        self._counter: int | None = None
        self._read_at: float | None = None
        self._away = False
        self._left_out = 0
        self._loaded: Deferred[None] = Deferred()
        self._unsubscribe: Callable[[], None] = lambda: None
        metrics.observe("wlnet_sanctions_in_force", "Bans and mutes in force", lambda: len(sanctions))
        metrics.observe(
            "wlnet_sanctions_unsaved",
            "Changes of bans and mutes not yet in the database",
            lambda: sanctions.unsaved_count,
        )

    @property
    def reachable(self) -> bool:
        """True if what is in force was loaded, and the last work with the database succeeded."""
        return self._counter is not None and not self._away

    def start(self) -> Deferred[None]:
        """Load what is in force and keep it up to date.

        :return: fires when the first loading succeeded or failed; never fails. A server that opens its doors
            only then lets no banned player in, and still starts without its database.
        """
        if not self._running:
            self._running = True
            self._threads.start()
            self._unsubscribe = self._sanctions.subscribe(self)
            self._work()
        return self._loaded

    def stop(self) -> Deferred[None]:
        """Write down what waits; what could not be is written to the log.

        Fires after a few times ``database.timeout`` at the latest.
        """
        self._unsubscribe()
        self._running = False
        self._cancel_next()
        finished: Deferred[None] = self._working or Deferred()
        if self._working is None:
            finished.callback(None)
        return finished.addCallback(lambda _: self._save_last()).addCallback(lambda _: self._end())

    def imposed(self, _sanction: Sanction, /) -> None:
        """See :class:`wlnet.moderation.sanctions.SanctionListener`."""
        self._changed()

    def lifted(self, _sanction: Sanction, /) -> None:
        """See :class:`wlnet.moderation.sanctions.SanctionListener`."""
        self._changed()

    def _changed(self) -> None:
        # Not while the database fails: its next try is appointed already. Not in the middle of somebody
        # else's change either, so never directly.
        if self._running and self._working is None and not self._away and self._sanctions.unsaved_count:
            self._work_later(0)

    def _work_later(self, delay: float) -> None:
        self._cancel_next()
        self._next = self._reactor.callLater(delay, self._work)

    def _cancel_next(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _work(self) -> None:
        self._next = None
        # Reading has its turn however much there is to save, and comes first of all at the start.
        unsaved = self._sanctions.unsaved(_BATCH) if self._until_read() > 0 else []
        done = self._save(unsaved) if unsaved else self._read()
        self._working = Deferred()
        done.addCallbacks(self._worked, self._failed).addBoth(self._go_on)

    def _go_on(self, delay: float | Failure) -> None:
        if isinstance(delay, Failure):
            self._defect(delay)
            delay = self._retry_pause
        working, self._working = self._working, None
        if not self._loaded.called:
            self._loaded.callback(None)
        if self._running:
            self._work_later(delay)
        if working is not None:
            working.callback(None)

    def _until_read(self) -> float:
        if self._read_at is None:
            return 0
        return max(0, self._read_at + self._refresh_interval - float(self._reactor.seconds()))

    def _save(self, unsaved: list[Sanction]) -> Deferred[None]:
        def saved(result: Saved) -> None:
            for sanction in unsaved:
                self._sanctions.saved(sanction)
            if self._counter == result.before:  # nobody else's change in between: nothing to read
                self._counter = result.after

        return self._threads.run(lambda: self._store.save(unsaved)).addCallback(saved)

    def _read(self) -> Deferred[None]:
        counter, now, limit = self._counter, self._wall(), self._moderation.max_entries
        self._read_at = self._reactor.seconds()

        def got(snapshot: Snapshot | None) -> None:
            if snapshot is not None:
                self._counter = snapshot.counter
                self._tell_left_out(self._sanctions.merge(snapshot.sanctions[:limit]), snapshot)

        # One more than the limit shows that there are more.
        return self._threads.run(lambda: self._store.read(counter, now, limit + 1)).addCallback(got)

    def _tell_left_out(self, left_out: int, snapshot: Snapshot) -> None:
        left_out += max(0, len(snapshot.sanctions) - self._moderation.max_entries)
        if left_out and not self._left_out:
            self._log.error(
                "The database has more bans and mutes in force than moderation.max_entries ({limit}): the "
                "oldest ones are not applied. Raise that setting, or lift some.",
                limit=self._moderation.max_entries,
            )
        self._left_out = left_out

    def _worked(self, _result: None) -> float:
        if self._away:
            self._away = False
            self._log.info("Bans and mutes are saved to the database again.")
        return 0 if self._sanctions.unsaved_count else self._until_read()

    def _failed(self, failure: Failure) -> float:
        if failure.check(DatabaseStoppedError) is not None:
            return self._retry_pause
        if failure.check(DatabaseUnavailableError, DatabaseSlowError, DatabaseBusyError) is None:
            self._defect(failure)
        if not self._away:
            self._away = True
            self._log.error(
                "Bans and mutes cannot be loaded or saved. Those known stay in force; new ones are kept in "
                "memory and saved later, tried every {pause:g} s. {reason}",
                pause=self._retry_pause,
                reason=failure.getErrorMessage(),
            )
        return self._retry_pause

    def _save_last(self) -> Deferred[None] | None:
        unsaved = self._sanctions.unsaved(self._sanctions.unsaved_count)
        if not unsaved:
            return None
        return self._save(unsaved).addErrback(lambda _: None)

    def _end(self) -> Deferred[None]:
        lost = self._sanctions.unsaved(_LOST_LINES)
        if lost:
            self._log.error(
                "{count} changes of bans and mutes could not be saved and are lost with the end of this "
                "process; enter them again by wlnet ban and wlnet mute. The first ones follow.",
                count=self._sanctions.unsaved_count,
            )
        for sanction in lost:
            self._log.error(
                "Not saved: {kind} of {target} {value}, {what}, reason: {why}",
                kind=sanction.kind.value,
                target=sanction.target.value,
                value=sanction.value,
                what=f"imposed by {sanction.by}"
                if sanction.lifted_at is None
                else f"lifted by {sanction.lifted_by}",
                why=sanction.reason or "none given",
            )
        return self._threads.stop().addCallback(lambda _: self._store.close())

    def _defect(self, failure: Failure) -> None:
        self._log.failure("A defect in the keeping of bans and mutes", failure=failure)
