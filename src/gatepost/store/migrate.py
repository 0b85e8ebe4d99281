"""Brings the database to the schema of this version. Called once at start, before workers open the store; safe when
several processes do it at the same time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, inspect
from sqlalchemy.exc import DBAPIError

from gatepost.store.interface import Broken
from gatepost.store.sql.dialect import Dialect, dialect_for, prepare_database
from gatepost.store.sql.schema import FIRST_ROWS, SCHEMA_REVISION, metadata, schema_version

_LOCK_FILE: Final = "migrate.lock"


def migrate(location: str | Path) -> None:
    """Make or upgrade the database at a URL or in a data directory, which is made if missing. Blocks.

    All or nothing: a migration that fails leaves the database as it was. Raises Busy, Broken.
    """
    dialect = dialect_for(location)
    try:
        dialect.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _only_one_process(dialect.data_directory / _LOCK_FILE):
            prepare_database(dialect)
            _bring_up_to_date(dialect)
    except OSError as error:
        raise Broken(f"the store in {dialect.data_directory} cannot be made: {error}") from error
    except (DBAPIError, dialect.driver_error) as error:
        raise dialect.translated(error) from error
    finally:
        dialect.engine.dispose()


def _bring_up_to_date(dialect: Dialect) -> None:
    with dialect.engine.connect() as connection:
        connection.exec_driver_sql(dialect.begin_write)
        tables = inspect(connection).get_table_names()
        if not tables:
            _make(connection)
        elif schema_version.name not in tables or _revision(connection) != SCHEMA_REVISION:
            from gatepost.store.upgrading import upgrade

            upgrade(connection)
        connection.exec_driver_sql("COMMIT")


def _make(connection: Connection) -> None:
    """What all migrations together make of an empty database, in one go; a test holds the two together."""
    metadata.create_all(connection, checkfirst=False)
    schema_version.create(connection)
    connection.execute(insert(schema_version).values(version_num=SCHEMA_REVISION))
    for table, rows in FIRST_ROWS.items():
        connection.execute(insert(table), rows)


def _revision(connection: Connection) -> str | None:
    return connection.execute(schema_version.select()).scalar()


@contextmanager
def _only_one_process(lock_file: Path) -> Iterator[None]:
    """The file stays: removing it would let two processes lock two files of the same name."""
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
