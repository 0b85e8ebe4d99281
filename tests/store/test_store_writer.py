"""Many writes to a commit: what one write does to the others, and what those who wait are told."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select
from tests.store.accounts import give_accounts

from gatepost.store.interface import Broken, Busy, FlagChange, Gone, MailStore, NewMessage, ScriptStore
from gatepost.store.octet_lock import lock_octet_nowait, open_lock_file
from gatepost.store.sql.connection import Statement
from gatepost.store.sql.dialect import DATABASE_FILE, dialect_for
from gatepost.store.sql.schema import subscription
from gatepost.store.sql.writer import Writer, WriteTransaction
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id

ALICE = Id("alice")
SUBSCRIBE = Statement(insert(subscription))
SUBSCRIBED = Statement(select(subscription.c.name).order_by(subscription.c.name))


class Commits:
    """A writer, the commits that it has made, and a gate to hold it at while writes queue up."""

    def __init__(self, directory: Path) -> None:
        self.dialect = dialect_for(directory)
        self.changed: list[set[Id]] = []
        self.types: list[set[str]] = []
        self.writer = Writer(
            self.dialect,
            lambda mailbox_ids: self.changed.append(set(mailbox_ids)),
            lambda names: self.types.append(set(names)),
            patience_s=0.05,
        )
        self._gate = threading.Event()
        self._is_at_gate = threading.Event()

    async def hold(self) -> asyncio.Task[None]:
        """Stop the writer inside a transaction of its own; what is written from now on makes the next one."""

        def wait(_: WriteTransaction) -> None:
            self._is_at_gate.set()
            self._gate.wait()

        task = asyncio.create_task(self.writer.run(wait))
        await asyncio.to_thread(self._is_at_gate.wait)
        return task

    def release(self) -> None:
        self._gate.set()

    async def subscribed(self) -> list[str]:
        rows = await self.writer.run(lambda write: write.connection.rows(SUBSCRIBED))
        return [name for (name,) in rows]


@pytest.fixture
async def commits(data_directory: Path) -> AsyncIterator[Commits]:
    commits = Commits(data_directory)
    yield commits
    commits.release()
    commits.writer.refuse_more()
    await asyncio.to_thread(commits.writer.join)


def subscribing(
    name: str, changes: str | None = None, error: Exception | None = None
) -> Callable[[WriteTransaction], str]:
    def work(write: WriteTransaction) -> str:
        write.connection.run(SUBSCRIBE, account_id="alice", name=name)
        if changes is not None:
            write.changed_mailboxes.add(Id(changes))
        if error is not None:
            raise error
        return name

    return work


async def started(*writes: asyncio.Task[str]) -> None:
    """Give the tasks their first turn, in which they queue what they write."""
    await asyncio.sleep(0)


async def test_writes_that_queue_up_make_one_transaction(commits: Commits) -> None:
    held = await commits.hold()
    tasks = [asyncio.create_task(commits.writer.run(subscribing(f"n{n}", changes=f"m{n}"))) for n in range(5)]
    await started(*tasks)
    commits.release()
    assert await asyncio.gather(*tasks) == [f"n{n}" for n in range(5)]
    await held
    assert commits.changed == [{f"m{n}" for n in range(5)}]


async def test_a_write_that_fails_undoes_itself_and_none_of_the_others(commits: Commits) -> None:
    held = await commits.hold()
    first = asyncio.create_task(commits.writer.run(subscribing("first", changes="m1")))
    failing = asyncio.create_task(commits.writer.run(subscribing("failing", changes="m2", error=Gone("away"))))
    colliding = asyncio.create_task(commits.writer.run(subscribing("first", changes="m3")))
    last = asyncio.create_task(commits.writer.run(subscribing("last", changes="m4")))
    await started(first, failing, colliding, last)
    commits.release()
    with pytest.raises(Gone, match="away"):
        await failing
    with pytest.raises(Broken):
        await colliding
    assert (await first, await last) == ("first", "last")
    await held
    assert await commits.subscribed() == ["first", "last"]
    assert commits.changed == [{"m1", "m4"}]


async def test_an_error_of_the_program_reaches_who_made_it(commits: Commits) -> None:
    with pytest.raises(ZeroDivisionError):
        await commits.writer.run(subscribing("x", error=ZeroDivisionError()))
    assert await commits.subscribed() == []


async def test_a_write_that_is_cancelled_before_its_turn_is_left_out(commits: Commits) -> None:
    held = await commits.hold()
    cancelled = asyncio.create_task(commits.writer.run(subscribing("cancelled")))
    kept = asyncio.create_task(commits.writer.run(subscribing("kept")))
    await started(cancelled, kept)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    commits.release()
    assert await kept == "kept"
    await held
    assert await commits.subscribed() == ["kept"]


async def test_who_cancels_during_the_write_leaves_it_whole(commits: Commits) -> None:
    held = await commits.hold()
    held.cancel()
    await asyncio.wait([held])
    commits.release()
    assert await commits.writer.run(subscribing("after")) == "after"
    assert await commits.subscribed() == ["after"]


async def test_more_writes_than_one_commit_takes_are_all_made(commits: Commits) -> None:
    held = await commits.hold()
    tasks = [asyncio.create_task(commits.writer.run(subscribing(f"n{n:04}"))) for n in range(600)]
    await started(*tasks)
    commits.release()
    names = await asyncio.gather(*tasks)
    await held
    assert await commits.subscribed() == names


async def test_a_write_after_the_end_is_broken_and_those_before_it_are_made(commits: Commits) -> None:
    held = await commits.hold()
    task = asyncio.create_task(commits.writer.run(subscribing("last")))
    await started(task)
    commits.writer.refuse_more()
    with pytest.raises(Broken, match="closed"):
        await commits.writer.run(subscribing("late"))
    commits.release()
    assert await task == "last"
    await held


async def test_everybody_queued_is_told_busy_when_another_writer_stays(data_directory: Path, commits: Commits) -> None:
    descriptor = open_lock_file(data_directory / "writers.lock")
    assert lock_octet_nowait(descriptor, 1)
    outcomes = await asyncio.gather(
        *(commits.writer.run(subscribing(f"n{n}")) for n in range(50)), return_exceptions=True
    )
    os.close(descriptor)
    assert {type(outcome) for outcome in outcomes} == {Busy}
    assert len({id(outcome) for outcome in outcomes}) == 50
    assert await commits.writer.run(subscribing("now")) == "now"
    assert await commits.subscribed() == ["now"]


async def test_a_database_locked_by_a_stranger_is_busy_and_works_afterwards(
    data_directory: Path, commits: Commits
) -> None:
    @event.listens_for(commits.dialect.engine, "connect")
    def lose_patience(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout = 10")

    stranger = sqlite3.connect(data_directory / DATABASE_FILE, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy):
        await commits.writer.run(subscribing("x"))
    stranger.execute("ROLLBACK")
    stranger.close()
    assert await commits.writer.run(subscribing("y")) == "y"


async def test_a_full_disk_is_broken_for_all_and_leaves_the_store_as_it_was(
    data_directory: Path, commits: Commits
) -> None:
    @event.listens_for(commits.dialect.engine, "connect")
    def fill_the_disk(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # as many as there are

    held = await commits.hold()
    small = asyncio.create_task(commits.writer.run(subscribing("small", changes="m1")))
    large = asyncio.create_task(commits.writer.run(subscribing("x" * 100_000, changes="m2")))
    await started(small, large)
    commits.release()
    await held
    outcomes = await asyncio.gather(small, large, return_exceptions=True)
    assert isinstance(outcomes[1], Broken)
    is_kept = outcomes[0] == "small"
    assert is_kept or isinstance(outcomes[0], Broken)
    assert await commits.subscribed() == ["small"] * is_kept
    assert commits.changed == [{"m1"}] * is_kept


async def test_sessions_hear_of_a_change_when_a_reader_can_see_it(data_directory: Path) -> None:
    heard: asyncio.Queue[Collection[Id]] = asyncio.Queue()
    store = SqlStore.open(data_directory, on_mailboxes_changed=heard.put_nowait)
    await give_accounts(store.configuration)
    inbox = await store.mail.mailbox(ALICE, "INBOX")
    assert inbox is not None
    await store.mail.append([NewMessage(inbox.id, b"text")])
    assert set(await heard.get()) == {inbox.id}
    target = await store.mail.create_mailbox(ALICE, "target")
    await store.mail.change_flags(inbox.id, [1], FlagChange.ADD, ["\\Seen"])
    assert set(await heard.get()) == {inbox.id}
    await store.mail.change_flags(inbox.id, [1], FlagChange.ADD, ["\\Seen"])  # changes nothing
    await store.mail.move(inbox.id, [1], target.id)
    assert set(await heard.get()) == {inbox.id, target.id}
    await store.close()
    assert heard.empty()


async def test_a_closed_store_is_broken_and_may_be_closed_again(data_directory: Path) -> None:
    store = SqlStore.open(data_directory)
    await give_accounts(store.configuration)
    await store.mail.mailboxes(ALICE)
    await store.close()
    await store.close()
    with pytest.raises(Broken):
        await store.mail.mailboxes(ALICE)
    with pytest.raises(Broken):
        await store.scripts.put_script(ALICE, "a", b"keep;")


async def test_a_damaged_database_is_broken(data_directory: Path, mail: MailStore, scripts: ScriptStore) -> None:
    await scripts.put_script(ALICE, "a", b"keep;")
    database = sqlite3.connect(data_directory / DATABASE_FILE)
    database.execute("DROP TABLE script")
    database.commit()
    database.close()
    with pytest.raises(Broken):
        await scripts.scripts(ALICE)
    with pytest.raises(Broken):
        await scripts.put_script(ALICE, "a", b"keep;")
    assert len(await mail.mailboxes(ALICE)) == 1
