"""The database under faults, and its migrations."""

import asyncio
import os
import sqlite3
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, make_url, text

from bridge.errors import StoreUnavailable, Unstorable
from bridge.store import Database, Store, checkpoints, database, revisions, upgrade
from bridge.store.driver import Running
from bridge.store.group_commit import GroupCommit
from bridge.store.migrate import migrating
from bridge.store.sqlite import Log, Sqlite
from bridge.store.tables import metadata
from tests.store.test_inbox import delivery

pytestmark = pytest.mark.anyio


async def test_migrations_make_the_tables_that_the_code_knows(database: Database) -> None:
    def described(connection: Any) -> dict[str, dict[str, object]]:
        found = inspect(connection)
        return {
            table: {
                "columns": {c["name"]: c["nullable"] for c in found.get_columns(table)},
                "indexes": {i["name"] for i in found.get_indexes(table)}
                - {u["name"] for u in found.get_unique_constraints(table)},
                "unique": {tuple(u["column_names"]) for u in found.get_unique_constraints(table)},
            }
            for table in metadata.tables
        }

    migrated = await migrating(database, described)
    await migrating(database, metadata.drop_all)
    await migrating(database, metadata.create_all)
    assert migrated == await migrating(database, described)


async def test_a_commit_on_sqlite_reaches_the_disk_before_it_returns(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path}/bridge.db")
    async with opened.writing() as connection:
        modes = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in ("journal_mode", "synchronous")
        ]
    assert modes == ["wal", 2]
    await opened.close()


async def test_a_command_beside_the_service_leaves_the_log_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two connections that move the write-ahead log into the file at the same moment can lose a commit, before SQLite 3.51.3."""
    file = tmp_path / "bridge.db"
    service = Database(f"sqlite:///{file}")
    await upgrade(service)
    command = Database(f"sqlite:///{file}", beside=True)
    await Store(service).inbox.append([delivery(1)])
    before = file.stat().st_size
    await Store(command).inbox.append([delivery(2, body=os.urandom(8_000_000))])
    assert file.stat().st_size == before
    monkeypatch.setattr(checkpoints, "COPIED_AFTER", 1)
    await Store(service).inbox.append([delivery(3)])
    await service.close()  # which waits for what is copied
    assert file.stat().st_size > before + 8_000_000
    await command.close()


async def test_the_log_begins_anew_while_more_and_more_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "COPIED_AFTER", 50)
    monkeypatch.setattr(checkpoints, "ANEW_AFTER", 100)
    opened = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(opened)
    await _append_until_the_log_has_begun_anew(3, opened, tmp_path / "bridge.db-wal")
    assert (tmp_path / "bridge.db").stat().st_size > 300 * 2000
    await opened.close()


async def _append_until_the_log_has_begun_anew(times: int, opened: Database, log: Path) -> None:
    for first in range(20, 20_000, 20):
        await Store(opened).inbox.append([delivery(first + number, body=os.urandom(2000)) for number in range(20)])
        if _checkpoints(log) == times:
            break
    assert _checkpoints(log) == times


def _checkpoints(log: Path) -> int:
    """How often a write-ahead log has begun anew: https://sqlite.org/fileformat2.html#the_write_ahead_log."""
    return int.from_bytes(log.read_bytes()[12:16], "big")


async def test_a_log_that_is_too_long_is_copied_whatever_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LONGEST_LOG", 1_000_000)
    monkeypatch.setattr(checkpoints, "COPIED_AFTER", 10**9)
    opened = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(opened)
    await Store(opened).inbox.append([delivery(0, body=os.urandom(2_000_000))])
    await _append_until_the_log_has_begun_anew(1, opened, tmp_path / "bridge.db-wal")
    await opened.close()


