"""Brings the database to the schema of this version. Called once at start, before workers open the store; safe when
several processes do it at the same time. Alembic is loaded here only, so that workers never carry it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError

from gatepost.store.interface import Broken
from gatepost.store.sql.dialect import Dialect, dialect_for, prepare_database

MIGRATIONS: Final = Path(__file__).parent / "migrations"
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
            _upgrade(dialect)
    except OSError as error:
        raise Broken(f"the store in {dialect.data_directory} cannot be made: {error}") from error
    except (DBAPIError, dialect.driver_error) as error:
        raise dialect.translated(error) from error
    except CommandError as error:
        raise Broken(f"the store in {dialect.data_directory} is not of this version of gatepost: {error}") from error
    finally:
        dialect.engine.dispose()


def alembic_config() -> Config:
    """Where Alembic finds the migrations: inside the package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _upgrade(dialect: Dialect) -> None:
    config = alembic_config()
    with dialect.engine.connect() as connection:
        connection.exec_driver_sql(dialect.begin_write)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.exec_driver_sql("COMMIT")


@contextmanager
def _only_one_process(lock_file: Path) -> Iterator[None]:
    """The file stays: removing it would let two processes lock two files of the same name."""
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
