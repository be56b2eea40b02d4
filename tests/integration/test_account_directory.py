"""The directory over a store that answers, hangs or fails, with the real reactor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from wlnet.accounts.database import open_database
from wlnet.accounts.errors import DatabaseUnavailableError
from wlnet.accounts.interfaces import AccountEntry, IAccountStore
from wlnet.accounts.shell_directory import AccountDirectory
from wlnet.accounts.store import SqlAccountStore
from wlnet.config import schema
from wlnet.lobby.ports import Account, AccountsUnavailableError, Permission
from wlnet.metrics import Front, Limit, Metrics

PATIENCE = 10.0
Answers = list[Account | AccountsUnavailableError | None]


@implementer(IAccountStore)
class MoodyStore:
    """A store with one account, otto, that can be made to hang or to fail."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.failing = False
        self.broken = False
        self.asked: list[str] = []
        self.inside = 0
        self.most_inside = 0
        self._count = threading.Lock()

    def _mood(self) -> None:
        with self._count:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        try:
            self.go_on.wait(60)
        finally:
            with self._count:
                self.inside -= 1
        if self.failing:
            raise DatabaseUnavailableError("The database is on holiday. Call it back.")
        if self.broken:
            raise RuntimeError("a defect")

    def check(self) -> None:
        self._mood()

    def find(self, name: str) -> Account | None:
        self.asked.append(name)
        self._mood()
        return Account("otto", Permission.REGISTERED, "0" * 40) if name == "otto" else None

    def names(self, limit: int) -> list[str]:
        return ["otto"][:limit]

    def entries(self) -> list[AccountEntry]:
        raise NotImplementedError

    def add(self, name: str, permission: Permission, password: str) -> None:
        raise NotImplementedError

    def remove(self, name: str) -> None:
        raise NotImplementedError

    def set_password(self, name: str, password: str) -> None:
        raise NotImplementedError

    def set_permission(self, name: str, permission: Permission) -> None:
        raise NotImplementedError

    def password_matches(self, name: str, password: str) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        pass


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        await deferLater(reactor, 0.01)


def more_than(number: int, answers: Answers) -> Callable[[], bool]:
    return lambda: len(answers) > number


def put_garbage_in_place_of(file: Path, keep_as: Path) -> None:
    file.rename(keep_as)
    file.write_bytes(b"garbage" * 10000)


def put_back(kept: Path, file: Path) -> None:
    kept.replace(file)


