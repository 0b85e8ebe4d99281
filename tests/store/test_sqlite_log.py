"""The log that is made long beforehand: it stays that long, and nothing that is written or read is any different."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from gatepost.store.interface import ObjectWrite
from gatepost.store.sql.dialect import DATABASE_FILE
from gatepost.store.sql.sqlite_log import lengthen
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id


def log_of(directory: Path) -> Path:
    return directory / f"{DATABASE_FILE}-wal"


def domain(name: str) -> ObjectWrite:
    return ObjectWrite("Domain", Id(name), {"name": name}, name)


async def names(store: SqlStore) -> list[str]:
    return [str(each.value["name"]) for each in await store.configuration.read_objects("Domain")]


async def test_commits_do_not_lengthen_a_log_that_was_made_long(data_directory: Path) -> None:
    store = SqlStore.open(data_directory)
    await store.make_room()
    length = log_of(data_directory).stat().st_size
    for number in range(20):
        await store.configuration.commit([domain(f"{number}.example")])
    assert log_of(data_directory).stat().st_size == length > 16 * 2**20
    assert len(await names(store)) == 20
    await store.close()


async def test_what_was_committed_before_and_behind_the_room_survives_the_death_of_all(
    data_directory: Path, tmp_path: Path
) -> None:
    store = SqlStore.open(data_directory)
    await store.configuration.commit([domain("before.example")])
    await store.make_room()
    await store.configuration.commit([domain("after.example")])
    left = Path(shutil.copytree(data_directory, tmp_path / "left"))  # what a crash leaves: nobody has closed anything
    await store.close()
    (left / f"{DATABASE_FILE}-shm").unlink()  # a machine that restarts has none: the log is read from its beginning
    with closing(sqlite3.connect(left / DATABASE_FILE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    again = SqlStore.open(left)
    assert await names(again) == ["before.example", "after.example"]
    await again.close()


async def test_two_stores_that_make_room_and_write_lose_nothing(data_directory: Path) -> None:
    stores = [SqlStore.open(data_directory) for _ in range(2)]
    writes = [stores[number % 2].configuration.commit([domain(f"{number}.example")]) for number in range(40)]
    await asyncio.gather(*writes[:20], *(store.make_room() for store in stores), *writes[20:])
    assert len(await names(stores[0])) == 40
    for store in stores:
        await store.close()
    with closing(sqlite3.connect(data_directory / DATABASE_FILE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_log_without_a_header_yet_is_an_empty_one(data_directory: Path) -> None:
    store = SqlStore.open(data_directory)
    await store.make_room()
    other = SqlStore.open(data_directory)
    assert await names(other) == []
    await other.configuration.commit([domain("a.example")])
    assert await names(store) == ["a.example"]
    await store.close()
    await other.close()


def test_a_log_that_cannot_be_lengthened_is_left_as_it_is(tmp_path: Path) -> None:
    lengthen(tmp_path / "no such directory" / "log", 100)
    lengthen(tmp_path / "log", 0)
    assert (tmp_path / "log").stat().st_size == 0
