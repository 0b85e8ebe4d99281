"""The history of the configuration. What the table is for is written in `sql/schema.py`.

A store that is upgraded has no history of what was before; every change from now on is in it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward. There is no way back but a backup."""
    op.create_table(
        "configuration_history",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("account", sa.Text),
        sa.Column("api_key", sa.Text),
        sa.Column("listener_id", sa.Text),
        sa.Column("listener", sa.Text),
        sa.Column("source_address", sa.Text),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("redacted", sa.Text),
        sa.Column("revert_of", sa.Text),
        sa.PrimaryKeyConstraint("number", name="pk_configuration_history"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_configuration_history_id", "configuration_history", ["id"])