class DirectoryTests(TestCase):
    def setUp(self) -> None:
        self.store = MoodyStore()
        self.metrics = Metrics()
        self.lines: list[str] = []
        observer = cast(ILogObserver, self._observe)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _observe(self, event: dict[str, object]) -> None:
        if "shell_directory" in str(event.get("log_namespace")) and event["log_level"] is not LogLevel.debug:
            self.lines.append(str(event.get("log_format")).format_map(event))

    def directory(self, store: IAccountStore | None = None, **settings: Any) -> AccountDirectory:
        fields: dict[str, Any] = {"threads": 2, "timeout": 5.0, "retry_pause": 0.1} | settings
        directory = AccountDirectory(
            reactor,
            store or self.store,
            schema.Database(**fields),
            self.metrics,
        )
        self.addCleanup(directory.stop)
        self.addCleanup(self.store.go_on.set)
        directory.start()
        return directory

    async def test_answers_come_once_in_the_reactor_thread(self) -> None:
        directory = self.directory()
        answers: list[tuple[object, bool]] = []
        here = threading.current_thread()
        for name in ("otto", "nobody"):
            directory.find(name, lambda found: answers.append((found, threading.current_thread() is here)))
        await until(lambda: len(answers) == 2)
        assert (None, True) in answers
        assert (Account("otto", Permission.REGISTERED, "0" * 40), True) in answers
        assert directory.was_account("otto")
        assert not directory.was_account("nobody")

    def test_impossible_names_do_not_trouble_the_database(self) -> None:
        directory = self.directory()
        answers: Answers = []
        for name in ("", "two words", "\udcff", "x" * 300):
            directory.find(name, answers.append)
        assert answers == [None] * 4
        assert self.store.asked == []

    async def test_a_hanging_database_answers_in_time_and_late_results_are_dropped(self) -> None:
        directory = self.directory(timeout=0.2, failures_tolerated=100)
        await until(lambda: directory.was_account("otto"))  # the first look at it
        self.store.go_on.clear()
        answers: Answers = []
        for _ in range(10):
            directory.find("otto", answers.append)
        started = time.monotonic()
        await until(lambda: len(answers) == 10)
        assert time.monotonic() - started < 3
        assert all(isinstance(answer, AccountsUnavailableError) for answer in answers)
        assert self.store.most_inside == 2  # never more than the pool
        self.store.go_on.set()
        await until(lambda: self.store.inside == 0)
        directory.find("otto", answers.append)
        await until(lambda: len(answers) == 11)
        assert isinstance(answers[10], Account)
        await deferLater(reactor, 0.05)
        assert len(answers) == 11
        assert len(self.store.asked) == 3  # the eight that never got a thread in time were not asked at all

    async def test_questions_beyond_the_limit_fail_at_once(self) -> None:
        directory = self.directory(max_pending=3)
        await until(lambda: directory.was_account("otto"))
        self.store.go_on.clear()
        answers: Answers = []
        for _ in range(5):
            directory.find("otto", answers.append)
        assert [type(answer) for answer in answers] == [AccountsUnavailableError] * 2
        assert self.metrics.times_limited(Front.METASERVER, Limit.DATABASE_PENDING) == 2
        assert directory.available
        self.store.go_on.set()
        await until(lambda: len(answers) == 5)
        assert [type(answer) for answer in answers[2:]] == [Account] * 3

    async def test_away_and_back_with_one_line_each(self) -> None:
        directory = self.directory()
        await until(lambda: directory.was_account("otto"))
        self.store.failing = True
        answers: Answers = []
        for number in range(3):
            directory.find("otto", answers.append)
            await until(more_than(number, answers))
        assert not directory.available
        asked = len(self.store.asked)
        directory.find("otto", answers.append)
        assert isinstance(answers[3], AccountsUnavailableError)  # at once
        assert len(self.store.asked) == asked
        assert directory.was_account("otto")
        await deferLater(reactor, 0.3)  # some probes that fail
        self.store.failing = False
        await until(lambda: directory.available)
        directory.find("otto", answers.append)
        await until(lambda: len(answers) == 5)
        assert isinstance(answers[4], Account)
        assert len(self.lines) == 2, self.lines
        assert "on holiday. Call it back." in self.lines[0]
        assert "again" in self.lines[1]

    async def test_starting_without_a_database(self) -> None:
        self.store.failing = True
        directory = self.directory()
        await until(lambda: not directory.available)
        assert len(self.lines) == 1
        self.store.failing = False
        await until(lambda: directory.available)
        await until(lambda: directory.was_account("otto"))

    async def test_a_removed_account_is_forgotten(self) -> None:
        directory = self.directory()
        await until(lambda: directory.was_account("otto"))
        self.store.find = lambda name: None  # type: ignore[method-assign]
        answers: Answers = []
        directory.find("otto", answers.append)
        await until(lambda: answers == [None])
        assert not directory.was_account("otto")

    async def test_a_defect_in_the_store_is_answered_and_logged(self) -> None:
        directory = self.directory()
        await until(lambda: directory.was_account("otto"))
        self.store.broken = True
        answers: Answers = []
        directory.find("otto", answers.append)
        await until(lambda: answers)
        assert isinstance(answers[0], AccountsUnavailableError)
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    async def test_stopping_does_not_wait_for_a_hanging_thread(self) -> None:
        directory = self.directory(timeout=0.2)
        await until(lambda: directory.was_account("otto"))
        self.store.go_on.clear()
        answers: Answers = []
        directory.find("otto", answers.append)
        await until(lambda: self.store.inside == 1)
        started = time.monotonic()
        await directory.stop()
        assert time.monotonic() - started < 3
        assert isinstance(answers[0], AccountsUnavailableError)
        directory.find("otto", answers.append)
        assert isinstance(answers[1], AccountsUnavailableError)

    async def test_a_real_file_that_turns_to_garbage_and_back(self) -> None:
        with TemporaryDirectory() as folder:
            settings = schema.Database(retry_pause=0.1)
            store = SqlAccountStore(
                open_database(settings, schema.Server(state_dir=folder)), name_length=40, password_length=128
            )
            store.add("otto", Permission.REGISTERED, "abc")
            directory = self.directory(store)
            answers: Answers = []
            directory.find("otto", answers.append)
            await until(lambda: len(answers) == 1)
            assert isinstance(answers[0], Account)

            file, good = Path(folder, "wlnet.sqlite3"), Path(folder, "good")
            store.close()
            put_garbage_in_place_of(file, good)
            for number in range(1, 4):
                directory.find("otto", answers.append)
                await until(more_than(number, answers))
                assert isinstance(answers[number], AccountsUnavailableError)
            assert not directory.available
            assert "restore a back-up" in self.lines[-1]

            put_back(good, file)
            await until(lambda: directory.available)
            directory.find("otto", answers.append)
            await until(lambda: len(answers) == 5)
            assert isinstance(answers[4], Account)
            await directory.stop()
