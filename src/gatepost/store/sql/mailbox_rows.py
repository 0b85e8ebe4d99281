"""Mailboxes as rows: finding, making and removing them. Plain functions on a connection, run by `mail.py`.

Names arrive as the client wrote them. The first level `INBOX` is one name in any case of letters.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import and_, bindparam, case, delete, insert, select, update

from gatepost.store.interface import Gone, Mailbox, MailboxCounts, Taken
from gatepost.store.sql.account_rows import require_account
from gatepost.store.sql.connection import Row, SqlConnection, Statement
from gatepost.store.sql.content_rows import drop_unused
from gatepost.store.sql.keys import mailbox_gone, mailbox_id
from gatepost.store.sql.schema import counter, mailbox, message, script, subscription, vanished
from gatepost.store.sql.writer import WriteTransaction
from gatepost.values.ids import Id

INBOX = "INBOX"

_MAILBOX = (
    select(
        mailbox.c.key,
        mailbox.c.account_id,
        mailbox.c.name,
        mailbox.c.uid_validity,
        mailbox.c.uid_next,
        mailbox.c.highest_modseq,
        subscription.c.name.is_not(None),
        mailbox.c.special_use,
    )
    .select_from(mailbox)
    .outerjoin(
        subscription, and_(subscription.c.account_id == mailbox.c.account_id, subscription.c.name == mailbox.c.name)
    )
)
_OF_ACCOUNT = mailbox.c.account_id == bindparam("account")
_LIST = Statement(_MAILBOX.where(_OF_ACCOUNT).order_by(mailbox.c.name != INBOX, mailbox.c.name))
_BY_NAME = Statement(_MAILBOX.where(_OF_ACCOUNT, mailbox.c.name == bindparam("wanted")))
_BY_KEY = Statement(_MAILBOX.where(mailbox.c.key == bindparam("mailbox")))
_COUNTS = Statement(
    select(mailbox.c.messages, mailbox.c.unseen, mailbox.c.deleted, mailbox.c.octets).where(
        mailbox.c.key == bindparam("mailbox")
    )
)
_INSERT = Statement(
    insert(mailbox)
    .values(
        account_id=bindparam("account_id"),
        name=bindparam("name"),
        special_use=bindparam("special_use"),
        uid_validity=bindparam("uid_validity"),
        uid_next=1,
        highest_modseq=1,  # RFC 7162 section 3.1.2.1: there is no mod-sequence 0
        messages=0,
        unseen=0,
        deleted=0,
        octets=0,
    )
    .returning(mailbox.c.key)
)
# Greater than every UIDVALIDITY given out before, and than those of a store that was lost or put back from a backup.
_NEXT_UID_VALIDITY = Statement(
    update(counter)
    .where(counter.c.name == "uid_validity")
    .values(value=case((counter.c.value >= bindparam("now"), counter.c.value + 1), else_=bindparam("now")))
    .returning(counter.c.value)
)
_SUBSCRIBE = Statement(insert(subscription).values(account_id=bindparam("account_id"), name=bindparam("name")))
_UNSUBSCRIBE = Statement(
    delete(subscription).where(
        subscription.c.account_id == bindparam("account"), subscription.c.name == bindparam("wanted")
    )
)
_CONTENT_KEYS = Statement(select(message.c.content_key).distinct().where(message.c.mailbox_key == bindparam("mailbox")))
_DELETE_MESSAGES = Statement(delete(message).where(message.c.mailbox_key == bindparam("mailbox")))
_DELETE_VANISHED = Statement(delete(vanished).where(vanished.c.mailbox_key == bindparam("mailbox")))
_DELETE_MAILBOX = Statement(delete(mailbox).where(mailbox.c.key == bindparam("mailbox")))
_DELETE_SUBSCRIPTIONS = Statement(delete(subscription).where(subscription.c.account_id == bindparam("account")))
_DELETE_SCRIPTS = Statement(delete(script).where(script.c.account_id == bindparam("account")))


def stored_name(name: str) -> str:
    """The name under which a mailbox is stored (RFC 9051 section 5.1: INBOX in any case of letters)."""
    first, slash, rest = name.partition("/")
    return f"{INBOX}{slash}{rest}" if first.upper() == INBOX else name


def list_mailboxes(connection: SqlConnection, account_id: Id) -> list[Mailbox]:
    """All mailboxes of an account, INBOX first, then by name."""
    return [_mailbox(row) for row in connection.rows(_LIST, account=account_id)]


def find_mailbox(connection: SqlConnection, account_id: Id, name: str) -> Mailbox | None:
    """The mailbox with this full name."""
    row = connection.row(_BY_NAME, account=account_id, wanted=stored_name(name))
    return _mailbox(row) if row else None


def require_mailbox(connection: SqlConnection, key: int) -> Mailbox:
    """The mailbox in this row. Raises Gone."""
    row = connection.row(_BY_KEY, mailbox=key)
    if row is None:
        raise mailbox_gone()
    return _mailbox(row)


def count_messages(connection: SqlConnection, key: int) -> MailboxCounts:
    """The counts of a mailbox. Raises Gone."""
    row = connection.row(_COUNTS, mailbox=key)
    if row is None:
        raise mailbox_gone()
    return MailboxCounts(*row)


def ensure_inbox(write: WriteTransaction, account_id: Id) -> Mailbox:
    """INBOX, made when it is not there yet. Raises Gone."""
    inbox = find_mailbox(write.connection, account_id, INBOX)
    return inbox or require_mailbox(write.connection, insert_mailbox(write, account_id, INBOX, None))


def create_mailbox(write: WriteTransaction, account_id: Id, name: str, special_use: str | None) -> Mailbox:
    """Make a mailbox and its missing parents. Raises Gone, Taken."""
    name = stored_name(name)
    existing = find_mailbox(write.connection, account_id, name)
    if existing is not None:
        raise Taken(f"there is a mailbox {name!r} already", existing.id)
    create_parents(write, account_id, name)
    return require_mailbox(write.connection, insert_mailbox(write, account_id, name, special_use))


def create_parents(write: WriteTransaction, account_id: Id, name: str) -> None:
    """Make the mailboxes above this name that are missing (RFC 9051 section 6.3.4)."""
    for parent in _names_above(name):
        if find_mailbox(write.connection, account_id, parent) is None:
            insert_mailbox(write, account_id, parent, None)


def insert_mailbox(write: WriteTransaction, account_id: Id, name: str, special_use: str | None) -> int:
    """Make the row of an empty mailbox, whose name must be free; its key. Raises Gone: there is no such account."""
    connection = write.connection
    require_account(connection, account_id)
    ((uid_validity,),) = connection.rows(_NEXT_UID_VALIDITY, now=int(time.time()))
    ((key,),) = connection.rows(
        _INSERT, account_id=account_id, name=name, special_use=special_use, uid_validity=uid_validity
    )
    return int(key)


def delete_mailbox(write: WriteTransaction, key: int) -> None:
    """Remove a mailbox with all that is in it. Its subscription stays (RFC 9051 section 6.3.7). Raises Gone."""
    connection = write.connection
    content_keys = [content_key for (content_key,) in connection.rows(_CONTENT_KEYS, mailbox=key)]
    connection.run(_DELETE_MESSAGES, mailbox=key)
    connection.run(_DELETE_VANISHED, mailbox=key)
    if not connection.run(_DELETE_MAILBOX, mailbox=key):
        raise mailbox_gone()
    drop_unused(connection, content_keys)
    write.changed_mailboxes.add(mailbox_id(key))


def delete_account(write: WriteTransaction, account_id: Id) -> None:
    """Remove everything that this account has."""
    for row in write.connection.rows(_LIST, account=account_id):
        delete_mailbox(write, row[0])
    write.connection.run(_DELETE_SUBSCRIPTIONS, account=account_id)
    write.connection.run(_DELETE_SCRIPTS, account=account_id)


def subscribe(write: WriteTransaction, account_id: Id, name: str, is_subscribed: bool) -> None:
    """Remember or forget the subscription of a name. Raises Gone when there is nothing to subscribe to."""
    name = stored_name(name)
    if is_subscribed and find_mailbox(write.connection, account_id, name) is None:
        raise Gone(f"there is no mailbox {name!r}")
    set_subscription(write.connection, account_id, name, is_subscribed)


def set_subscription(connection: SqlConnection, account_id: Id, name: str, is_subscribed: bool) -> None:
    """Have a name subscribed or not, whatever it was before."""
    connection.run(_UNSUBSCRIBE, account=account_id, wanted=name)
    if is_subscribed:
        connection.run(_SUBSCRIBE, account_id=account_id, name=name)


def _names_above(name: str) -> Iterator[str]:
    position = name.find("/")
    while position > 0:
        yield name[:position]
        position = name.find("/", position + 1)


def _mailbox(row: Row) -> Mailbox:
    key, account_id, name, uid_validity, uid_next, highest_modseq, is_subscribed, special_use = row
    return Mailbox(
        id=mailbox_id(key),
        account_id=account_id,
        name=name,
        uid_validity=uid_validity,
        uid_next=uid_next,
        highest_modseq=highest_modseq,
        is_subscribed=bool(is_subscribed),
        special_use=special_use,
    )
