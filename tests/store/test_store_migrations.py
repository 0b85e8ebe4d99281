"""Making, upgrading and opening the database."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from tests.python_process import python_environment
from tests.store.sql_statements import STATEMENTS

from gatepost.store.interface import Broken
from gatepost.store.migrate import migrate
from gatepost.store.sql.dialect import DATABASE_FILE, dialect_for, prepare_database
from gatepost.store.sql.schema import SCHEMA_REVISION, metadata
from gatepost.store.sql_store import SqlStore
from gatepost.store.upgrading import alembic_config, upgrade


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """A data directory whose store the migrations have made, one after the other."""
    dialect = dialect_for(tmp_path / "migrated")
    prepare_database(dialect)
    with dialect.engine.connect() as connection:
        connection.exec_driver_sql(dialect.begin_write)
        upgrade(connection)
        connection.exec_driver_sql("COMMIT")
    dialect.engine.dispose()
    return tmp_path / "migrated"


def create_statements(directory: Path) -> dict[str, str]:
    with closing(sqlite3.connect(directory / DATABASE_FILE)) as database:
        rows = database.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows}


def rows_of_tables(directory: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(directory / DATABASE_FILE)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}


def test_the_migrations_make_what_the_statements_expect(migrated: Path) -> None:
    dialect = dialect_for(migrated)
    with dialect.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    dialect.engine.dispose()


def test_an_empty_database_is_made_as_the_migrations_would_make_it(data_directory: Path, migrated: Path) -> None:
    assert create_statements(data_directory) == create_statements(migrated)
    assert rows_of_tables(data_directory) == rows_of_tables(migrated)


def test_what_the_migrations_have_made_is_opened_and_left_as_it_is(migrated: Path) -> None:
    before = create_statements(migrated)
    migrate(migrated)
    SqlStore.open(migrated)
    assert create_statements(migrated) == before


def test_alembic_is_loaded_only_to_upgrade(tmp_path: Path) -> None:
    words = (
        "import sys; from gatepost.store.migrate import migrate; migrate(sys.argv[1]); print('alembic' in sys.modules)"
    )
    for _ in ("an empty store", "one of this version"):
        command = [sys.executable, "-c", words, str(tmp_path)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=python_environment()).stdout
        assert told == "False\n"


def test_the_schema_is_that_of_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [SCHEMA_REVISION]


def test_migrating_again_changes_nothing(data_directory: Path) -> None:
    before = create_statements(data_directory)
    migrate(data_directory)
    migrate(f"sqlite:///{data_directory / DATABASE_FILE}")
    assert create_statements(data_directory) == before


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
    assert create_statements(tmp_path) == {"script": "CREATE TABLE script (in_the_way INTEGER)"}


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
    assert len(STATEMENTS) > 40
    for statement in STATEMENTS.values():
        assert str(statement.construct.compile(dialect=dialect))
