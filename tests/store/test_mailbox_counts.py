"""After any sequence of changes, what is kept by differences agrees with what is there."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.accounts import give_accounts

from gatepost.store.interface import FlagChange, MailboxCounts, MailStore, MessageEntry, NewMessage
from gatepost.store.sql.dialect import DATABASE_FILE
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id

UIDS = st.lists(st.integers(1, 12), max_size=6)
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Deleted", "$Work"]))
PLACES = st.sampled_from([0, 1])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), PLACES, st.lists(st.tuples(st.binary(max_size=2), FLAGS), max_size=4)),
        st.tuples(st.just("flags"), PLACES, UIDS, st.sampled_from(FlagChange), FLAGS),
        st.tuples(st.just("copy"), PLACES, UIDS, PLACES),
        st.tuples(st.just("move"), PLACES, UIDS, PLACES),
        st.tuples(st.just("expunge"), PLACES, st.none() | UIDS),
        st.tuples(st.just("remove"), PLACES, UIDS),
    ),
    max_size=12,
)
Step = tuple[object, ...]


async def take(mail: MailStore, boxes: list[Id], step: Step) -> None:
    match step:
        case ("append", int(place), list(new)):
            await mail.append([NewMessage(boxes[place], content, flags) for content, flags in new])
        case ("flags", int(place), list(uids), FlagChange() as change, frozenset() as flags):
            await mail.change_flags(boxes[place], uids, change, flags)
        case ("copy", int(place), list(uids), int(target)):
            await mail.copy(boxes[place], uids, boxes[target])
        case ("move", int(place), list(uids), int(target)):
            await mail.move(boxes[place], uids, boxes[target])
        case ("expunge", int(place), list() | None as uids):
            await mail.expunge(boxes[place], uids)
        case ("remove", int(place), list(uids)):
            await mail.remove(boxes[place], uids)


async def check(mail: MailStore, box: Id, known: tuple[int, dict[int, MessageEntry]]) -> dict[int, MessageEntry]:
    """Counts and uids agree with the entries, and whoever knew `known` comes to the same entries by the changes."""
    mailbox, entries = await mail.messages(box)
    assert await mail.counts(box) == MailboxCounts(
        messages=len(entries),
        unseen=sum("\\Seen" not in entry.flags for entry in entries),
        deleted=sum("\\Deleted" in entry.flags for entry in entries),
        size=sum(entry.size for entry in entries),
    )
    uids = [entry.uid for entry in entries]
    assert uids == sorted(set(uids)) and mailbox.uid_next > max(uids, default=0)
    assert all(entry.modseq <= mailbox.highest_modseq for entry in entries)
    modseq, by_uid = known
    changes = await mail.changes(box, modseq)
    assert changes.highest_modseq == mailbox.highest_modseq
    now = {uid: entry for uid, entry in by_uid.items() if uid not in changes.vanished}
    now |= {entry.uid: entry for entry in changes.changed}
    assert now == {entry.uid: entry for entry in entries}
    return now


async def live_through(directory: Path, steps: list[Step]) -> None:
    store = SqlStore.open(directory)
    await give_accounts(store.configuration)
    boxes = [(await store.mail.create_mailbox(Id("alice"), name)).id for name in ("a", "b")]
    start: tuple[int, dict[int, MessageEntry]] = (0, {})
    known = [start, start]
    for step in steps:
        await take(store.mail, boxes, step)
        for place, box in enumerate(boxes):
            await check(store.mail, box, start)
            now = await check(store.mail, box, known[place])
            known[place] = ((await store.mail.messages(box))[0].highest_modseq, now)
    for entry in [entry for _, entries in known for entry in entries.values()]:
        assert len(await store.mail.content(entry.content_id)) == entry.size
    await store.close()
    assert stored_contents(directory) == {entry.content_id for _, now in known for entry in now.values()}


def stored_contents(directory: Path) -> set[Id]:
    database = sqlite3.connect(directory / DATABASE_FILE)
    keys = database.execute("SELECT key FROM content").fetchall()
    database.close()
    return {Id(f"c{key}") for (key,) in keys}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_counts_changes_and_contents_agree_with_the_messages(
    migrated_directory: Path, tmp_path: Path, steps: list[Step]
) -> None:
    directory = tmp_path / "data"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(migrated_directory, directory)
    asyncio.run(live_through(directory, steps))
