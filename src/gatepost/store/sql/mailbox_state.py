"""What every change of messages does to the row of their mailbox: next uid, modification sequence, counts.

The counts are kept by differences, in the transaction that changes the messages; `count` and `Difference` are the only
ways to make one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, update

from gatepost.store.sql.connection import Statement
from gatepost.store.sql.flags import DELETED, SEEN
from gatepost.store.sql.keys import mailbox_gone, mailbox_id
from gatepost.store.sql.schema import mailbox
from gatepost.store.sql.writer import WriteTransaction

_RECORD = Statement(
    update(mailbox)
    .where(mailbox.c.key == bindparam("mailbox"))
    .values(
        uid_next=mailbox.c.uid_next + bindparam("new_uids"),
        highest_modseq=mailbox.c.highest_modseq + 1,
        messages=mailbox.c.messages + bindparam("more_messages"),
        unseen=mailbox.c.unseen + bindparam("more_unseen"),
        deleted=mailbox.c.deleted + bindparam("more_deleted"),
        octets=mailbox.c.octets + bindparam("more_octets"),
    )
    .returning(mailbox.c.uid_next, mailbox.c.highest_modseq)
)


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the counts of a mailbox change."""

    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    octets: int = 0

    def __neg__(self) -> Difference:
        return Difference(-self.messages, -self.unseen, -self.deleted, -self.octets)


def count(messages: Iterable[tuple[int, int]]) -> Difference:
    """The difference that these messages make, given as bits of their system flags and size."""
    number = unseen = deleted = octets = 0
    for bits, size in messages:
        number += 1
        unseen += not bits & SEEN
        deleted += bits & DELETED != 0
        octets += size
    return Difference(number, unseen, deleted, octets)


def record_change(write: WriteTransaction, key: int, difference: Difference, new_uids: int = 0) -> tuple[int, int]:
    """Note a change of a mailbox: the first of the new uids, and the modification sequence of the change. Raises Gone."""
    row = write.connection.row(
        _RECORD,
        mailbox=key,
        new_uids=new_uids,
        more_messages=difference.messages,
        more_unseen=difference.unseen,
        more_deleted=difference.deleted,
        more_octets=difference.octets,
    )
    if row is None:
        raise mailbox_gone()
    write.changed_mailboxes.add(mailbox_id(key))
    uid_next, modseq = row
    return uid_next - new_uids, modseq
