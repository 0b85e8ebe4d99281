"""No statement goes through a whole table of messages or of the history, and every connection syncs what it commits."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from gatepost.store.sql import (
    content_rows,
    history,
    mailbox_rename,
    mailbox_rows,
    mailbox_state,
    message_reads,
    message_writes,
    scripts,
)
from gatepost.store.sql.connection import Statement
from gatepost.store.sql.dialect import dialect_for

MODULES = (content_rows, history, mailbox_rename, mailbox_rows, mailbox_state, message_reads, message_writes, scripts)
STATEMENTS = {
    f"{module.__name__.rsplit('.', 1)[1]}.{name}": statement
    for module in MODULES
    for name, statement in vars(module).items()
    if isinstance(statement, Statement)
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_finds_its_rows_by_an_index(data_directory: Path, name: str) -> None:
    dialect = dialect_for(data_directory)
    with dialect.engine.connect() as connection:
        sql = STATEMENTS[name].construct.compile(dialect=dialect.engine.dialect)
        parameters = {parameter: value or "[]" for parameter, value in sql.params.items()}
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    dialect.engine.dispose()
    scanned = [step for step in plan if re.match(r"SCAN (?!json_each|\(subquery|CONSTANT ROW)", step)]
    assert scanned == []
    if "uids" in parameters:
        assert any("mailbox_key=? AND uid=?" in step for step in plan)


@pytest.mark.parametrize(("pragma", "value"), [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1)])
def test_a_connection_is_durable_and_keeps_references(data_directory: Path, pragma: str, value: object) -> None:
    dialect = dialect_for(data_directory)
    with dialect.engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    dialect.engine.dispose()
