"""Accounts and sanctions in real SQLite files."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from zope.interface.verify import verifyObject

from wlnet.accounts import schema as tables_schema
from wlnet.accounts.database import SqlDatabase, open_database, resolve_url
from wlnet.accounts.errors import (
    AccountExistsError,
    BadAccountError,
    DatabaseUnavailableError,
    DatabaseUrlError,
    NoSuchAccountError,
    SchemaTooNewError,
)
from wlnet.accounts.interfaces import IAccountStore
from wlnet.accounts.store import SqlAccountStore
from wlnet.accounts.tables import METADATA
from wlnet.config import schema
from wlnet.lobby.ports import Account, Permission
from wlnet.moderation.interfaces import ISanctionStore
from wlnet.moderation.sanctions import Kind, Sanction, Target
from wlnet.moderation.store import SqlSanctionStore


def database_in(folder: Path, timeout: float = 5.0) -> SqlDatabase:
    return open_database(schema.Database(timeout=timeout), schema.Server(state_dir=str(folder)))


@pytest.fixture
def database(tmp_path: Path) -> SqlDatabase:
    return database_in(tmp_path)


@pytest.fixture
def accounts(database: SqlDatabase) -> SqlAccountStore:
    return SqlAccountStore(database, name_length=40, password_length=128)


@pytest.fixture
def store(database: SqlDatabase) -> SqlSanctionStore:
    return SqlSanctionStore(database)


def ban(sanction_id: str = "b1", **changes: object) -> Sanction:
    fields: dict[str, object] = {
        "id": sanction_id, "kind": Kind.BAN, "target": Target.NAME, "value": "otto", "reason": "why",
        "by": "boss", "created_at": 100.0,
    } | changes  # fmt: skip
    return Sanction(**fields)  # type: ignore[arg-type]


# -- accounts -------------------------------------------------------------------------------------


def test_the_stores_are_what_they_say(accounts: SqlAccountStore, store: SqlSanctionStore) -> None:
    assert verifyObject(IAccountStore, accounts)
    assert verifyObject(ISanctionStore, store)


def test_an_account_is_found_by_its_exact_name(accounts: SqlAccountStore) -> None:
    accounts.add("Peter", Permission.SUPERUSER, "abc")
    assert accounts.find("Peter") == Account(
        "Peter", Permission.SUPERUSER, "a9993e364706816aba3e25717850c26c9cd0d89d"
    )
    for other in ("peter", "PETER", "Peter ", "Pete", "", "\udcff", "Peter\0"):
        assert accounts.find(other) is None


def test_names_that_differ_in_case_are_two_accounts(accounts: SqlAccountStore) -> None:
    accounts.add("Peter", Permission.REGISTERED, "one")
    accounts.add("peter", Permission.REGISTERED, "two")
    assert [entry.name for entry in accounts.entries()] == ["Peter", "peter"]
    with pytest.raises(AccountExistsError, match="peter"):
        accounts.add("peter", Permission.REGISTERED, "three")


def test_a_password_is_checked_and_changed(accounts: SqlAccountStore) -> None:
    accounts.add("otto", Permission.REGISTERED, "first")
    before = accounts.find("otto")
    assert accounts.password_matches("otto", "first")
    accounts.set_password("otto", "second")
    after = accounts.find("otto")
    assert before is not None
    assert after is not None
    assert before.widelands_digest != after.widelands_digest
    assert not accounts.password_matches("otto", "first")
    assert accounts.password_matches("otto", "second")
    assert not accounts.password_matches("nobody", "second")


def test_removing_leaves_no_credentials(accounts: SqlAccountStore, database: SqlDatabase) -> None:
    accounts.add("otto", Permission.REGISTERED, "abc")
    accounts.remove("otto")
    assert accounts.find("otto") is None
    with database.reading() as connection:
        for table in ("accounts", "password_hashes", "widelands_digests"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0


def test_permission_changes(accounts: SqlAccountStore) -> None:
    accounts.add("otto", Permission.REGISTERED, "abc")
    accounts.set_permission("otto", Permission.SUPERUSER)
    found = accounts.find("otto")
    assert found is not None
    assert found.permission is Permission.SUPERUSER
    with pytest.raises(BadAccountError):
        accounts.set_permission("otto", Permission.IRC)


@pytest.mark.parametrize("name", ["otto", "", "\udcff", "Otto"])
def test_what_is_not_there_cannot_be_changed(accounts: SqlAccountStore, name: str) -> None:
    for change in (
        lambda: accounts.remove(name),
        lambda: accounts.set_password(name, "abc"),
        lambda: accounts.set_permission(name, Permission.SUPERUSER),
    ):
        with pytest.raises(NoSuchAccountError):
            change()


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("", "abc", "empty"),
        ("team", "abc", "reserved"),
        ("Team", "abc", "reserved"),
        ("two words", "abc", "letters"),
        ("x" * 41, "abc", "40"),
        ("otto", "", "empty"),
        ("otto", "a\nb", "shown"),
        ("otto", "a\0b", "shown"),
        ("otto", "ü" * 65, "128 bytes"),
    ],
)
def test_impossible_accounts(accounts: SqlAccountStore, name: str, password: str, says: str) -> None:
    with pytest.raises(BadAccountError, match=says):
        accounts.add(name, Permission.REGISTERED, password)
    assert accounts.entries() == []


def test_a_damaged_row_neither_promotes_nor_breaks(accounts: SqlAccountStore, tmp_path: Path) -> None:
    accounts.add("otto", Permission.REGISTERED, "abc")
    with sqlite3.connect(tmp_path / "wlnet.sqlite3") as raw:
        raw.execute("PRAGMA ignore_check_constraints=ON")
        raw.execute("UPDATE accounts SET permission = 'superuser'")
        raw.execute("UPDATE widelands_digests SET sha1 = 'short'")
    assert accounts.find("otto") == Account("otto", Permission.REGISTERED, None)


# -- sanctions ------------------------------------------------------------------------------------


def test_sanctions_come_back_as_they_were(store: SqlSanctionStore) -> None:
    saved = [ban("a"), ban("b", expires_at=500.5, kind=Kind.MUTE, reason="größer", created_at=101.25)]
    store.save(saved)
    snapshot = store.read(None, 200.0, 10)
    assert snapshot is not None
    assert sorted(snapshot.sanctions, key=lambda one: one.id) == saved


def test_reading_again_costs_one_number_until_something_changes(store: SqlSanctionStore) -> None:
    saved = store.save([ban()])
    assert saved.after > saved.before
    assert store.read(saved.after, 200.0, 10) is None
    assert store.lift("b1", "chief", 150.0) is not None
    changed = store.read(saved.after, 200.0, 10)
    assert changed is not None
    assert changed.sanctions == ()


def test_only_what_is_in_force_is_read_but_all_is_kept(store: SqlSanctionStore) -> None:
    store.save([ban("over", expires_at=150.0), ban("gone"), ban("on", expires_at=250.0)])
    store.lift("gone", "chief", 120.0)
    snapshot = store.read(None, 200.0, 10)
    assert snapshot is not None
    assert [one.id for one in snapshot.sanctions] == ["on"]
    history = {one.id: one for one in store.history(10)}
    assert set(history) == {"over", "gone", "on"}
    assert (history["gone"].lifted_by, history["gone"].lifted_at) == ("chief", 120.0)


def test_a_late_save_of_an_older_state_does_not_bring_a_lifted_one_back(store: SqlSanctionStore) -> None:
    store.save([ban()])
    store.save([ban(lifted_at=150.0, lifted_by="chief")])
    store.save([ban()])
    store.save([ban(lifted_at=170.0, lifted_by="late")])
    found = store.get("b1")
    assert found is not None
    assert (found.lifted_at, found.lifted_by) == (150.0, "chief")


def test_lifted_before_it_was_ever_saved(store: SqlSanctionStore) -> None:
    store.save([ban(lifted_at=150.0, lifted_by="chief")])
    assert store.history(10) == [ban(lifted_at=150.0, lifted_by="chief")]


def test_many_at_once(store: SqlSanctionStore) -> None:
    store.save([ban(f"b{number}") for number in range(1000)])
    store.save([ban(f"b{number}") for number in range(1000)])
    assert len(store.history(5000)) == 1000


def test_a_row_made_by_hand_does_not_hide_the_others(store: SqlSanctionStore, tmp_path: Path) -> None:
    store.save([ban("good"), ban("odd")])
    with sqlite3.connect(tmp_path / "wlnet.sqlite3") as raw:
        raw.execute("UPDATE sanctions SET kind = 'tickle' WHERE id = 'odd'")
    snapshot = store.read(None, 200.0, 10)
    assert snapshot is not None
    assert [one.id for one in snapshot.sanctions] == ["good"]


# -- the file and its schema ----------------------------------------------------------------------


def test_only_the_owner_may_read_the_file(accounts: SqlAccountStore, tmp_path: Path) -> None:
    accounts.add("otto", Permission.REGISTERED, "abc")
    for file in tmp_path.iterdir():  # the write-ahead log too
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_connections_have_the_settings_they_should(database: SqlDatabase) -> None:
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 5000


def test_the_queries_and_the_steps_speak_of_the_same_columns(database: SqlDatabase) -> None:
    with database.reading() as connection:
        found = inspect(connection)
        assert set(found.get_table_names()) == set(METADATA.tables)
        for name, table in METADATA.tables.items():
            assert {column["name"] for column in found.get_columns(name)} == set(table.columns.keys())


def test_steps_are_taken_once_and_in_order(database: SqlDatabase) -> None:
    taken: list[str] = []

    def second(connection: Connection) -> None:
        taken.append("second")
        connection.execute(text("CREATE TABLE extra (x INTEGER)"))

    def third(connection: Connection) -> None:
        taken.append("third")
        connection.execute(text("INSERT INTO extra VALUES (1)"))

    steps: tuple[Callable[[Connection], None], ...] = (*tables_schema._STEPS, second, third)
    for expected in (2, 0):
        with database.writing() as connection:
            assert tables_schema.upgrade(connection, steps) == expected
    assert taken == ["second", "third"]


def test_a_step_that_fails_leaves_nothing_behind(database: SqlDatabase) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE extra (x INTEGER)"))
        connection.execute(text("CREATE TABLE extra (x INTEGER)"))

    with pytest.raises(DatabaseUnavailableError), database.writing() as connection:
        tables_schema.upgrade(connection, (*tables_schema._STEPS, fails))
    with database.reading() as connection:
        assert "extra" not in inspect(connection).get_table_names()
        assert tables_schema.found_version(connection) == tables_schema.VERSION


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    database_in(tmp_path).prepare()
    with sqlite3.connect(tmp_path / "wlnet.sqlite3") as raw:
        raw.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(SchemaTooNewError, match=r"99.*newer"):
        database_in(tmp_path).prepare()


def test_many_programs_may_start_at_once(tmp_path: Path) -> None:
    problems: list[BaseException] = []
    together = threading.Barrier(8)

    def start(number: int) -> None:
        try:
            together.wait(10)
            accounts = SqlAccountStore(database_in(tmp_path), name_length=40, password_length=128)
            accounts.check()
            SqlSanctionStore(database_in(tmp_path)).save([ban(f"b{number}")])
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []
    assert len(SqlSanctionStore(database_in(tmp_path)).history(100)) == 8


def test_garbage_in_place_of_the_file(accounts: SqlAccountStore, tmp_path: Path) -> None:
    accounts.add("otto", Permission.REGISTERED, "abc")
    file = tmp_path / "wlnet.sqlite3"
    good = tmp_path / "good"
    accounts.close()
    file.rename(good)
    file.write_bytes(b"not a database at all " * 1000)
    with pytest.raises(DatabaseUnavailableError, match="restore a back-up"):
        accounts.find("otto")
    good.rename(file)
    assert accounts.find("otto") is not None


def test_a_replaced_file_is_noticed_while_the_old_one_is_open(tmp_path: Path) -> None:
    accounts = SqlAccountStore(database_in(tmp_path), name_length=40, password_length=128)
    accounts.add("old", Permission.REGISTERED, "abc")
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = SqlAccountStore(database_in(other_folder), name_length=40, password_length=128)
    other.add("new", Permission.REGISTERED, "abc")
    other.close()
    for leftover in tmp_path.glob("*.sqlite3-*"):
        leftover.unlink()
    (other_folder / "wlnet.sqlite3").rename(tmp_path / "wlnet.sqlite3")
    assert accounts.find("new") is not None
    assert accounts.find("old") is None


def test_a_vanished_file_is_an_error_and_not_an_empty_database(
    accounts: SqlAccountStore, tmp_path: Path
) -> None:
    accounts.add("otto", Permission.REGISTERED, "abc")
    (tmp_path / "wlnet.sqlite3").unlink()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError, match="missing"):
            accounts.find("otto")
    assert not (tmp_path / "wlnet.sqlite3").exists()


def test_a_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    accounts = SqlAccountStore(database_in(tmp_path, timeout=0.2), name_length=40, password_length=128)
    accounts.add("otto", Permission.REGISTERED, "abc")
    holder = sqlite3.connect(tmp_path / "wlnet.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert accounts.find("otto") is not None  # readers are not kept waiting
    with pytest.raises(DatabaseUnavailableError, match="Another program"):
        accounts.remove("otto")
    holder.execute("ROLLBACK")
    holder.close()
    accounts.remove("otto")


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="create it"):
        database_in(tmp_path / "nowhere").prepare()


# -- urls -----------------------------------------------------------------------------------------


def test_a_relative_path_lies_in_the_state_dir(tmp_path: Path) -> None:
    server = schema.Server(state_dir=str(tmp_path))
    assert resolve_url(schema.Database(), server).database == str(tmp_path / "wlnet.sqlite3")
    absolute = resolve_url(schema.Database(url="sqlite:////var/lib/x.db"), server)
    assert absolute.database == "/var/lib/x.db"


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x",
        "sqlite+aiosqlite:///x",
        "sqlite:///x?a=b",
    ],
)
def test_urls_that_can_never_work(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match=r"database\.url"):
        resolve_url(schema.Database(url=url), schema.Server())


@pytest.mark.parametrize("url", ["nosuch://x/y", "postgresql+nosuch://x/y"])
def test_missing_drivers_are_named(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="driver"):
        open_database(schema.Database(url=url), schema.Server())


def test_a_password_in_the_url_is_not_told() -> None:
    with pytest.raises(DatabaseUrlError) as error:
        resolve_url(schema.Database(url="mysql//user:hunter2@host"), schema.Server())
    assert "hunter2" not in str(error.value)
