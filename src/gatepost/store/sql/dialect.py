"""Everything that differs between databases. Another database is another `Dialect` here and nothing elsewhere.

Connections are in autocommit mode: transactions are begun and ended in words, so that each one is of the kind it needs.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    BindParameter,
    Boolean,
    ColumnElement,
    Engine,
    Text,
    bindparam,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.operators import OperatorType

from gatepost.store.interface import Broken, Busy, StoreError, WrongLocation
from gatepost.store.sql.sqlite_log import lengthen
from gatepost.values.collation import collation_key

DATABASE_FILE: Final = "gatepost.sqlite3"
_COLLATION_KEY: Final = "collation_key"  # the function of SQL
_BUSY_TIMEOUT_MS: Final = 10_000
_WAL_PAGES_BEFORE_CHECKPOINT: Final = 4_000  # 16 MiB: a checkpoint costs two more syncs
# So many pages with the header of each, and the last transaction before the checkpoint.
_WAL_OCTETS_MADE: Final = 17 * 2**20
_WAL_OCTETS_KEPT: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the store says to one kind of database, and how it understands its errors."""

    engine: Engine
    data_directory: Path  # where locks of the machine are kept
    driver_error: type[Exception]
    begin_write: str  # waits for other writers, so that no statement after it can fail for them
    begin_snapshot: str  # all reads until the end see the same moment
    never_wait: str = ""  # a connection that would have to wait fails instead
    make_room: Callable[[], None] = lambda: None  # inside a write transaction: what makes later ones faster
    data_version: str | None = None  # asks for a number that changes with every commit of others, without waiting

    def translated(self, error: Exception) -> StoreError:
        """The store's error for an error of the driver, or for what SQLAlchemy made of it."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.Error):
            return _translated_sqlite_error(cause)
        return Broken(f"the database failed: {cause}")


def dialect_for(location: str | Path) -> Dialect:
    """The dialect of a database URL, or of SQLite in a data directory. Nothing is opened yet. Raises WrongLocation."""
    url = database_url(location)
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return _sqlite(url, Path(url.database))
        case "sqlite":
            raise WrongLocation("a database in memory survives nothing: give it a file, sqlite:////path/to/file")
        case name:
            raise WrongLocation(f"{name} is not supported as a database of the store; use sqlite:////path/to/file")


def database_url(location: str | Path) -> URL:
    """The URL of a location: a path is a data directory with a SQLite file in it. Raises WrongLocation."""
    if isinstance(location, str) and "://" in location:
        try:
            return make_url(location)
        except ArgumentError:
            raise WrongLocation("is not the URL of a database; use sqlite:////path/to/file") from None
    return URL.create("sqlite", database=str(Path(location) / DATABASE_FILE))


def prepare_database(dialect: Dialect) -> None:
    """Once, before the schema is made: a file that nobody else may read, in a directory that exists, in WAL mode."""
    file = Path(str(dialect.engine.url.database))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with dialect.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)  # the name of the new file is to survive a crash as well
    finally:
        os.close(directory)


class Among(ColumnElement[bool]):
    """`column` is one of the numbers of a JSON array, given as one parameter: any number of them, one statement."""

    inherit_cache = True
    type = Boolean()

    def __init__(self, column: ColumnElement[int], parameter: str) -> None:
        self.column = column
        self.numbers: BindParameter[str] = bindparam(parameter)

    def self_group(self, against: OperatorType | None = None) -> Among:  # noqa: ARG002  # SQLAlchemy's signature
        """Stands as it is: SQLAlchemy would write `(... IN ...) = 1`, for which SQLite uses no index."""
        return self


@compiles(Among, "sqlite")
def _among_sqlite(element: Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, numbers = compiler.process(element.column, **kw), compiler.process(element.numbers, **kw)
    return f"{column} IN (SELECT value FROM json_each({numbers}))"  # noqa: S608  # pieces that the compiler made


@compiles(Among, "postgresql")
def _among_postgresql(element: Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, numbers = compiler.process(element.column, **kw), compiler.process(element.numbers, **kw)
    return f"{column} IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST({numbers} AS json)))"  # noqa: S608  # same


class Collated(ColumnElement[str]):
    """What a column of text is put in order by in a collation (RFC 4790)."""

    inherit_cache = False
    type = Text()

    def __init__(self, column: ColumnElement[str], collation: str) -> None:
        self.column = column
        self.collation: BindParameter[str] = bindparam(None, collation)


@compiles(Collated, "sqlite")
def _collated_sqlite(element: Collated, compiler: SQLCompiler, **kw: Any) -> str:
    column, collation = compiler.process(element.column, **kw), compiler.process(element.collation, **kw)
    return f"{_COLLATION_KEY}({collation}, {column})"


@compiles(Collated, "postgresql")
def _collated_postgresql(element: Collated, compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower({compiler.process(element.column, **kw)})"


def _sqlite(url: URL, file: Path) -> Dialect:
    engine = create_engine(url, poolclass=NullPool, paramstyle="named", connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _on_sqlite_connect)
    return Dialect(
        engine=engine,
        data_directory=file.parent,
        driver_error=sqlite3.Error,
        begin_write="BEGIN IMMEDIATE",
        begin_snapshot="BEGIN",
        make_room=partial(lengthen, Path(f"{file}-wal"), _WAL_OCTETS_MADE),
        never_wait="PRAGMA busy_timeout = 0",
        data_version="PRAGMA data_version",
    )


def _on_sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.create_function(_COLLATION_KEY, 2, _collation_key, deterministic=True)
    for pragma in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
        "synchronous = FULL",  # in WAL mode: the log is synced at every commit
        f"wal_autocheckpoint = {_WAL_PAGES_BEFORE_CHECKPOINT}",
        f"journal_size_limit = {_WAL_OCTETS_KEPT}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _collation_key(collation: str, text: str | None) -> str | None:
    return None if text is None else collation_key(collation, text)


def _translated_sqlite_error(error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0)  # errors of the driver's own making have none
    primary_code = code & 0xFF  # the rest says where, not what
    if primary_code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy("another writer holds the database; try again later")
    advice = "; is the disk full?" if primary_code == sqlite3.SQLITE_IOERR else ""
    return Broken(f"the database failed: {error} (code {code}){advice}")
