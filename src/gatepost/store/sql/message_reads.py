"""Reading the messages of a mailbox. Plain functions on a connection, run by `mail.py`."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from gatepost.store.interface import Mailbox, MailboxChanges, MessageEntry
from gatepost.store.sql.connection import Row, SqlConnection, Statement
from gatepost.store.sql.flags import flags_of
from gatepost.store.sql.keys import content_id, mailbox_gone
from gatepost.store.sql.mailbox_rows import require_mailbox
from gatepost.store.sql.schema import mailbox, message, vanished
from gatepost.store.sql.times import time_of

ENTRY = select(
    message.c.uid,
    message.c.modseq,
    message.c.system_flags,
    message.c.keywords,
    message.c.internal_date,
    message.c.size,
    message.c.content_key,
)
_HIGHEST_MODSEQ = Statement(select(mailbox.c.highest_modseq).where(mailbox.c.key == bindparam("mailbox")))
_IN_MAILBOX = ENTRY.where(message.c.mailbox_key == bindparam("mailbox"))
_ALL = Statement(_IN_MAILBOX.order_by(message.c.uid))
_CHANGED = Statement(_IN_MAILBOX.where(message.c.modseq > bindparam("since")))
_VANISHED = Statement(
    select(vanished.c.first_uid, vanished.c.last_uid)
    .where(vanished.c.mailbox_key == bindparam("mailbox"), vanished.c.modseq > bindparam("since"))
    .order_by(vanished.c.first_uid)
)


def read_messages(connection: SqlConnection, key: int) -> tuple[Mailbox, list[MessageEntry]]:
    """The mailbox and all its messages by uid. Raises Gone."""
    with connection.snapshot():
        described = require_mailbox(connection, key)
        rows = connection.rows(_ALL, mailbox=key)
    return described, [entry(row) for row in rows]


def read_changes(connection: SqlConnection, key: int, since_modseq: int) -> MailboxChanges:
    """What changed after `since_modseq`. Raises Gone."""
    highest_modseq = _highest_modseq(connection, key)
    if highest_modseq <= since_modseq:
        return MailboxChanges(highest_modseq, (), ())
    with connection.snapshot():
        highest_modseq = _highest_modseq(connection, key)
        changed = connection.rows(_CHANGED, mailbox=key, since=since_modseq)
        runs = connection.rows(_VANISHED, mailbox=key, since=since_modseq)
    changed.sort()  # by uid: the index that finds them is in order of modification
    return MailboxChanges(
        highest_modseq,
        [entry(row) for row in changed],
        [uid for first_uid, last_uid in runs for uid in range(first_uid, last_uid + 1)],
    )


def _highest_modseq(connection: SqlConnection, key: int) -> int:
    row = connection.row(_HIGHEST_MODSEQ, mailbox=key)
    if row is None:
        raise mailbox_gone()
    return int(row[0])


def entry(row: Row) -> MessageEntry:
    """The message of a row of `ENTRY`."""
    uid, modseq, bits, keywords, internal_date, size, content_key = row
    return MessageEntry(
        uid,
        modseq,
        flags_of(bits, keywords),
        time_of(internal_date),
        size,
        content_id(content_key),
    )
