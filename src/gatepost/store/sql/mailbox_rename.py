"""RENAME (RFC 9051 section 6.3.6): what is below moves along, INBOX leaves itself behind. Run by `mail.py`."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from gatepost.store.interface import Mailbox, Taken
from gatepost.store.sql.connection import Statement
from gatepost.store.sql.keys import mailbox_key
from gatepost.store.sql.mailbox_rows import (
    INBOX,
    create_parents,
    insert_mailbox,
    list_mailboxes,
    require_mailbox,
    set_subscription,
    stored_name,
)
from gatepost.store.sql.message_writes import move
from gatepost.store.sql.schema import mailbox, message
from gatepost.store.sql.writer import WriteTransaction

_RENAME = Statement(update(mailbox).where(mailbox.c.key == bindparam("mailbox")).values(name=bindparam("name")))
_UIDS = Statement(select(message.c.uid).where(message.c.mailbox_key == bindparam("mailbox")))


def rename_mailbox(write: WriteTransaction, key: int, new_name: str) -> None:
    """Raises Gone, Taken."""
    renamed = require_mailbox(write.connection, key)
    new_name = stored_name(new_name)
    if renamed.name == INBOX:
        _move_inbox(write, renamed, new_name)
    else:
        _rename_tree(write, renamed, new_name)
    create_parents(write, renamed.account_id, new_name)


def _move_inbox(write: WriteTransaction, inbox: Mailbox, new_name: str) -> None:
    for existing in list_mailboxes(write.connection, inbox.account_id):
        if existing.name == new_name:
            raise Taken(f"there is a mailbox {new_name!r} already", existing.id)
    target_key = insert_mailbox(write, inbox.account_id, new_name, None)
    key = mailbox_key(inbox.id)
    move(write, key, [uid for (uid,) in write.connection.rows(_UIDS, mailbox=key)], target_key)


def _rename_tree(write: WriteTransaction, renamed: Mailbox, new_name: str) -> None:
    mailboxes = list_mailboxes(write.connection, renamed.account_id)
    below = renamed.name + "/"
    moving = [one for one in mailboxes if one.id == renamed.id or one.name.startswith(below)]
    new_names = {one.id: new_name + one.name[len(renamed.name) :] for one in moving}
    for existing in mailboxes:
        is_in_the_way = existing.id not in new_names and existing.name in new_names.values()
        if existing.name == new_name or is_in_the_way:
            raise Taken(f"there is a mailbox {existing.name!r} already", existing.id)
    # A mailbox may get the name that another one of them is about to leave: the one that leaves goes first.
    moving.sort(key=lambda one: len(one.name), reverse=len(new_name) > len(renamed.name))
    for one in moving:
        write.connection.run(_RENAME, mailbox=mailbox_key(one.id), name=new_names[one.id])
        write.changed_mailboxes.add(one.id)
    subscribed = [one for one in moving if one.is_subscribed]
    for one in subscribed:
        set_subscription(write.connection, one.account_id, one.name, is_subscribed=False)
    for one in subscribed:
        set_subscription(write.connection, one.account_id, new_names[one.id], is_subscribed=True)
