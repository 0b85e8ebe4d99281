"""The first schema: configuration objects, mail, scripts. What the tables are for is written in `sql/schema.py`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema forward. There is no way back but a backup."""
    _configuration()
    _mailboxes()
    _messages()
    _scripts()


def _configuration() -> None:
    op.create_table(
        "configuration_object",
        sa.Column("position", _KEY, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("unique_key", sa.Text),
        sa.PrimaryKeyConstraint("position", name="pk_configuration_object"),
        sa.UniqueConstraint("type", "id", name="uq_configuration_object_type_id"),
        sa.UniqueConstraint("type", "unique_key", name="uq_configuration_object_type_unique_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "configuration_change",
        sa.Column("sequence", _KEY, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_configuration_change"),
    )
    op.create_index("ix_configuration_change_type_sequence", "configuration_change", ["type", "sequence"])


def _mailboxes() -> None:
    counter = op.create_table(
        "counter",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(counter, [{"name": "uid_validity", "value": 0}])
    op.create_table(
        "mailbox",
        sa.Column("key", _KEY, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("special_use", sa.Text),
        sa.Column("uid_validity", sa.BigInteger, nullable=False),
        sa.Column("uid_next", sa.BigInteger, nullable=False),
        sa.Column("highest_modseq", sa.BigInteger, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("unseen", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.BigInteger, nullable=False),
        sa.Column("octets", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_mailbox"),
        sa.UniqueConstraint("account_id", "name", name="uq_mailbox_account_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subscription",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_subscription"),
        sqlite_with_rowid=False,
    )


def _messages() -> None:
    op.create_table(
        "content",
        sa.Column("key", _KEY, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("octets", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_content"),
        sa.UniqueConstraint("sha256", name="uq_content_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "message",
        sa.Column("mailbox_key", _KEY, nullable=False, autoincrement=False),
        sa.Column("uid", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("modseq", sa.BigInteger, nullable=False),
        sa.Column("system_flags", sa.Integer, nullable=False),
        sa.Column("keywords", sa.Text, nullable=False),
        sa.Column("internal_date", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content_key", _KEY, nullable=False),
        sa.PrimaryKeyConstraint("mailbox_key", "uid", name="pk_message"),
        sa.ForeignKeyConstraint(["mailbox_key"], ["mailbox.key"], name="fk_message_mailbox_key"),
        sa.ForeignKeyConstraint(["content_key"], ["content.key"], name="fk_message_content_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_message_mailbox_key_modseq", "message", ["mailbox_key", "modseq"])
    op.create_index("ix_message_content_key", "message", ["content_key"])
    op.create_table(
        "vanished",
        sa.Column("mailbox_key", _KEY, nullable=False, autoincrement=False),
        sa.Column("modseq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("first_uid", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("last_uid", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("mailbox_key", "modseq", "first_uid", name="pk_vanished"),
        sa.ForeignKeyConstraint(["mailbox_key"], ["mailbox.key"], name="fk_vanished_mailbox_key"),
        sqlite_with_rowid=False,
    )


def _scripts() -> None:
    op.create_table(
        "script",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_script"),
    )
    op.create_index(
        "uq_script_active",
        "script",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("is_active = 1"),
        postgresql_where=sa.text("is_active"),
    )
