"""When a commit of somebody else is seen: by every task that begins, or goes on, after it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatepost.store.sql.data_version import DataVersion
from gatepost.store.sql.dialect import DATABASE_FILE, dialect_for, prepare_database


@pytest.fixture
def version(tmp_path: Path) -> Iterator[DataVersion]:
    dialect = dialect_for(tmp_path)
    prepare_database(dialect)
    with closing(DataVersion(dialect)) as version:
        yield version
    dialect.engine.dispose()


@pytest.fixture
def somebody_else(tmp_path: Path, version: DataVersion) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE noted (number)")
        yield connection


async def test_a_task_that_waits_for_nothing_is_told_the_same(
    version: DataVersion, somebody_else: sqlite3.Connection
) -> None:
    before = version.now()
    somebody_else.execute("INSERT INTO noted VALUES (1)")
    assert version.now() == before


async def test_a_task_that_goes_on_sees_what_was_committed_while_it_waited(
    version: DataVersion, somebody_else: sqlite3.Connection
) -> None:
    for _ in range(3):
        before = version.now()
        somebody_else.execute("INSERT INTO noted VALUES (1)")
        await asyncio.sleep(0)
        assert version.now() != before


async def test_a_task_that_begins_sees_what_was_committed_though_another_has_just_asked(
    version: DataVersion, somebody_else: sqlite3.Connection
) -> None:
    seen = []

    async def ask_and_commit() -> None:
        seen.append(version.now())
        somebody_else.execute("INSERT INTO noted VALUES (1)")

    await asyncio.gather(*[ask_and_commit() for _ in range(5)])  # all in one turn of the loop
    assert len(set(seen)) == 5


async def test_who_is_no_task_sees_every_commit(version: DataVersion, somebody_else: sqlite3.Connection) -> None:
    seen = []

    def ask() -> None:
        seen.append(version.now())

    loop = asyncio.get_running_loop()
    for step in (ask, lambda: somebody_else.execute("INSERT INTO noted VALUES (1)"), ask):
        loop.call_soon(step)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(set(seen)) == 2
