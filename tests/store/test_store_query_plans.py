"""No statement goes through a whole table of messages or of the history, and every connection syncs what it commits."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from tests.store.sql_statements import STATEMENTS

from gatepost.store.sql.dialect import dialect_for

# Configuration is small, and read whole.
SEARCHED = [name for name in STATEMENTS if not name.startswith("configuration.")]


@pytest.mark.parametrize("name", SEARCHED)
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
