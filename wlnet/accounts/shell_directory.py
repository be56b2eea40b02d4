"""The lobby's accounts: questions go to a store in threads, answers come back in the reactor."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from wlnet.accounts.breaker import Breaker
from wlnet.accounts.errors import DatabaseUnavailableError
from wlnet.accounts.interfaces import LONGEST_NAME, IAccountStore
from wlnet.accounts.known_names import KnownNames
from wlnet.accounts.shell_threads import (
    DatabaseBusyError,
    DatabaseSlowError,
    DatabaseStoppedError,
    DatabaseThreads,
    Reactor,
)
from wlnet.config import schema
from wlnet.lobby.names import name_problem
from wlnet.lobby.ports import Account, AccountsUnavailableError
from wlnet.metrics import Front, Limit, Metrics

Answer = Callable[[Account | AccountsUnavailableError | None], None]


class AccountDirectory:
    """Looks up accounts for the lobby (:class:`wlnet.lobby.ports.AccountsPort`).

    While the database fails, questions are answered by AccountsUnavailableError at once and a probe every
    ``database.retry_pause`` seconds finds out when it is back.
    """

    _log = Logger()

    def __init__(
        self, reactor: Reactor, store: IAccountStore, settings: schema.Database, metrics: Metrics
    ) -> None:
        self._reactor = reactor
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._threads = DatabaseThreads(
            reactor,
            "accounts",
            threads=settings.threads,
            timeout=settings.timeout,
            max_pending=settings.max_pending,
        )
        self._breaker = Breaker(settings.failures_tolerated)
        self._known = KnownNames(settings.known_names)
        self._next_probe: IDelayedCall | None = None
        self._running = False
        metrics.observe("wlnet_accounts_available", "1 if accounts can be looked up", lambda: self.available)
        metrics.observe(
            "wlnet_accounts_pending", "Questions about accounts under way", lambda: self._threads.under_way
        )

    @property
    def available(self) -> bool:
        """False while the database is known not to answer."""
        return not self._breaker.open

    def start(self) -> None:
        """Begin to answer. A database that cannot be reached is no error: it is tried again and again."""
        if not self._running:
            self._running = True
            self._threads.start()
            self._probe()

    def stop(self) -> Deferred[None]:
        """Answer nothing new; fires when the threads have ended (bounded by ``database.timeout``)."""
        self._running = False
        if self._next_probe is not None:
            self._next_probe.cancel()
            self._next_probe = None
        return self._threads.stop().addCallback(lambda _: self._store.close())

    def find(self, name: str, answer: Answer) -> None:
        """See :class:`wlnet.lobby.ports.AccountsPort`; *answer* is called once, perhaps at once."""
        if name_problem(name, LONGEST_NAME) is not None:
            answer(None)
            return
        if self._breaker.open:
            answer(AccountsUnavailableError("The accounts cannot be looked up at present."))
            return

        def found(account: Account | None) -> Account | None:
            self._worked()
            if account is None:
                self._known.discard(name)
            else:
                self._known.add(name)
            return account

        def failed(failure: Failure) -> AccountsUnavailableError:
            self._failed(failure)
            return AccountsUnavailableError("The accounts cannot be looked up at present.")

        asked = self._threads.run(lambda: self._store.find(name))
        asked.addCallbacks(found, failed).addCallback(answer).addErrback(self._defect)

    def was_account(self, name: str) -> bool:
        """True if *name* was an account's when it was last looked at.

        For the time when :meth:`find` fails: nobody else shall get such a name. Names are forgotten, the
        least recently seen first, when there are more than ``database.known_names``.
        """
        return name in self._known

    def _probe(self) -> None:
        self._next_probe = None

        def look() -> list[str]:
            self._store.check()
            return self._store.names(self._settings.known_names)

        def back(names: list[str]) -> None:
            for name in reversed(names):
                self._known.add(name)
            self._worked()

        def still_away(failure: Failure) -> None:
            if failure.check(DatabaseBusyError) is None:
                self._failed(failure, at_once=True)
            elif self._running:
                self._probe_later()

        self._threads.run(look).addCallbacks(back, still_away).addErrback(self._defect)

    def _probe_later(self) -> None:
        if self._next_probe is None:
            self._next_probe = self._reactor.callLater(max(0.1, self._settings.retry_pause), self._probe)

    def _worked(self) -> None:
        if self._breaker.worked():
            self._log.info("The accounts can be looked up again.")

    def _failed(self, failure: Failure, at_once: bool = False) -> None:
        if failure.check(DatabaseBusyError) is not None:
            self._metrics.limited(Front.METASERVER, Limit.DATABASE_PENDING)
            return
        if not self._running or failure.check(DatabaseStoppedError) is not None:
            return
        if failure.check(DatabaseUnavailableError, DatabaseSlowError) is None:
            self._defect(failure)
        opened = self._breaker.trip() if at_once else self._breaker.failed()
        if opened:
            self._log.error(
                "Accounts cannot be looked up, so registered players cannot log in; games go on, and it is "
                "tried again every {pause:g} s. {reason}",
                pause=self._settings.retry_pause,
                reason=failure.getErrorMessage(),
            )
        if self._breaker.open:
            self._probe_later()

    def _defect(self, failure: Failure) -> None:
        self._log.failure("A defect in the look-up of an account", failure=failure)
