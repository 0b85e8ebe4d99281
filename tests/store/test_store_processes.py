"""Several processes on one store, and processes that die."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from tests.python_process import python_environment

from gatepost.store.interface import Busy, MailStore
from gatepost.store.sql.dialect import DATABASE_FILE
from gatepost.store.sql.write_turn import WriteTurn
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id

PROGRAM = Path(__file__).with_name("store_process.py")
ALICE = Id("alice")


@contextmanager
def running(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=python_environment(),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said_by(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


async def contents(mail: MailStore) -> dict[int, str]:
    inbox = await mail.mailbox(ALICE, "INBOX")
    assert inbox is not None
    _, entries = await mail.messages(inbox.id)
    counts = await mail.counts(inbox.id)
    assert (counts.messages, counts.size) == (len(entries), sum(entry.size for entry in entries))
    return {entry.uid: (await mail.content(entry.content_id)).decode() for entry in entries}


async def test_what_was_acknowledged_is_there_after_kill_9(data_directory: Path) -> None:
    acknowledged: dict[int, str] = {}
    with running("append", data_directory, ALICE, "0") as process:
        for line in said_by(process):
            uid, content = line.rstrip("\n").split(" ", 1)
            acknowledged[int(uid)] = content
            if len(acknowledged) == 200:
                process.kill()
    store = SqlStore.open(data_directory)
    kept = await contents(store.mail)
    await store.close()
    assert len(acknowledged) >= 200
    assert acknowledged.items() <= kept.items()
    assert sorted(kept) == list(range(1, len(kept) + 1))
    with sqlite3.connect(data_directory / DATABASE_FILE) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()


async def test_processes_that_write_at_once_share_a_mailbox(data_directory: Path, mail: MailStore) -> None:
    count = 150
    with (
        running("append", data_directory, ALICE, str(count)) as first,
        running("append", data_directory, ALICE, str(count)) as second,
    ):
        said = (await asyncio.to_thread(said_by(first).read)) + (await asyncio.to_thread(said_by(second).read))
        assert (first.wait(), second.wait()) == (0, 0)
    acknowledged = dict(line.split(" ", 1) for line in said.splitlines())
    assert {int(uid): content for uid, content in acknowledged.items()} == await contents(mail)
    assert len(acknowledged) == 2 * count


async def test_a_maildrop_lock_is_held_against_other_processes_and_given_up_when_they_die(
    data_directory: Path, mail: MailStore
) -> None:
    with running("lock", data_directory, ALICE) as process:
        assert said_by(process).readline() == "locked\n"
        with pytest.raises(Busy):
            await mail.maildrop_lock(ALICE).__aenter__()
        async with mail.maildrop_lock(Id("bob")):
            pass
        process.kill()
        process.wait()
        async with mail.maildrop_lock(ALICE):
            pass


def test_the_turn_to_write_is_given_up_when_a_process_dies(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    turn = WriteTurn(file, patience_s=0)
    with running("turn", file) as process:
        assert said_by(process).readline() == "taken\n"
        with pytest.raises(Busy):
            turn.take()
        process.kill()
        process.wait()
        turn.take()
    turn.close()


def test_processes_may_migrate_at_the_same_time(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "data"
    with (
        running("migrate", directory) as first,
        running("migrate", directory) as second,
        running("migrate", directory) as third,
    ):
        for process in (first, second, third):
            assert said_by(process).read() == "migrated\n"
            assert process.wait() == 0
    database = sqlite3.connect(directory / DATABASE_FILE)
    assert database.execute("SELECT name, value FROM counter").fetchall() == [("uid_validity", 0)]
    assert database.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    database.close()
