"""Run by Alembic: applies migrations on the connection, and in the transaction, of `migrate.py`."""

from __future__ import annotations

from alembic import context

from gatepost.store.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
context.run_migrations()
