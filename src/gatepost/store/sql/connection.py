"""One connection to the database, for one thread at a time, and the statements that it runs.

A `Statement` is a Core construct that is turned into SQL once; what it costs after that is what the driver costs.
Errors of the driver leave this file as errors of the store only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ClauseElement

from gatepost.store.sql.dialect import Dialect

Row = tuple[Any, ...]


class Statement:
    """A construct of SQLAlchemy Core with named parameters. Made once, when a module is imported."""

    __slots__ = ("construct",)

    def __init__(self, construct: ClauseElement) -> None:
        self.construct = construct


class SqlConnection:
    """Runs statements. Methods raise Busy and Broken."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[Statement, tuple[str, dict[str, Any]]] = {}
        try:
            self._connection = dialect.engine.raw_connection()
        except (DBAPIError, dialect.driver_error) as error:
            raise dialect.translated(error) from error
        self._cursor = self._connection.cursor()

    def rows(self, statement: Statement, **parameters: object) -> list[Row]:
        """All rows of the answer."""
        self._execute(statement, parameters)
        try:
            return self._cursor.fetchall()  # type: ignore[return-value]  # a sequence of sequences in DB-API's words
        except self._dialect.driver_error as error:
            raise self._dialect.translated(error) from error

    def row(self, statement: Statement, **parameters: object) -> Row | None:
        """The first row of the answer, if there is one."""
        rows = self.rows(statement, **parameters)
        return rows[0] if rows else None

    def rows_once(self, statement: Statement) -> list[Row]:
        """All rows of the answer of a statement that was made for this one time, its values within it."""
        sql, values = self._compile(statement)
        try:
            self._cursor.execute(sql, values)
            return self._cursor.fetchall()  # type: ignore[return-value]  # as above
        except self._dialect.driver_error as error:
            raise self._dialect.translated(error) from error

    def run(self, statement: Statement, **parameters: object) -> int:
        """Run a statement that gives no rows; the number of rows that it changed."""
        self._execute(statement, parameters)
        return self._cursor.rowcount

    def run_many(self, statement: Statement, many: Iterable[Mapping[str, object]]) -> None:
        """Run a statement without constants of its own once for each set of parameters."""
        sql, _ = self._sql(statement)
        try:
            self._cursor.executemany(sql, many)  # type: ignore[arg-type]  # any iterable, in fact
        except self._dialect.driver_error as error:
            raise self._dialect.translated(error) from error

    def say(self, command: str) -> None:
        """Run words of SQL that have neither parameters nor an answer, like BEGIN."""
        try:
            self._cursor.execute(command)
        except self._dialect.driver_error as error:
            raise self._dialect.translated(error) from error

    def number(self, command: str) -> int:
        """The one number that these words of SQL answer with."""
        self.say(command)
        ((number,),) = self._cursor.fetchall()
        return int(number)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see the database at one moment."""
        self.say(self._dialect.begin_snapshot)
        try:
            yield
        finally:
            self.say("ROLLBACK")

    def close(self) -> None:
        """Give the connection back; an open transaction is rolled back."""
        try:
            self._connection.invalidate()
        except (DBAPIError, self._dialect.driver_error):
            pass  # it is gone either way

    def _execute(self, statement: Statement, parameters: dict[str, object]) -> None:
        sql, constants = self._sql(statement)
        if constants:
            parameters |= constants
        try:
            self._cursor.execute(sql, parameters)
        except self._dialect.driver_error as error:
            raise self._dialect.translated(error) from error

    def _sql(self, statement: Statement) -> tuple[str, dict[str, Any]]:
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = self._compile(statement)
        return compiled

    def _compile(self, statement: Statement) -> tuple[str, dict[str, Any]]:
        sql = statement.construct.compile(dialect=self._dialect.engine.dialect)
        return str(sql), {name: value for name, value in sql.params.items() if value is not None}
