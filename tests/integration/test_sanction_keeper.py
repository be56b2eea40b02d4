"""The keeper over a real SQLite file that another program changes, and that goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import TestCase

from wlnet.accounts.database import SqlDatabase, open_database
from wlnet.config import schema
from wlnet.metrics import Metrics
from wlnet.moderation.interfaces import Saved
from wlnet.moderation.sanctions import Kind, Sanction, Sanctions, Target
from wlnet.moderation.shell_ids import new_sanction_id
from wlnet.moderation.shell_keeper import SanctionKeeper
from wlnet.moderation.store import SqlSanctionStore

PATIENCE = 10.0


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        await deferLater(reactor, 0.01)


class HangingStore(SqlSanctionStore):
    """Saving can be made to hang."""

    def __init__(self, database: SqlDatabase) -> None:
        super().__init__(database)
        self.go_on = threading.Event()
        self.go_on.set()

    def save(self, sanctions: Sequence[Sanction]) -> Saved:
        self.go_on.wait(60)
        return super().save(sanctions)


class Heard:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def imposed(self, sanction: Sanction) -> None:
        self.events.append(("imposed", sanction.value))

    def lifted(self, sanction: Sanction) -> None:
        self.events.append(("lifted", sanction.value))


class KeeperTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / "wlnet.sqlite3"
        self.moderation = schema.Moderation(refresh_interval=0.05)
        self.settings = schema.Database(retry_pause=0.1, timeout=1.0)
        self.other = self.store()
        self.lines: list[str] = []
        observer = cast(ILogObserver, self._observe)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _observe(self, event: dict[str, object]) -> None:
        if "shell_keeper" in str(event.get("log_namespace")):
            self.lines.append(str(event.get("log_format")).format_map(event))

    def store(self) -> HangingStore:
        """The store as another program would open it."""
        return HangingStore(open_database(self.settings, schema.Server(state_dir=str(self.folder))))

    def keeper(self) -> tuple[Sanctions, SanctionKeeper, HangingStore]:
        sanctions = Sanctions(time.time, new_sanction_id, self.moderation.max_entries)
        store = self.store()
        keeper = SanctionKeeper(reactor, sanctions, store, self.moderation, self.settings, Metrics())
        self.addCleanup(keeper.stop)
        self.addCleanup(store.go_on.set)
        return sanctions, keeper, store

    def elsewhere(self, value: str) -> Sanction:
        """Somebody imposes a ban by another program."""
        imposed = Sanctions(time.time, new_sanction_id, 10).impose(
            Kind.BAN, Target.NAME, value, reason="", by="cli", duration=None
        )
        self.other.save([imposed])
        return imposed

    def impose(self, sanctions: Sanctions, value: str) -> Sanction:
        return sanctions.impose(Kind.BAN, Target.NAME, value, reason="", by="boss", duration=None)

    async def test_what_is_in_force_is_there_after_start(self) -> None:
        self.elsewhere("otto")
        sanctions, keeper, _ = self.keeper()
        await keeper.start()
        assert sanctions.banned(name="otto")

    async def test_changes_are_saved_with_who_and_when(self) -> None:
        sanctions, keeper, _ = self.keeper()
        await keeper.start()
        imposed = self.impose(sanctions, "otto")
        await until(lambda: sanctions.unsaved_count == 0)
        assert self.other.history(10) == [imposed]
        lifted = sanctions.lift(imposed.id, "chief")
        await until(lambda: sanctions.unsaved_count == 0)
        assert self.other.history(10) == [lifted]

    async def test_another_programs_changes_take_effect(self) -> None:
        sanctions, keeper, _ = self.keeper()
        await keeper.start()
        heard = Heard()
        sanctions.subscribe(heard)
        imposed = self.elsewhere("otto")
        await until(lambda: sanctions.banned(name="otto"))
        self.other.lift(imposed.id, "cli", time.time())
        await until(lambda: sanctions.banned(name="otto") is None)
        assert heard.events == [("imposed", "otto"), ("lifted", "otto")]

    async def test_nothing_is_lost_while_the_database_is_away(self) -> None:
        self.elsewhere("before")
        sanctions, keeper, store = self.keeper()
        await keeper.start()
        store.close()
        self.other.close()
        good = self.folder / "good"
        self.file.rename(good)
        self.file.write_bytes(b"garbage" * 10000)
        await until(lambda: self.lines)
        kept = [self.impose(sanctions, f"n{number}") for number in range(300)]
        sanctions.lift(kept[0].id, "boss")
        await deferLater(reactor, 0.3)  # some tries that fail
        assert sanctions.banned(name="before")
        assert sanctions.banned(name="n7")
        assert sanctions.unsaved_count == 300
        good.replace(self.file)
        await until(lambda: sanctions.unsaved_count == 0)
        history = {one.value: one for one in self.other.history(1000)}
        assert len(history) == 301
        assert history["n0"].lifted_by == "boss"
        await until(lambda: len(self.lines) == 2)
        assert "restore a back-up" in self.lines[0]
        assert "again" in self.lines[1]
        assert sanctions.banned(name="before")

    async def test_a_start_without_database_does_not_wait_for_it(self) -> None:
        self.other.close()
        self.file.write_bytes(b"garbage" * 10000)
        sanctions, keeper, _ = self.keeper()
        await keeper.start()
        imposed = self.impose(sanctions, "otto")
        assert sanctions.banned(name="otto")
        self.file.unlink()
        await until(lambda: sanctions.unsaved_count == 0)
        assert self.other.history(10) == [imposed]

    async def test_a_save_that_hangs_is_tried_again(self) -> None:
        self.settings = schema.Database(retry_pause=0.1, timeout=0.2)
        sanctions, keeper, store = self.keeper()
        await keeper.start()
        store.go_on.clear()
        imposed = self.impose(sanctions, "otto")
        await until(lambda: self.lines)
        assert sanctions.banned(name="otto")
        assert sanctions.unsaved_count == 1
        store.go_on.set()
        await until(lambda: sanctions.unsaved_count == 0)
        assert self.other.history(10) == [imposed]

    async def test_reading_has_its_turn_while_much_is_saved(self) -> None:
        sanctions, keeper, _ = self.keeper()
        await keeper.start()
        self.elsewhere("otto")
        while sanctions.banned(name="otto") is None:
            self.impose(sanctions, "busy")
            assert sanctions.unsaved_count
            await deferLater(reactor, 0)

    async def test_the_last_changes_are_saved_at_the_end(self) -> None:
        sanctions, keeper, _ = self.keeper()
        await keeper.start()
        for number in range(500):
            self.impose(sanctions, f"n{number}")
        await keeper.stop()
        assert len(self.other.history(1000)) == 500

    async def test_what_cannot_be_saved_at_the_end_is_in_the_log(self) -> None:
        sanctions, keeper, store = self.keeper()
        await keeper.start()
        store.close()
        self.other.close()
        self.file.write_bytes(b"garbage" * 10000)
        self.impose(sanctions, "otto")
        await keeper.stop()
        assert any("lost" in line for line in self.lines)
        assert any("name otto" in line for line in self.lines)

    async def test_more_than_the_limit_in_the_database_is_said_and_survived(self) -> None:
        self.moderation = schema.Moderation(refresh_interval=0.05, max_entries=2)
        for number in range(4):
            self.elsewhere(f"n{number}")
        sanctions, keeper, _ = self.keeper()
        await keeper.start()
        assert len(sanctions) == 2
        assert sanctions.banned(name="n3")
        assert any("max_entries (2)" in line for line in self.lines)
