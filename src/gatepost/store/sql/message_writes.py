"""Changing the messages of mailboxes. Plain functions inside a write transaction, run by `mail.py`.

All messages that one call changes get one modification sequence number.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import bindparam, delete, func, insert, literal_column, select, update

from gatepost.store.interface import FlagChange, MessageEntry, NewMessage
from gatepost.store.sql.connection import Row, Statement
from gatepost.store.sql.content_rows import drop_unused, store_content
from gatepost.store.sql.dialect import Among
from gatepost.store.sql.flags import DELETED, SEEN, StoredFlags, changed_flags, stored_flags
from gatepost.store.sql.keys import json_numbers, mailbox_key
from gatepost.store.sql.mailbox_rows import require_mailbox
from gatepost.store.sql.mailbox_state import Difference, count, record_change
from gatepost.store.sql.message_reads import ENTRY, entry
from gatepost.store.sql.schema import message, vanished
from gatepost.store.sql.times import stored_time
from gatepost.store.sql.writer import WriteTransaction

_IN_MAILBOX = message.c.mailbox_key == bindparam("mailbox")
_SELECTED = (_IN_MAILBOX, Among(message.c.uid, "uids"))

_INSERT = Statement(insert(message).values({column: bindparam(column.name) for column in message.columns}))
_ENTRIES = Statement(ENTRY.where(*_SELECTED).order_by(message.c.uid))
_SET_FLAGS = Statement(
    update(message)
    .where(*_SELECTED)
    .values(
        system_flags=bindparam("system_flags"),
        keywords=bindparam("keywords"),
        modseq=bindparam("modseq"),
    )
)
_UIDS = Statement(
    select(message.c.uid, message.c.system_flags, message.c.size).where(*_SELECTED).order_by(message.c.uid)
)
_COPY = Statement(
    insert(message).from_select(
        [column.name for column in message.columns],
        select(
            bindparam("target", type_=message.c.mailbox_key.type),
            bindparam("before_first_uid", type_=message.c.uid.type) + func.row_number().over(order_by=message.c.uid),
            bindparam("modseq", type_=message.c.modseq.type),
            message.c.system_flags,
            message.c.keywords,
            message.c.internal_date,
            message.c.size,
            message.c.content_key,
        ).where(*_SELECTED),
    )
)
_REMOVABLE = select(message.c.uid, message.c.system_flags, message.c.size, message.c.content_key).order_by(
    message.c.uid
)
_IS_DELETED = message.c.system_flags.op("&")(literal_column(str(DELETED))) != literal_column("0")
_DELETED = Statement(_REMOVABLE.where(_IN_MAILBOX, _IS_DELETED))
_SELECTED_DELETED = Statement(_REMOVABLE.where(*_SELECTED, _IS_DELETED))
_SELECTED_REMOVABLE = Statement(_REMOVABLE.where(*_SELECTED))
_DELETE = Statement(delete(message).where(*_SELECTED))
_INSERT_VANISHED = Statement(insert(vanished).values({column: bindparam(column.name) for column in vanished.columns}))


def append(write: WriteTransaction, messages: Sequence[NewMessage]) -> list[int]:
    """Add messages to their mailboxes; the uid of each, in order. Raises Gone."""
    now = time.time_ns() // 1000
    places: dict[int, list[int]] = {}
    for place, new in enumerate(messages):
        places.setdefault(mailbox_key(new.mailbox_id), []).append(place)
    uids = [0] * len(messages)
    for key in sorted(places):
        flags = {place: stored_flags(messages[place].flags) for place in places[key]}
        difference = count((bits, len(messages[place].content)) for place, (bits, _) in flags.items())
        first_uid, modseq = record_change(write, key, difference, new_uids=len(flags))
        for uid, place in enumerate(places[key], first_uid):
            uids[place] = uid
            new = messages[place]
            write.connection.run(
                _INSERT,
                mailbox_key=key,
                uid=uid,
                modseq=modseq,
                system_flags=flags[place][0],
                keywords=flags[place][1],
                internal_date=stored_time(new.internal_date) if new.internal_date else now,
                size=len(new.content),
                content_key=store_content(write.connection, new.content),
            )
    return uids


def change_flags(
    write: WriteTransaction, key: int, uids: Collection[int], change: FlagChange, given: StoredFlags
) -> list[MessageEntry]:
    """The entries afterwards. Raises Gone."""
    require_mailbox(write.connection, key)
    rows = write.connection.rows(_ENTRIES, mailbox=key, uids=json_numbers(uids))
    becoming: dict[tuple[StoredFlags, StoredFlags], list[int]] = {}
    for row in rows:
        before = row[2], row[3]
        after = changed_flags(before, change, given)
        if after != before:
            becoming.setdefault((before, after), []).append(row[0])
    if becoming:
        rows = _set_flags(write, key, becoming, rows)
    return [entry(row) for row in rows]


def copy(write: WriteTransaction, key: int, uids: Collection[int], target_key: int) -> list[tuple[int, int]]:
    """Copy messages; pairs of old and new uid. Raises Gone."""
    connection = write.connection
    require_mailbox(connection, key)
    require_mailbox(connection, target_key)
    selection = json_numbers(uids)
    rows = connection.rows(_UIDS, mailbox=key, uids=selection)
    if not rows:
        return []
    difference = count((bits, size) for _, bits, size in rows)
    first_uid, modseq = record_change(write, target_key, difference, new_uids=len(rows))
    connection.run(_COPY, mailbox=key, uids=selection, target=target_key, before_first_uid=first_uid - 1, modseq=modseq)
    return [(uid, new_uid) for new_uid, (uid, _, _) in enumerate(rows, first_uid)]


def move(write: WriteTransaction, key: int, uids: Collection[int], target_key: int) -> list[tuple[int, int]]:
    """Copy messages and remove the originals (RFC 6851); pairs of old and new uid. Raises Gone."""
    pairs = copy(write, key, uids, target_key)
    remove(write, key, [uid for uid, _ in pairs])
    return pairs


def expunge(write: WriteTransaction, key: int, uids: Collection[int] | None) -> list[int]:
    """Remove messages that have \\Deleted, all or of `uids`; their uids. Raises Gone."""
    require_mailbox(write.connection, key)
    if uids is None:
        return _remove(write, key, write.connection.rows(_DELETED, mailbox=key))
    return _remove(write, key, write.connection.rows(_SELECTED_DELETED, mailbox=key, uids=json_numbers(uids)))


def remove(write: WriteTransaction, key: int, uids: Collection[int]) -> list[int]:
    """Remove messages; the uids that were there. Raises Gone."""
    require_mailbox(write.connection, key)
    return _remove(write, key, write.connection.rows(_SELECTED_REMOVABLE, mailbox=key, uids=json_numbers(uids)))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Neighbouring numbers of a rising sequence as first and last.

    >>> runs([1, 2, 3, 7])
    [(1, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _set_flags(
    write: WriteTransaction, key: int, becoming: dict[tuple[StoredFlags, StoredFlags], list[int]], rows: list[Row]
) -> list[Row]:
    unseen = deleted = 0
    for ((bits, _), (new_bits, _)), uids in becoming.items():
        unseen += len(uids) * (bool(bits & SEEN) - bool(new_bits & SEEN))
        deleted += len(uids) * (bool(new_bits & DELETED) - bool(bits & DELETED))
    _, modseq = record_change(write, key, Difference(unseen=unseen, deleted=deleted))
    after: dict[int, StoredFlags] = {}
    for (_, flags), uids in becoming.items():
        write.connection.run(
            _SET_FLAGS, mailbox=key, uids=json_numbers(uids), system_flags=flags[0], keywords=flags[1], modseq=modseq
        )
        after.update(dict.fromkeys(uids, flags))
    return [(row[0], modseq, *after[row[0]], *row[4:]) if row[0] in after else row for row in rows]


def _remove(write: WriteTransaction, key: int, rows: list[Row]) -> list[int]:
    if not rows:
        return []
    connection = write.connection
    uids = [row[0] for row in rows]
    _, modseq = record_change(write, key, -count((bits, size) for _, bits, size, _ in rows))
    connection.run(_DELETE, mailbox=key, uids=json_numbers(uids))
    connection.run_many(
        _INSERT_VANISHED,
        ({"mailbox_key": key, "modseq": modseq, "first_uid": first, "last_uid": last} for first, last in runs(uids)),
    )
    drop_unused(connection, {row[3] for row in rows})
    return uids
