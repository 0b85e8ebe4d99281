"""The tables, as the statements of this folder see them. An empty database is made of them, another one is brought here by
`migrations/`; a test holds the two together.

Layout: what one session lists is stored side by side (`message` by mailbox and uid, `vanished` by mailbox and
modification), the octets of messages are kept in a table of their own that no listing touches, and the counts of a
mailbox stand in its row, which every change of the mailbox has to write anyway.

Times are microseconds since 1970 in UTC. Names and ids compare by their octets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    true,
)

SCHEMA_REVISION: Final = "0002"  # the newest file of migrations/versions; a store at any other revision is not opened

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite makes a rowid of the exact type INTEGER only.
_KEY = BigInteger().with_variant(Integer(), "sqlite")

configuration_object = Table(
    "configuration_object",
    metadata,
    Column("position", _KEY, primary_key=True),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("unique_key", Text),
    UniqueConstraint("type", "id"),
    UniqueConstraint("type", "unique_key"),
    sqlite_autoincrement=True,
)

configuration_change = Table(
    "configuration_change",
    metadata,
    Column("sequence", _KEY, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # created, updated, destroyed
    Index(None, "type", "sequence"),
)

# For people: who has changed what, in the transaction of the change. The oldest rows go, so it is not the log above, which
# changes are calculated from. `before`, `after` and `redacted` are JSON; numbers are never reused.
configuration_history = Table(
    "configuration_history",
    metadata,
    Column("number", _KEY, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text),
    Column("kind", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("account_id", Text),
    Column("account", Text),
    Column("api_key", Text),
    Column("listener_id", Text),
    Column("listener", Text),
    Column("source_address", Text),
    Column("before", Text),
    Column("after", Text),
    Column("redacted", Text),
    Column("revert_of", Text),
    Index(None, "id"),
    sqlite_autoincrement=True,
)

# Numbers that are never given out twice, whatever is deleted.
counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The key is never reused, so that an id that somebody still holds cannot come to mean another mailbox.
mailbox = Table(
    "mailbox",
    metadata,
    Column("key", _KEY, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("special_use", Text),
    Column("uid_validity", BigInteger, nullable=False),
    Column("uid_next", BigInteger, nullable=False),
    Column("highest_modseq", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("unseen", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("octets", BigInteger, nullable=False),
    UniqueConstraint("account_id", "name"),
    sqlite_autoincrement=True,
)

subscription = Table(
    "subscription",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    sqlite_with_rowid=False,
)

# The key is never reused, so that what was parsed of a content may be cached under its id.
content = Table(
    "content",
    metadata,
    Column("key", _KEY, primary_key=True),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("octets", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

message = Table(
    "message",
    metadata,
    Column("mailbox_key", _KEY, ForeignKey(mailbox.c.key), primary_key=True, autoincrement=False),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("modseq", BigInteger, nullable=False),
    Column("system_flags", Integer, nullable=False),
    Column("keywords", Text, nullable=False),
    Column("internal_date", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content_key", _KEY, ForeignKey(content.c.key), nullable=False, index=True),
    Index(None, "mailbox_key", "modseq"),
    sqlite_with_rowid=False,
)

# Runs of neighbouring uids, so that emptying a mailbox leaves one row behind.
vanished = Table(
    "vanished",
    metadata,
    Column("mailbox_key", _KEY, ForeignKey(mailbox.c.key), primary_key=True, autoincrement=False),
    Column("modseq", BigInteger, primary_key=True, autoincrement=False),
    Column("first_uid", BigInteger, primary_key=True, autoincrement=False),
    Column("last_uid", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

script = Table(
    "script",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("is_active", Boolean, nullable=False),
    Column("text", LargeBinary, nullable=False),
)
Index(
    "uq_script_active",
    script.c.account_id,
    unique=True,
    sqlite_where=script.c.is_active == true(),  # PostgreSQL's is in the migration: named here, it loads another dialect
)

# Made by Alembic too, hence not among what Alembic compares.
schema_version = Table("alembic_version", MetaData(), Column("version_num", String(32), nullable=False))
schema_version.append_constraint(PrimaryKeyConstraint("version_num", name="alembic_version_pkc"))

FIRST_ROWS: Final[Mapping[Table, Sequence[Mapping[str, object]]]] = {counter: ({"name": "uid_validity", "value": 0},)}