async def test_copying_begins_only_when_there_is_something_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was undone is not, and a commit of nothing neither is something nor finishes what was begun."""
    monkeypatch.setattr(checkpoints, "COPIED_AFTER", 2)
    monkeypatch.setattr(checkpoints, "ANEW_AFTER", 5)
    sqlite = Sqlite(make_url(f"sqlite:///{tmp_path}/bridge.db"), 1)
    writer, moving = await sqlite.connect(), checkpoints.Checkpoints(sqlite)

    async def change(rows: int, *, fails: bool = False) -> None:
        async def work(running: Running) -> None:
            await running.run("CREATE TABLE IF NOT EXISTS t (n)", [()], returns=False)
            for _ in range(rows):
                await running.run("INSERT INTO t VALUES (1)", [()], returns=False)
            if fails:
                raise ValueError("undone")

        with suppress(ValueError):
            await writer.transact(work)
        moving.committed()

    async def copied() -> bool:
        if moving.copying is None:
            return False
        await moving.copying
        return True

    await change(9, fails=True)
    await change(0)
    assert sqlite.log == Log()
    assert await copied() is False
    await change(2)
    assert await copied() is True
    assert sqlite.log == Log(2, copied=2)
    await change(1)
    assert await copied() is False, "one row is not worth it"
    await change(4, fails=True)
    await change(0)
    assert sqlite.log == Log(3, copied=2)
    await change(2)
    assert await copied() is True
    assert sqlite.log == Log(5, copied=5, finishes=True)
    await change(0)
    assert await copied() is False
    await change(1)
    assert sqlite.log == Log()
    await moving.close()
    await change(9)
    assert await copied() is False
    await writer.close()


async def test_a_commit_that_fails_leaves_nothing_to_copy(tmp_path: Path) -> None:
    sqlite = Sqlite(make_url(f"sqlite:///{tmp_path}/bridge.db"), 1)
    writer = await sqlite.connect()

    async def work(running: Running) -> None:
        for statement in (
            "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
            "CREATE TABLE child (of INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
            "INSERT INTO child VALUES (1)",
        ):
            await running.run(statement, [()], returns=False)

    with pytest.raises(sqlite3.IntegrityError):
        await writer.transact(work)
    assert sqlite.log == Log()
    await writer.close()


async def test_a_log_that_cannot_be_copied_grows_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpoints, "COPIED_AFTER", 1)
    opened = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(opened)
    monkeypatch.setattr(checkpoints, "_COPY", "PRAGMA wal_checkpoint(PASSIVE); no statement")
    assert await Store(opened).inbox.append([delivery(1)]) == [1]
    await opened.close()
    assert "cannot be moved into the database file" in capsys.readouterr().out


async def test_a_locked_database_is_unavailable_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_TIMEOUT_S", 0.05)
    opened = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(opened)
    other = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    inbox = Store(opened).inbox
    with pytest.raises(StoreUnavailable, match="locked"):
        await inbox.append([delivery()])
    other.execute("ROLLBACK")
    other.close()
    assert await inbox.append([delivery()]) == [1]
    await opened.close()


async def test_a_full_database_is_unavailable_and_recovers(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(opened)
    inbox = Store(opened).inbox
    async with opened.writing() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
    with pytest.raises(StoreUnavailable, match="full"):
        await inbox.append([delivery(body=os.urandom(100_000))])
    async with opened.writing() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1000000"))
    assert await inbox.append([delivery()]) == [1]
    await opened.close()


async def test_a_database_file_that_is_gone_is_not_written_into_the_void(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(opened)
    inbox = Store(opened).inbox
    await inbox.append([delivery(1)])
    (tmp_path / "bridge.db").rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailable, match="gone"):
        await inbox.append([delivery(2)])
    (tmp_path / "away.db").rename(tmp_path / "bridge.db")
    assert await inbox.append([delivery(2)]) == [2]
    await opened.close()


async def test_another_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """The write-ahead log of the first one still lies there: SQLite would play it into the other, and ruin a backup."""
    opened, backup = Database(f"sqlite:///{tmp_path}/bridge.db"), Database(f"sqlite:///{tmp_path}/backup.db")
    await upgrade(opened)
    await upgrade(backup)
    await backup.close()
    untouched = (tmp_path / "backup.db").read_bytes()
    inbox = Store(opened).inbox
    await inbox.append([delivery(1)])
    (tmp_path / "bridge.db").rename(tmp_path / "away.db")
    (tmp_path / "backup.db").rename(tmp_path / "bridge.db")
    with pytest.raises(StoreUnavailable, match="another one lies in its place"):
        await inbox.append([delivery(2)])
    assert (tmp_path / "bridge.db").read_bytes() == untouched
    (tmp_path / "bridge.db").rename(tmp_path / "backup.db")
    (tmp_path / "away.db").rename(tmp_path / "bridge.db")
    assert await inbox.append([delivery(2)]) == [2]
    await opened.close()


@pytest.mark.parametrize("document", [10**30, "\ud83d"])
async def test_a_value_that_cannot_be_stored_is_not_an_outage(database: Database, document: object) -> None:
    with pytest.raises(Unstorable) as caught:
        await Store(database).inbox.append([delivery(headers={"x": document})])
    assert "INSERT" not in str(caught.value)


async def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    opened = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable):
        await revisions(opened)
    await opened.close()


async def test_one_item_that_cannot_be_written_does_not_take_the_others_with_it() -> None:
    written: list[list[int]] = []

    async def commit(items: Any) -> list[int]:
        await asyncio.sleep(0)
        if 3 in items:
            raise ValueError("three")
        written.append(list(items))
        return [item * 10 for item in items]

    group = GroupCommit(commit)
    results = await asyncio.gather(*(group.submit(n) for n in range(1, 6)), return_exceptions=True)
    assert [str(result) for result in results] == ["10", "20", "three", "40", "50"]


async def test_those_who_come_during_a_commit_share_the_next() -> None:
    sizes: list[int] = []
    begun, gate = asyncio.Event(), asyncio.Event()

    async def commit(items: Any) -> list[None]:
        sizes.append(len(items))
        begun.set()
        await gate.wait()
        return [None] * len(items)

    group: GroupCommit[int, None] = GroupCommit(commit)
    first = asyncio.create_task(group.submit(0))
    await begun.wait()
    others = [asyncio.create_task(group.submit(n)) for n in range(1, 50)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *others)
    assert sizes == [1, 49]


async def test_a_crowd_that_comes_back_one_by_one_shares_a_commit() -> None:
    sizes: list[int] = []

    async def commit(items: Any) -> list[None]:
        sizes.append(len(items))
        return [None] * len(items)

    group: GroupCommit[int, None] = GroupCommit(commit)

    async def after(passes: int) -> None:
        for _ in range(passes):
            await asyncio.sleep(0)
        await group.submit(passes)

    await asyncio.gather(*(group.submit(number) for number in range(10)))
    await asyncio.gather(*(after(number) for number in range(10)))
    assert sizes == [10, 10]
    await asyncio.gather(*(after(number) for number in (0, 5)))
    assert sizes == [10, 10, 1, 1], "nobody of the crowd came for a pass"


async def test_more_than_can_be_held_is_refused() -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def commit(items: Any) -> list[None]:
        begun.set()
        await gate.wait()
        return [None] * len(items)

    group: GroupCommit[int, None] = GroupCommit(commit, batch=1, waiting=2)
    written = asyncio.create_task(group.submit(0))
    await begun.wait()
    held = [asyncio.create_task(group.submit(n)) for n in range(3)]
    refused, _ = await asyncio.wait(held, return_when=asyncio.FIRST_EXCEPTION)
    assert [str(task.exception()) for task in refused] == ["more is waiting to be written than can be held"]
    gate.set()
    await asyncio.gather(written, *held, return_exceptions=True)


async def test_one_after_the_other_each_gets_its_commit() -> None:
    """Whoever comes in the moment in which a commit has ended is not left waiting for the next one."""

    async def commit(items: Any) -> list[int]:
        return [item * 10 for item in items]

    group = GroupCommit(commit)
    assert [await group.submit(number) for number in range(20)] == [number * 10 for number in range(20)]


async def test_as_many_commits_are_under_way_as_the_database_takes() -> None:
    under_way: list[list[int]] = []
    one, two, gate = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def commit(items: Any) -> list[None]:
        under_way.append(list(items))
        (two if one.is_set() else one).set()
        await gate.wait()
        return [None] * len(items)

    group: GroupCommit[int, None] = GroupCommit(commit, at_once=2)
    first = asyncio.create_task(group.submit(0))
    await one.wait()
    second = asyncio.create_task(group.submit(1))
    await two.wait()
    others = [asyncio.create_task(group.submit(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, second, *others)
    assert under_way == [[0], [1], [2, 3]]


async def test_a_lull_comes_at_once_where_few_wait_and_after_a_while_where_many_do() -> None:
    async def commit(items: Any) -> list[None]:
        return [None] * len(items)

    group: GroupCommit[int, None] = GroupCommit(commit)
    await group.submit(0)
    alone = group.lull(timedelta(minutes=1)).__await__()
    with pytest.raises(StopIteration):
        next(alone)
    await asyncio.gather(*(group.submit(number) for number in range(50)))
    crowded = group.lull(timedelta(minutes=1)).__await__()
    assert next(crowded) is not None
    crowded.close()


async def test_a_crowd_that_waits_for_the_disk_keeps_nobody_waiting() -> None:
    """On a slow disk many wait for each commit, and the CPU has nothing to do: the intake took a tenth of what came."""

    async def commit(items: Any) -> list[None]:
        await asyncio.sleep(0.005)
        return [None] * len(items)

    group: GroupCommit[int, None] = GroupCommit(commit)

    async def crowd() -> None:
        while True:
            await asyncio.gather(*(group.submit(number) for number in range(10)))

    crowding = asyncio.create_task(crowd())
    await group.submit(0)
    async with asyncio.timeout(30):
        assert await group.lull(timedelta(minutes=1))
        assert await group.lull(timedelta(minutes=1))
    crowding.cancel()
