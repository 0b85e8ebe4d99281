"""Making, upgrading and opening the database."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from gatepost.store.interface import Broken
from gatepost.store.migrate import alembic_config, migrate
from gatepost.store.sql import (
    configuration,
    content_rows,
    mailbox_rename,
    mailbox_rows,
    mailbox_state,
    message_reads,
    message_writes,
    scripts,
)
from gatepost.store.sql.connection import Statement
from gatepost.store.sql.dialect import DATABASE_FILE, dialect_for
from gatepost.store.sql.schema import SCHEMA_REVISION, metadata
from gatepost.store.sql_store import SqlStore

MODULES = (
    configuration,
    content_rows,
    mailbox_rename,
    mailbox_rows,
    mailbox_state,
    message_reads,
    message_writes,
    scripts,
)


def create_statements(file: Path) -> set[str]:
    database = sqlite3.connect(file)
    rows = database.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    database.close()
    return {" ".join(sql.split()).replace("( ", "(") for (sql,) in rows}


def test_the_migrations_make_what_the_statements_expect(data_directory: Path) -> None:
    dialect = dialect_for(data_directory)
    with dialect.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    dialect.engine.dispose()


def test_the_migrations_make_the_very_tables_of_the_schema(data_directory: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    dialect = dialect_for(tmp_path / "other")
    metadata.create_all(dialect.engine)
    dialect.engine.dispose()
    migrated = create_statements(data_directory / DATABASE_FILE)
    assert len(migrated) == len(create_statements(tmp_path / "other" / DATABASE_FILE))
    for words in ("WITHOUT ROWID", "AUTOINCREMENT", "FOREIGN KEY", "WHERE is_active"):
        made = sum(words in sql for sql in create_statements(tmp_path / "other" / DATABASE_FILE))
        assert sum(words in sql for sql in migrated) == made > 0


def test_the_schema_is_that_of_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [SCHEMA_REVISION]


def test_migrating_again_changes_nothing(data_directory: Path) -> None:
    before = create_statements(data_directory / DATABASE_FILE)
    migrate(data_directory)
    migrate(f"sqlite:///{data_directory / DATABASE_FILE}")
    assert create_statements(data_directory / DATABASE_FILE) == before


def test_nobody_else_may_read_the_mail(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "data"
    migrate(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / DATABASE_FILE)
    database.execute("CREATE TABLE script (in_the_way INTEGER)")
    database.close()
    with pytest.raises(Broken):
        migrate(tmp_path)
    assert create_statements(tmp_path / DATABASE_FILE) == {"CREATE TABLE script (in_the_way INTEGER)"}


def test_a_store_of_a_newer_version_is_neither_opened_nor_migrated(data_directory: Path) -> None:
    database = sqlite3.connect(data_directory / DATABASE_FILE)
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    with pytest.raises(Broken, match="9999"):
        SqlStore.open(data_directory)
    with pytest.raises(Broken, match="9999"):
        migrate(data_directory)


def test_what_was_not_migrated_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="migrated"):
        SqlStore.open(tmp_path)
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / DATABASE_FILE).close()
    (tmp_path / DATABASE_FILE).touch()
    with pytest.raises(Broken):
        SqlStore.open(tmp_path)


def test_a_file_that_is_no_database_is_broken(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(Broken):
        SqlStore.open(tmp_path)
    with pytest.raises(Broken):
        migrate(tmp_path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name"])
def test_a_database_that_cannot_be_shared_or_is_not_known_is_broken(url: str) -> None:
    with pytest.raises(Broken):
        migrate(url)
    with pytest.raises(Broken):
        SqlStore.open(url)


def test_a_directory_that_cannot_be_made_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Broken):
        migrate(tmp_path / "file" / "data")


def test_schema_and_statements_can_be_said_to_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))
    statements = [value for module in MODULES for value in vars(module).values() if isinstance(value, Statement)]
    assert len(statements) > 40
    for statement in statements:
        assert str(statement.construct.compile(dialect=dialect))
